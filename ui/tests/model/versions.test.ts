import { describe, expect, it } from "vitest";
import { compareNatural, compareVersions } from "../../src/model/versions";
import { arrange, fold, type TagRow } from "../../src/views/repository/tags-model";

const sorted = (tags: string[]): string[] => tags.toSorted(compareVersions);

describe("compareVersions", () => {
  it("puts 1.9 before 1.10", () => {
    expect(sorted(["1.10", "1.9", "1.2"])).toEqual(["1.2", "1.9", "1.10"]);
  });

  it("puts a candidate before its release, and a rebuild after it", () => {
    expect(sorted(["v1.0.0", "v1.0.0-rc10", "v1.0.0-rc2", "v1.0.0_b1", "v1.0.1"])).toEqual([
      "v1.0.0-rc2",
      "v1.0.0-rc10",
      "v1.0.0",
      "v1.0.0_b1",
      "v1.0.1",
    ]);
  });

  it("puts names after versions, in their own order", () => {
    expect(sorted(["main", "2", "latest", "1"])).toEqual(["1", "2", "latest", "main"]);
  });

  it("is an order: whatever is compared first, the result is one", () => {
    const tags = [
      "1",
      "v1",
      "1.0",
      "1.0.0",
      "1-alpine",
      "1.0-alpine",
      "a",
      "a1",
      "a10",
      "a2",
      "20261128",
      "1e3",
    ];
    const expected = sorted(tags);
    for (let turn = 0; turn < tags.length; turn += 1) {
      expect(sorted([...tags.slice(turn), ...tags.slice(0, turn)])).toEqual(expected);
      expect(sorted([...tags.slice(turn), ...tags.slice(0, turn)].reverse())).toEqual(expected);
    }
  });

  it("compares numbers in names by value", () => {
    expect(["web10", "web9"].toSorted(compareNatural)).toEqual(["web9", "web10"]);
  });
});

const HEX = "b".repeat(64);
const row = (name: string, digest = `sha256:${HEX}`): TagRow => ({
  name,
  digest,
  updated: "",
  attributes: null,
});

describe("the rows of a list of tags", () => {
  it("has signatures under what they sign", () => {
    const folded = fold([
      row("v1"),
      row(`sha256-${HEX}.sig`, "sha256:s"),
      row(`sha256-${HEX}.att`, "sha256:t"),
      row("sha256-x.sig"),
    ]);
    expect(folded.rows.map((each) => each.name)).toEqual(["v1", "sha256-x.sig"]);
    expect(folded.attachedTo.get(`sha256:${HEX}`)).toEqual(["signature", "attestation"]);
    expect(folded.hidden).toBe(2);
  });

  it("finds by all words, and by the beginning of a digest", () => {
    const rows = [row("v1-alpine"), row("v1"), row("alpine", `sha256:${"c".repeat(64)}`)];
    const names = (filter: string): string[] =>
      arrange(rows, filter, "newest").map((each) => each.name);
    expect(names("v1 alp")).toEqual(["v1-alpine"]);
    expect(names("cccccc")).toEqual(["alpine"]);
    expect(names("sha256:cccccccc")).toEqual(["alpine"]);
    expect(names("")).toEqual(["v1-alpine", "v1", "alpine"]);
  });

  it("has the highest version first, after names", () => {
    const rows = ["1.9", "1.10", "main", "latest"].map((name) => row(name));
    expect(arrange(rows, "", "version").map((each) => each.name)).toEqual([
      "latest",
      "main",
      "1.10",
      "1.9",
    ]);
  });
});
