// Writes a compressed copy beside each file of dist: the registry serves it as it is.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { constants, gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url).pathname;
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (entry.isFile() && !entry.name.endsWith(".gz")) {
    const path = join(entry.parentPath, entry.name);
    writeFileSync(
      `${path}.gz`,
      gzipSync(readFileSync(path), { level: constants.Z_BEST_COMPRESSION }),
    );
  }
}
