/** Small blobs, decoded: signatures, attestations, SBOMs, and what else is text. */

import { type Fields, fields, json, list, text, texts } from "./loose";

export interface Fact {
  name: string;
  value: string;
}

export interface Package {
  name: string;
  version: string;
  license: string;
}

export interface Content {
  /** What it is, in a word; empty for plain text and JSON. */
  word: string;
  facts: Fact[];
  packages: Package[];
  /** Its text, JSON indented; null if it is none. */
  source: string | null;
}

const BINARY: Content = { word: "", facts: [], packages: [], source: null };
/** How often one envelope may hold another. */
const DEEPEST = 4;

/** What the bytes of a blob say. */
export function decode(bytes: Uint8Array): Content {
  const source = decodeText(bytes);
  return source === null ? BINARY : decodeSource(source, DEEPEST);
}

function decodeText(bytes: Uint8Array): string | null {
  try {
    const source = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return source.includes("\0") ? null : source;
  } catch {
    return null;
  }
}

function decodeSource(source: string, depth: number): Content {
  const parsed = json(source);
  if (typeof parsed !== "object" || parsed === null) {
    return { word: "", facts: [], packages: [], source };
  }
  const indented = JSON.stringify(parsed, null, 2);
  return decodeObject(fields(parsed), indented, depth);
}

function decodeObject(found: Fields, source: string, depth: number): Content {
  const plain: Content = { word: "", facts: [], packages: [], source };
  if (found["payloadType"] && typeof found["payload"] === "string" && depth > 0) {
    return envelope(found, depth);
  }
  if (found["dsseEnvelope"] && depth > 0) {
    const inner = decodeObject(fields(found["dsseEnvelope"]), source, depth - 1);
    return {
      ...inner,
      facts: [{ name: "Bundle", value: text(found["mediaType"]) }, ...inner.facts],
    };
  }
  if (text(found["_type"]).startsWith("https://in-toto.io/Statement")) {
    return statement(found, source);
  }
  if (found["spdxVersion"]) {
    return spdx(found, source);
  }
  if (found["bomFormat"] === "CycloneDX") {
    return cycloneDx(found, source);
  }
  if (found["apiVersion"] && found["name"] && found["version"]) {
    return chart(found, source);
  }
  return fields(found["critical"])["identity"] ? simpleSigning(found, source) : plain;
}

/** What `Chart.yaml` says, which is the config of a chart. */
function chart(found: Fields, source: string): Content {
  const people = list(found["maintainers"]).map((each) => text(fields(each)["name"]));
  const needed = list(found["dependencies"])
    .map(fields)
    .map((each) => `${text(each["name"])} ${text(each["version"])}`.trim());
  const facts = known([
    { name: "Chart", value: `${text(found["name"])} ${text(found["version"])}` },
    { name: "Application", value: text(found["appVersion"]) },
    { name: "Description", value: text(found["description"]) },
    { name: "Kubernetes", value: text(found["kubeVersion"]) },
    { name: "Maintainers", value: people.filter(Boolean).join(", ") },
    { name: "Needs", value: needed.join(", ") },
    { name: "Deprecated", value: found["deprecated"] === true ? "yes" : "" },
  ]);
  return { word: "Helm chart", facts, packages: [], source };
}

function known(facts: Fact[]): Fact[] {
  return facts.filter((fact) => fact.value !== "");
}

function envelope(found: Fields, depth: number): Content {
  const bytes = base64(text(found["payload"]));
  const inner = bytes ? decodeText(bytes) : null;
  const content = inner === null ? BINARY : decodeSource(inner, depth - 1);
  const signatures = list(found["signatures"]).map(fields);
  const keys = signatures.map((each) => text(each["keyid"])).filter(Boolean);
  const facts = known([
    { name: "Envelope", value: `DSSE, ${text(found["payloadType"])}` },
    { name: "Signatures", value: String(signatures.length) },
    { name: "Keys", value: keys.join(", ") },
  ]);
  return {
    ...content,
    word: content.word || "signed payload",
    facts: [...facts, ...content.facts],
  };
}

function base64(source: string): Uint8Array | null {
  try {
    const plain = source.replaceAll("-", "+").replaceAll("_", "/");
    return Uint8Array.from(atob(plain), (each) => each.charCodeAt(0));
  } catch {
    return null;
  }
}

function statement(found: Fields, source: string): Content {
  const predicate = fields(found["predicate"]);
  const subjects = list(found["subject"]).map(fields);
  const run = fields(predicate["runDetails"]);
  const definition = fields(predicate["buildDefinition"]);
  const builder = text(fields(run["builder"] ?? predicate["builder"])["id"]);
  const facts = known([
    { name: "Predicate", value: text(found["predicateType"]) },
    { name: "Subjects", value: subjects.map(subjectText).join(", ") },
    { name: "Builder", value: builder },
    { name: "Build type", value: text(definition["buildType"] ?? predicate["buildType"]) },
  ]);
  const inner =
    predicate["spdxVersion"] || predicate["bomFormat"] ? decodeObject(predicate, source, 0) : null;
  return {
    word: inner ? `attested ${inner.word}` : "in-toto statement",
    facts: [...facts, ...(inner?.facts ?? [])],
    packages: inner?.packages ?? [],
    source,
  };
}

function subjectText(subject: Fields): string {
  const [digest] = Object.entries(fields(subject["digest"]));
  return `${text(subject["name"])}${digest ? ` ${digest[0]}:${text(digest[1])}` : ""}`.trim();
}

function spdx(found: Fields, source: string): Content {
  const info = fields(found["creationInfo"]);
  const packages = list(found["packages"])
    .map(fields)
    .map((each) => ({
      name: text(each["name"]),
      version: text(each["versionInfo"]),
      license: declared(text(each["licenseConcluded"])) || declared(text(each["licenseDeclared"])),
    }));
  const facts = known([
    { name: "Format", value: text(found["spdxVersion"]) },
    { name: "Name", value: text(found["name"]) },
    { name: "Created", value: text(info["created"]) },
    { name: "Creators", value: texts(info["creators"]).join(", ") },
  ]);
  return { word: "SPDX SBOM", facts, packages, source };
}

function declared(license: string): string {
  return license === "NOASSERTION" || license === "NONE" ? "" : license;
}

function cycloneDx(found: Fields, source: string): Content {
  const metadata = fields(found["metadata"]);
  const packages = list(found["components"])
    .map(fields)
    .map((each) => ({
      name: [text(each["group"]), text(each["name"])].filter(Boolean).join("/"),
      version: text(each["version"]),
      license: list(each["licenses"]).map(licenseText).filter(Boolean).join(", "),
    }));
  const facts = known([
    { name: "Format", value: `CycloneDX ${text(found["specVersion"])}` },
    { name: "Name", value: text(fields(metadata["component"])["name"]) },
    { name: "Created", value: text(metadata["timestamp"]) },
  ]);
  return { word: "CycloneDX SBOM", facts, packages, source };
}

function licenseText(entry: unknown): string {
  const license = fields(fields(entry)["license"]);
  return text(fields(entry)["expression"]) || text(license["id"]) || text(license["name"]);
}

function simpleSigning(found: Fields, source: string): Content {
  const critical = fields(found["critical"]);
  const facts = known([
    { name: "Signed digest", value: text(fields(critical["image"])["docker-manifest-digest"]) },
    { name: "Signed as", value: text(fields(critical["identity"])["docker-reference"]) },
    { name: "Type", value: text(critical["type"]) },
  ]);
  return { word: "cosign signature", facts, packages: [], source };
}
