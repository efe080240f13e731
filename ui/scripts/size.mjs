// Fails if what the first view loads is larger than it may be. `npm run build` comes first.
import { readFileSync, statSync } from "node:fs";

const LIMIT = 60_000;
const dist = new URL("../dist/", import.meta.url);
const page = readFileSync(new URL("index.html", dist), "utf8");
const files = [
  "index.html",
  ...[...page.matchAll(/(?:src|href)="\/ui\/([^"]+)"/g)].map((match) => match[1]),
];
const sizes = files.map((name) => [name, statSync(new URL(`${name}.gz`, dist)).size]);
const sum = sizes.reduce((before, [, size]) => before + size, 0);
for (const [name, size] of sizes) {
  console.log(`${String(size).padStart(7)}  ${name}`);
}
console.log(`${String(sum).padStart(7)}  in all, of at most ${LIMIT}`);
process.exitCode = sum <= LIMIT ? 0 : 1;
