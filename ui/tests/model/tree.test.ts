import { describe, expect, it } from "vitest";
import { OPEN_AT_MOST, treeRows } from "../../src/model/tree";

const NONE: ReadonlySet<string> = new Set();
const shown = (names: string[], filter = "", turned = NONE): string[] =>
  treeRows(names, filter, turned).map(
    (row) => `${" ".repeat(row.depth)}${row.label}${row.below ? ` ${row.below}` : ""}`,
  );

describe("treeRows", () => {
  it("shows every level that has more than one entry", () => {
    expect(shown(["a/b/c", "a/b/d", "e/f/g"])).toEqual(["a/b 2", " c", " d", "e/f/g"]);
  });

  it("shows a repository that has others below", () => {
    expect(shown(["a", "a/b", "a/b/c"])).toEqual(["a 2", " b 1", "  c"]);
  });

  it("has each repository once, whatever is in the tree", () => {
    const names = Array.from({ length: 150 }, (_, at) => `t${at % 7}/${at % 3 ? "x/" : ""}r${at}`);
    const paths = treeRows(names, "", NONE)
      .filter((row) => row.isRepository)
      .map((row) => row.path);
    expect(paths.toSorted()).toEqual(names.toSorted());
  });

  it("closes what was turned, and opens nothing of a large tree at first", () => {
    expect(shown(["a/b", "a/c"], "", new Set(["a"]))).toEqual(["a 2"]);
    const many = Array.from({ length: OPEN_AT_MOST + 1 }, (_, at) => `a/r${at}`);
    expect(shown(many)).toEqual([`a ${OPEN_AT_MOST + 1}`]);
    expect(shown(many, "", new Set(["a"]))).toHaveLength(OPEN_AT_MOST + 2);
  });

  it("opens what a search has found", () => {
    const many = [...Array.from({ length: OPEN_AT_MOST }, (_, at) => `a/r${at}`), "b/deep/web"];
    expect(shown(many, "deep we")).toEqual(["b/deep/web"]);
  });

  it("orders numbers by value", () => {
    expect(shown(["a/r10", "a/r9"])).toEqual(["a 2", " r9", " r10"]);
  });

  it("takes names that an object would trip over", () => {
    expect(shown(["constructor", "a/__proto__", "a/tostring"])).toEqual([
      "a 2",
      " __proto__",
      " tostring",
      "constructor",
    ]);
  });
});
