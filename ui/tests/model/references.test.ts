import { describe, expect, it } from "vitest";
import { isDigest, isName, isTag, shortDigest } from "../../src/model/names";
import { isExact, parseReference } from "../../src/model/references";

const D = `sha256:${"0123456789abcdef".repeat(4)}`;

describe("parseReference", () => {
  it.each([
    ["team/app/web:v1", "team/app/web", "v1", null, null],
    [`team/app@${D}`, "team/app", null, D, null],
    [`registry.example.com/team/app:v1@${D}`, "team/app", "v1", D, "registry.example.com"],
    ["localhost:7071/app", "app", null, null, "localhost:7071"],
    ["localhost/app:x", "app", "x", null, "localhost"],
    [D, null, null, D, null],
    [
      "docker pull registry.example.com/team/app:v1",
      "team/app",
      "v1",
      null,
      "registry.example.com",
    ],
    [
      "$ docker run --rm -it registry.example.com/a/b:c sh",
      "a/b",
      "c",
      null,
      "registry.example.com",
    ],
    ["oci://registry.example.com/charts/web", "charts/web", null, null, "registry.example.com"],
    [
      "helm pull oci://r.example.com/charts/web --version 1.2.3+b4",
      "charts/web",
      "1.2.3_b4",
      null,
      "r.example.com",
    ],
    [`FROM r.example.com/team/app@${D} AS build`, "team/app", null, D, "r.example.com"],
    ['  "team/app:v1", ', "team/app", "v1", null, null],
    [`https://r.example.com/v2/team/app/manifests/${D}`, "team/app", null, D, "r.example.com"],
    ["https://r.example.com/acr/v1/team%2Fapp/_tags/v1", "team/app", "v1", null, "r.example.com"],
    [`crane manifest localhost:7071/a@${D}`, "a", null, D, "localhost:7071"],
    ["hello", "hello", null, null, null],
  ])("reads %s", (text, repository, tag, digest, host) => {
    expect(parseReference(text)).toEqual({ repository, tag, digest, host });
  });

  it.each([
    "",
    "   ",
    "Team/App",
    "a//b",
    "a@b@c",
    "sha256:12",
    "x@sha256:zz",
    "-rf /",
    "<b>:1",
    "a b c",
  ])("finds none in %s", (text) => expect(parseReference(text)).toBeNull());

  it("tells a word to search for from a place to go", () => {
    expect(isExact(parseReference("web"))).toBe(false);
    expect(isExact(parseReference("team/web"))).toBe(false);
    expect(isExact(parseReference("web:v1"))).toBe(true);
    expect(isExact(parseReference(D))).toBe(true);
    expect(isExact(null)).toBe(false);
  });
});

describe("the grammar", () => {
  it("takes the names that the registry takes", () => {
    for (const name of ["a", "a/b/c", "a__b", "a-----b", "a.b_c", "0/1"]) {
      expect(isName(name), name).toBe(true);
    }
    for (const name of [
      "",
      "A",
      "a/",
      "/a",
      "a..b",
      "a___b",
      "_usage",
      "-a",
      "a b",
      "a\n",
      "x".repeat(256),
    ]) {
      expect(isName(name), name).toBe(false);
    }
  });

  it("takes tags and digests whole", () => {
    expect(isTag("v1.0_x-y")).toBe(true);
    expect(isTag("-x")).toBe(false);
    expect(isTag("x".repeat(129))).toBe(false);
    expect(isDigest(D)).toBe(true);
    expect(isDigest(`${D}0`)).toBe(false);
    expect(isDigest(D.toUpperCase())).toBe(false);
  });

  it("names the algorithm of a short digest if it is not the usual one", () => {
    expect(shortDigest(D)).toBe("0123456789ab");
    expect(shortDigest(`sha512:${"a".repeat(128)}`)).toBe("sha512:aaaaaaaaaaaa");
  });
});
