/** Platforms of images, and the attestations that builders put beside them. */

export interface Platform {
  os?: string | undefined;
  architecture?: string | undefined;
  variant?: string | undefined;
  "os.version"?: string | undefined;
}

/** `linux/arm64/v8`; empty if nothing is known. */
export function platformText(platform: Platform | null | undefined): string {
  const parts = [platform?.os, platform?.architecture, platform?.variant];
  const known = parts.filter((part) => part && part !== "unknown");
  const version = platform?.["os.version"];
  return known.join("/") + (known.length && version ? ` ${version}` : "");
}

/** The digest of the image that an entry of an index is an attestation of; else null. */
export function attestedDigest(annotations: Record<string, string>): string | null {
  const isAttestation = annotations["vnd.docker.reference.type"] === "attestation-manifest";
  return isAttestation ? (annotations["vnd.docker.reference.digest"] ?? "") : null;
}

/** The platforms of a list in few words: the first ones, and how many more. */
export function platformsText(platforms: string[], most = 3): string {
  const known = [...new Set(platforms.filter(Boolean))];
  const more = known.length - most;
  return known.slice(0, most).join(" ") + (more > 0 ? ` +${more}` : "");
}
