import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const SOURCES = resolve(import.meta.dirname, "../src");
const MAY_IMPORT: Record<string, string[]> = {
  model: ["model"],
  api: ["api", "model"],
};

function sourcesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => join(folder, name));
}

/** The folders below `src` that a file imports from. */
function importedBy(file: string): string[] {
  const found = readFileSync(file, "utf8").matchAll(/from "(\.[^"]+)"/g);
  return [...found].map(
    ([, path = ""]) => relative(SOURCES, resolve(file, "..", path)).split("/")[0] ?? "",
  );
}

describe("layers", () => {
  it.each(Object.entries(MAY_IMPORT))("%s imports nothing above it", (layer, allowed) => {
    for (const file of sourcesIn(join(SOURCES, layer))) {
      for (const imported of importedBy(file)) {
        expect(allowed, file).toContain(imported);
      }
    }
  });

  it("no module is long", () => {
    for (const file of sourcesIn(SOURCES)) {
      expect(readFileSync(file, "utf8").split("\n").length, file).toBeLessThanOrEqual(300);
    }
  });

  it("nothing writes HTML, keeps a token, or runs text", () => {
    for (const file of sourcesIn(SOURCES)) {
      const source = readFileSync(file, "utf8");
      expect(source, file).not.toMatch(
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/,
      );
      if (!file.includes("/sign-in/") && !file.endsWith("theme.tsx")) {
        expect(source, file).not.toMatch(/localStorage|sessionStorage/);
      }
    }
  });
});
