import { describe, expect, it } from "vitest";
import { compareImages, compareLayers, environment } from "../../src/model/compare";
import { commandOf, sharing, steps, totalSize } from "../../src/model/layers";
import { type Descriptor, parseConfig, parseManifest } from "../../src/model/manifest";

const layer = (name: string, size = 10): Descriptor => ({
  mediaType: "",
  digest: `sha256:${name}`,
  size,
  artifactType: "",
  annotations: {},
  platform: null,
});
const config = (value: object) => parseConfig(JSON.stringify(value));

describe("what others wrote", () => {
  it.each([
    "",
    "null",
    "[]",
    "7",
    "{",
    '{"layers":7,"config":[],"manifests":{},"annotations":[1]}',
  ])("a manifest %s breaks nothing", (source) => {
    const found = parseManifest(source, "x");
    expect(found.layers).toEqual([]);
    expect(found.config).toBeNull();
    expect(found.isIndex).toBe(false);
  });

  it.each([
    "",
    "[]",
    '{"config":7,"history":{}}',
    '{"config":{"Env":"x","Labels":[],"Cmd":[1]},"history":[null,3]}',
  ])("a config %s breaks nothing", (source) => {
    const found = parseConfig(source);
    expect(found.env).toEqual([]);
    expect(found.labels).toEqual({});
  });

  it("keeps sizes that make no sense out of sums", () => {
    const source = JSON.stringify({
      layers: [
        { digest: "a", size: -5 },
        { digest: "b", size: "9" },
        { digest: "c", size: 3 },
      ],
    });
    expect(totalSize(parseManifest(source, "").layers)).toBe(3);
  });
});

describe("layers", () => {
  const history = [
    { created_by: "/bin/sh -c #(nop) ADD file:1 in / " },
    { created_by: "ENV A=1", empty_layer: true },
    { created_by: "|1 A=b /bin/sh -c make" },
    { created_by: "COPY . /x # buildkit" },
  ];

  it("stand beside the commands that made them", () => {
    const found = steps([layer("1"), layer("2"), layer("3"), layer("4")], config({ history }));
    expect(found.map((step) => [step.number, step.command, step.layer?.digest])).toEqual([
      [1, "ADD file:1 in /", "sha256:1"],
      [0, "ENV A=1", undefined],
      [2, "make", "sha256:2"],
      [3, "COPY . /x", "sha256:3"],
      [4, "", "sha256:4"],
    ]);
  });

  it("shows the comment where there is no command", () => {
    expect(commandOf({ created: "", createdBy: "", comment: "bazel", isEmpty: false })).toBe(
      "bazel",
    );
  });

  it("are own or shared, and both sizes are the whole", () => {
    const blobs = [layer("1", 5), layer("2", 7), layer("2", 7)];
    const found = sharing(blobs, [{ name: "v1", digests: new Set(["sha256:2"]) }]);
    expect(found.sharedSize).toBe(7);
    expect(found.ownSize).toBe(5);
    expect(found.sharedSize + found.ownSize).toBe(totalSize(blobs));
    expect(found.tags.get("sha256:2")).toEqual(["v1"]);
  });
});

describe("a comparison", () => {
  it("has every layer of both, in order", () => {
    const lines = compareLayers(
      [layer("a"), layer("b"), layer("c")],
      [layer("a"), layer("x"), layer("c"), layer("d")],
    );
    expect(lines.map((line) => `${line.change} ${line.layer.digest.slice(7)}`)).toEqual([
      "same a",
      "removed b",
      "added x",
      "same c",
      "added d",
    ]);
  });

  it("says what was added, removed and changed", () => {
    const before = config({
      config: { Env: ["A=1", "B=x=y", "C=1"], Labels: { l: "1" }, Cmd: ["a"] },
    });
    const after = config({
      config: { Env: ["A=1", "B=z", "D=1"], Labels: { l: "1" }, Cmd: ["a", "b"] },
    });
    const manifest = parseManifest("{}", "");
    const found = compareImages({ manifest, config: before }, { manifest, config: after });
    expect(
      found.environment.map((line) => [line.name, line.change, line.before, line.after]),
    ).toEqual([
      ["A", "same", "1", "1"],
      ["B", "changed", "x=y", "z"],
      ["C", "removed", "1", null],
      ["D", "added", null, "1"],
    ]);
    expect(found.labels.map((line) => line.change)).toEqual(["same"]);
    expect(found.settings).toContainEqual({
      name: "Command",
      change: "changed",
      before: '["a"]',
      after: '["a","b"]',
    });
  });

  it("takes names that an object has by itself", () => {
    const found = environment(config({ config: { Env: ["__proto__=1", "toString=2"] } }));
    expect(Object.keys(found).toSorted()).toEqual(["__proto__", "toString"]);
  });
});
