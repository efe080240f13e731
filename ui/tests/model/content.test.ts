import { describe, expect, it } from "vitest";
import { decode } from "../../src/model/content";

const bytes = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const encoded = (value: unknown): string => btoa(JSON.stringify(value));
const facts = (value: unknown): Record<string, string> =>
  Object.fromEntries(decode(bytes(value)).facts.map((fact) => [fact.name, fact.value]));

const SPDX = {
  spdxVersion: "SPDX-2.3",
  name: "web",
  packages: [
    { name: "zlib", versionInfo: "1.3", licenseConcluded: "NOASSERTION", licenseDeclared: "Zlib" },
  ],
};
const STATEMENT = {
  _type: "https://in-toto.io/Statement/v1",
  predicateType: "https://slsa.dev/provenance/v1",
  subject: [{ name: "web", digest: { sha256: "ab" } }],
  predicate: {
    buildDefinition: { buildType: "make" },
    runDetails: { builder: { id: "https://ci.example.com" } },
  },
};

describe("decode", () => {
  it("lists the packages of an SPDX document", () => {
    const found = decode(bytes(SPDX));
    expect(found.word).toBe("SPDX SBOM");
    expect(found.packages).toEqual([{ name: "zlib", version: "1.3", license: "Zlib" }]);
  });

  it("lists the components of a CycloneDX document", () => {
    const found = decode(
      bytes({
        bomFormat: "CycloneDX",
        specVersion: "1.6",
        components: [
          {
            group: "org.x",
            name: "y",
            version: "2",
            licenses: [{ license: { id: "MIT" } }, { expression: "A OR B" }],
          },
        ],
      }),
    );
    expect(found.packages).toEqual([{ name: "org.x/y", version: "2", license: "MIT, A OR B" }]);
  });

  it("opens an envelope and what is in it", () => {
    const envelope = {
      payloadType: "application/vnd.in-toto+json",
      payload: encoded(STATEMENT),
      signatures: [{ keyid: "k1" }],
    };
    const found = facts(envelope);
    expect(found["Builder"]).toBe("https://ci.example.com");
    expect(found["Subjects"]).toBe("web sha256:ab");
    expect(found["Keys"]).toBe("k1");
    const bundle = {
      mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
      dsseEnvelope: envelope,
    };
    expect(facts(bundle)["Predicate"]).toBe("https://slsa.dev/provenance/v1");
  });

  it("shows an SBOM that somebody attested", () => {
    const found = decode(
      bytes({ ...STATEMENT, predicateType: "https://spdx.dev/Document", predicate: SPDX }),
    );
    expect(found.word).toBe("attested SPDX SBOM");
    expect(found.packages).toHaveLength(1);
  });

  it("tells what a cosign signature signs", () => {
    const found = facts({
      critical: {
        identity: { "docker-reference": "r/web" },
        image: { "docker-manifest-digest": "sha256:ab" },
        type: "t",
      },
    });
    expect(found["Signed digest"]).toBe("sha256:ab");
  });

  it("tells of a chart in words", () => {
    const found = facts({
      apiVersion: "v2",
      name: "web",
      version: "1.0",
      appVersion: "2",
      dependencies: [{ name: "db", version: "3" }],
    });
    expect(found["Chart"]).toBe("web 1.0");
    expect(found["Needs"]).toBe("db 3");
  });

  it("shows other text as it is, and nothing of what is none", () => {
    expect(decode(bytes("a: 1\n")).source).toBe("a: 1\n");
    expect(decode(Uint8Array.of(0x1f, 0x8b, 0xff, 0)).source).toBeNull();
    expect(decode(bytes("a\0b")).source).toBeNull();
  });

  it("is not led on by envelopes within envelopes", () => {
    let inner: unknown = { a: 1 };
    for (let depth = 0; depth < 40; depth += 1) {
      inner = { payloadType: "x", payload: encoded(inner), signatures: [] };
      if (encoded(inner).length > 1_000_000) {
        break;
      }
    }
    expect(decode(bytes(inner)).facts.length).toBeLessThan(20);
  });

  it.each([
    { payloadType: "x", payload: "***" },
    { _type: "https://in-toto.io/Statement/v1" },
    { spdxVersion: 1, packages: [null, 7] },
    { critical: 1 },
  ])("takes what is half of something: %o", (value) =>
    expect(() => decode(bytes(value))).not.toThrow(),
  );
});
