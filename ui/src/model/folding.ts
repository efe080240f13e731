/** Tags by which older tools attach signatures: named after the digest of what they belong to. */

const NAMED = /^(sha256|sha512)-([0-9a-f]{64,128})(?:\.(sig|att|sbom))?$/;
const WORDS: Record<string, string> = { sig: "signature", att: "attestation", sbom: "SBOM" };

export interface Attached {
  subject: string;
  what: string;
}

/** What a tag is attached to, or null if it is an ordinary tag. */
export function attached(tag: string): Attached | null {
  const [, algorithm, value, ending = ""] = NAMED.exec(tag) ?? [];
  if (!algorithm || !value) {
    return null;
  }
  return { subject: `${algorithm}:${value}`, what: WORDS[ending] ?? "list of referrers" };
}

/** What the tags of something attached to a digest begin with. */
export function attachedPrefix(digest: string): string {
  return digest.replace(":", "-");
}
