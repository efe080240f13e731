/** What people paste: a reference, a digest, an address, or a whole command. */

import { isDigest, isName, isTag } from "./names";

export interface Reference {
  /** Null for a bare digest, which is of the repository that is looked at. */
  repository: string | null;
  tag: string | null;
  digest: string | null;
  /** The host that it names; null if it names none. */
  host: string | null;
}

const SCHEME = /^(?:oci|docker|https?):\/\//;
const API = /^(?:v2|acr\/v1)\/(.+)\/(?:manifests|_tags|_manifests)\/([^/?#]+)/;
/** Looks like a tag of a repository `sha256`, and is the beginning of a digest. */
const PART_OF_DIGEST = /^sha(?:256|512):[0-9a-f]*$/;
const QUOTES = /^["'`(]+|["'`),;]+$/g;

/** The reference in a text, or null if there is none. */
export function parseReference(text: string): Reference | null {
  const words = text.trim().split(/\s+/).filter(Boolean).slice(0, 50);
  if (words.length <= 1) {
    return parseWord(words[0] ?? "");
  }
  const found = words
    .filter((word) => !word.startsWith("-") && /[/:@]/.test(word))
    .map(parseWord)
    .find((reference) => reference !== null);
  return found ? withVersion(found, words) : null;
}

/** `helm pull oci://host/chart --version 1.2.3` names its tag apart. */
function withVersion(reference: Reference, words: string[]): Reference {
  const at = words.indexOf("--version");
  const version = at < 0 ? undefined : words[at + 1]?.replaceAll("+", "_");
  return version && isTag(version) && !reference.tag ? { ...reference, tag: version } : reference;
}

function parseWord(word: string): Reference | null {
  const text = word.replace(QUOTES, "");
  if (isDigest(text)) {
    return { repository: null, tag: null, digest: text, host: null };
  }
  const { host, path } = splitHost(text.replace(SCHEME, ""), SCHEME.test(text));
  return ofApi(path, host) ?? ofPath(path, host);
}

function splitHost(text: string, isAddress: boolean): { host: string | null; path: string } {
  const slash = text.indexOf("/");
  const first = slash < 0 ? "" : text.slice(0, slash);
  const isHost = first !== "" && (isAddress || /[.:]/.test(first) || first === "localhost");
  return isHost ? { host: first, path: text.slice(slash + 1) } : { host: null, path: text };
}

function ofApi(path: string, host: string | null): Reference | null {
  const [, name = "", encoded = ""] = API.exec(path) ?? [];
  const reference = encoded.replace(/%3A/i, ":");
  return name ? checked(name.replace(/%2F/gi, "/"), reference, host) : null;
}

function ofPath(path: string, host: string | null): Reference | null {
  if (PART_OF_DIGEST.test(path)) {
    return null;
  }
  const [before = "", digest, more] = path.split("@");
  if (more !== undefined || (digest !== undefined && !isDigest(digest))) {
    return null;
  }
  const colon = before.indexOf(":", before.lastIndexOf("/"));
  const tag = colon < 0 ? null : before.slice(colon + 1);
  const repository = colon < 0 ? before : before.slice(0, colon);
  if (!isName(repository) || (tag !== null && !isTag(tag))) {
    return null;
  }
  return { repository, tag, digest: digest ?? null, host };
}

function checked(repository: string, reference: string, host: string | null): Reference | null {
  if (!isName(repository)) {
    return null;
  }
  if (isDigest(reference)) {
    return { repository, tag: null, digest: reference, host };
  }
  return isTag(reference) ? { repository, tag: reference, digest: null, host } : null;
}

/** Whether a text is more than a word to search for: it says where to go by itself. */
export function isExact(reference: Reference | null): boolean {
  return reference !== null && Boolean(reference.digest ?? reference.tag ?? reference.host);
}
