/** What something is, from its media types: a word for people, and the tool that gets it. */

export type Tool = "image" | "chart" | "artefact";

export interface Kind {
  word: string;
  tool: Tool;
}

interface Types {
  mediaType: string;
  artifactType?: string | undefined;
  configMediaType?: string | undefined;
}

const IMAGE: Kind = { word: "image", tool: "image" };
const INDEX: Kind = { word: "index", tool: "image" };
const CHART: Kind = { word: "Helm chart", tool: "chart" };

/** The first that fits the type of the artefact, of the config, or of a layer. */
const KINDS: [RegExp, string][] = [
  [/^application\/vnd\.cncf\.notary\.signature/, "Notation signature"],
  [/^application\/vnd\.dev\.cosign\.(?:artifact\.sig|simplesigning)/, "cosign signature"],
  [/^application\/vnd\.dev\.sigstore\.bundle/, "Sigstore bundle"],
  [/^application\/(?:vnd\.in-toto|vnd\.dsse|.*in-toto)/, "attestation"],
  [/spdx/, "SPDX SBOM"],
  [/cyclonedx/, "CycloneDX SBOM"],
  [/syft|sbom/, "SBOM"],
  [/sarif/, "scan report"],
  [/^application\/vnd\.microsoft\.artifact\.lifecycle/, "lifecycle mark"],
  [/^application\/vnd\.buildkit\.cacheconfig/, "build cache"],
  [/wasm/, "WebAssembly module"],
  [/^application\/vnd\.cncf\.flux/, "Flux artefact"],
  [/^application\/vnd\.cncf\.openpolicyagent/, "OPA policy"],
  [/^application\/vnd\.docker\.plugin/, "Docker plugin"],
];

function isIndexType(mediaType: string): boolean {
  return /image\.index|manifest\.list/.test(mediaType);
}

/** The word for one type of an artefact; null if it is not known. */
export function wordOf(type: string): string | null {
  return KINDS.find(([pattern]) => pattern.test(type))?.[1] ?? null;
}

export function kindOf({ mediaType, artifactType = "", configMediaType = "" }: Types): Kind {
  const type = artifactType || configMediaType;
  if (/^application\/vnd\.cncf\.helm\.config/.test(type)) {
    return CHART;
  }
  const word = wordOf(type);
  if (word) {
    return { word, tool: "artefact" };
  }
  if (isIndexType(mediaType)) {
    return artifactType ? { word: artifactType, tool: "artefact" } : INDEX;
  }
  if (/container\.image|image\.config|^$/.test(type)) {
    return IMAGE;
  }
  const isEmpty = type === "application/vnd.oci.empty.v1+json";
  return { word: isEmpty ? "artefact" : type, tool: "artefact" };
}
