import { render } from "preact";
import "./styles/page.css";

const root = document.getElementById("page");
if (root) {
  render(<h1>Slipway</h1>, root);
}
