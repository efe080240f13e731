import { render } from "preact";
import { loadCatalog } from "./parts/catalog";
import { listenToKeys } from "./parts/keys";
import { restoreTheme } from "./parts/theme";
import { followLinks } from "./routes";
import { Page } from "./shell/page";
import { start } from "./sign-in/state";
import "./styles/page.css";

restoreTheme();
listenToKeys();
followLinks();
loadCatalog();
const root = document.getElementById("page");
if (root) {
  render(<Page />, root);
}
void start();
