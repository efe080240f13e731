import { describe, expect, it } from "vitest";
import { attached } from "../../src/model/folding";
import { keptBecause, reasonText } from "../../src/model/kept";
import { kindOf } from "../../src/model/kinds";
import { pieces } from "../../src/model/links";
import { attestedDigest, platformsText, platformText } from "../../src/model/platforms";
import { share, size } from "../../src/model/sizes";
import { age, isReproducible } from "../../src/model/times";

const D = `sha256:${"d".repeat(64)}`;
const OCI = "application/vnd.oci.image.manifest.v1+json";

describe("sizes", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.00 kB"],
    [31_415_926, "31.4 MB"],
    [999_499, "999 kB"],
    [999_500, "1.00 MB"],
    [9_994_999, "9.99 MB"],
    [9_996_000, "10.0 MB"],
    [5e15, "5.00 PB"],
  ])("writes %d bytes as %s", (bytes, text) => expect(size(bytes)).toBe(text));

  it("calls nothing that is there nothing", () => {
    expect(share(1, 1_000_000)).toBe("<1 %");
    expect(share(0, 10)).toBe("0 %");
    expect(share(1, 0)).toBe("0 %");
  });
});

describe("times", () => {
  const now = Date.parse("2026-11-28T12:00:00Z");

  it.each([
    ["2026-11-28T11:59:30Z", "30 s"],
    ["2026-11-28T11:01:00Z", "59 min"],
    ["2026-11-27T13:00:00Z", "23 h"],
    ["2026-11-01T12:00:00Z", "27 d"],
    ["2026-06-28T12:00:00Z", "5 mo"],
    ["2020-01-01T00:00:00Z", "6 y"],
    ["2026-11-28T12:05:00Z", "0 s"],
    ["never", "unknown"],
  ])("tells the age of %s", (time, text) => expect(age(time, now)).toBe(text));

  it("knows a build without a time of its own", () => {
    expect(isReproducible("1970-01-01T00:00:00Z")).toBe(true);
    expect(isReproducible("1980-01-01T00:00:01Z")).toBe(true);
    expect(isReproducible("2026-01-01T00:00:00Z")).toBe(false);
    expect(isReproducible("")).toBe(false);
  });
});

describe("platforms", () => {
  it("never calls anything unknown", () => {
    expect(platformText({ os: "linux", architecture: "arm64", variant: "v8" })).toBe(
      "linux/arm64/v8",
    );
    expect(platformText({ os: "unknown", architecture: "unknown" })).toBe("");
    expect(platformText({ os: "windows", architecture: "amd64", "os.version": "10.0" })).toBe(
      "windows/amd64 10.0",
    );
    expect(platformsText(["a", "b", "", "a", "c", "d", "e"])).toBe("a b c +2");
  });

  it("tells an attestation by the builder's own mark", () => {
    const annotations = {
      "vnd.docker.reference.type": "attestation-manifest",
      "vnd.docker.reference.digest": D,
    };
    expect(attestedDigest(annotations)).toBe(D);
    expect(attestedDigest({})).toBeNull();
  });
});

describe("kinds", () => {
  it.each([
    [
      { mediaType: OCI, configMediaType: "application/vnd.oci.image.config.v1+json" },
      "image",
      "image",
    ],
    [{ mediaType: "application/vnd.docker.distribution.manifest.list.v2+json" }, "index", "image"],
    [
      { mediaType: OCI, configMediaType: "application/vnd.cncf.helm.config.v1+json" },
      "Helm chart",
      "chart",
    ],
    [
      { mediaType: OCI, artifactType: "application/vnd.cncf.notary.signature" },
      "Notation signature",
      "artefact",
    ],
    [
      { mediaType: OCI, artifactType: "application/vnd.dev.sigstore.bundle.v0.3+json" },
      "Sigstore bundle",
      "artefact",
    ],
    [{ mediaType: OCI, artifactType: "application/spdx+json" }, "SPDX SBOM", "artefact"],
    [
      { mediaType: OCI, artifactType: "application/vnd.example.thing" },
      "application/vnd.example.thing",
      "artefact",
    ],
    [
      { mediaType: OCI, configMediaType: "application/vnd.oci.empty.v1+json" },
      "artefact",
      "artefact",
    ],
  ])("tells what %o is", (types, word, tool) => expect(kindOf(types)).toEqual({ word, tool }));
});

describe("what is attached by a tag", () => {
  it("reads the tags of older tools", () => {
    const hex = "d".repeat(64);
    expect(attached(`sha256-${hex}.sbom`)).toEqual({ subject: D, what: "SBOM" });
    expect(attached(`sha256-${hex}`)).toEqual({ subject: D, what: "list of referrers" });
    expect(attached("sha256-short.sig")).toBeNull();
    expect(attached(`v1-sha256-${hex}`)).toBeNull();
  });
});

it("finds digests in text and loses nothing of it", () => {
  const text = `{"a":"${D}","b":"${D}x"}`;
  const found = pieces(text);
  expect(found.map((piece) => piece.text).join("")).toBe(text);
  expect(found.filter((piece) => piece.digest)).toEqual([{ text: D, digest: D }]);
});

it("says why a manifest without a tag is kept", () => {
  const now = Date.parse("2026-11-28T12:00:00Z");
  const old = { parents: [], subject: null, isLocked: false, updated: "2026-01-01T00:00:00Z" };
  expect(keptBecause(old, now)).toEqual([]);
  const all = { parents: [D], subject: D, isLocked: true, updated: "2026-11-28T11:00:00Z" };
  expect(keptBecause(all, now).map(reasonText)).toEqual([
    "child of index dddddddddddd",
    "refers to dddddddddddd",
    "locked",
    "touched lately",
  ]);
});
