/** The grammar of repositories, tags and digests. */

const NAME = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;
const LONGEST_NAME = 255;

export function isName(text: string): boolean {
  return text.length <= LONGEST_NAME && NAME.test(text);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

export function isDigest(text: string): boolean {
  return DIGEST.test(text);
}

/** The first twelve figures of a digest, by which people tell one from another. */
export function shortDigest(digest: string): string {
  const [algorithm = "", value = ""] = digest.split(":", 2);
  return algorithm === "sha256" ? value.slice(0, 12) : digest.slice(0, algorithm.length + 13);
}

/** A hue from 0 to 359, the same for the same digest. */
export function hue(digest: string): number {
  const value = Number.parseInt(digest.slice(digest.indexOf(":") + 1).slice(0, 6), 16);
  return Number.isNaN(value) ? 0 : value % 360;
}
