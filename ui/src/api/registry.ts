/** What the page asks the registry for, each answer checked. */

import { attachedPrefix } from "../model/folding";
import { fields, json, list } from "../model/loose";
import { type Descriptor, parseDescriptor } from "../model/manifest";
import * as answers from "./answers";
import { type Ask, currentSession, nextOf, type Page, request } from "./client";
import { DigestCache } from "./digest-cache";
import { isAbort } from "./errors";
import type { Shape } from "./shapes";

/** The most bytes of a blob that the registry streams by itself. */
export const INLINE_AT_MOST = 4 * 1024 * 1024;
/** The largest page of tags, and of repositories. */
export const PAGE = 1000;
/** The largest page of manifests in the order of time. */
export const MANIFEST_PAGE = 100;

const MEMORY = 24 * 1024 * 1024;
const known = new DigestCache<RawManifest | Uint8Array>(MEMORY);

const MANIFEST_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "*/*",
].join(", ");

export interface RawManifest {
  digest: string;
  mediaType: string;
  source: string;
}

export type Options = Pick<Ask, "signal" | "isLater">;

/** Forgets all that was read: somebody else may have signed in. */
export function forget(): void {
  known.clear();
}

function reading(repository: string | null, options: Options): Ask {
  return { scope: currentSession().readingScope(repository), ...options };
}

function acr(repository: string, rest = ""): string {
  return `/acr/v1/${encodeURIComponent(repository)}${rest}`;
}

async function get<T>(
  path: string,
  repository: string | null,
  shape: Shape<T>,
  options: Options,
): Promise<T> {
  const answer = await request(path, reading(repository, options));
  return shape(await answer.json(), "answer");
}

async function page<A, T>(
  path: string,
  repository: string | null,
  shape: Shape<A>,
  entries: (answer: A) => T[],
  options: Options,
): Promise<Page<T>> {
  const answer = await request(path, reading(repository, options));
  return { entries: entries(shape(await answer.json(), "answer")), next: nextOf(answer) };
}

// Lists. Each takes the address of the page: the first, or `next` of the one before.

export const firstCatalog = `/acr/v1/_catalog?n=${PAGE}`;
export function catalog(path: string, options: Options = {}): Promise<Page<string>> {
  return page(path, null, answers.catalogPage, (answer) => answer.repositories, options);
}

export function firstTags(
  repository: string,
  orderby: "timedesc" | "" = "timedesc",
  n = PAGE,
): string {
  return acr(repository, `/_tags?n=${n}&orderby=${orderby}`);
}
export function tags(
  repository: string,
  path: string,
  options: Options = {},
): Promise<Page<answers.Tag>> {
  return page(path, repository, answers.tagPage, (answer) => answer.tags, options);
}

export function firstTagNames(repository: string): string {
  return `/v2/${repository}/tags/list?n=${PAGE}`;
}
/** For whoever may pull, but may not read what ACR's own API tells. */
export function tagNames(
  repository: string,
  path: string,
  options: Options = {},
): Promise<Page<string>> {
  return page(path, repository, answers.namePage, (answer) => answer.tags, options);
}

export function firstManifests(repository: string): string {
  return acr(repository, `/_manifests?n=${MANIFEST_PAGE}&orderby=timedesc`);
}
export function manifests(
  repository: string,
  path: string,
  options: Options = {},
): Promise<Page<answers.ManifestFacts>> {
  return page(path, repository, answers.manifestPage, (answer) => answer.manifests, options);
}

export const firstDeletedCatalog = `/acr/v1/_deleted/_catalog?n=${MANIFEST_PAGE}`;
export function deletedCatalog(path: string, options: Options = {}): Promise<Page<string>> {
  return page(path, null, answers.catalogPage, (answer) => answer.repositories, options);
}

export function firstDeleted(repository: string, what: "tags" | "manifests"): string {
  return `/acr/v1/_deleted/${encodeURIComponent(repository)}/_${what}?n=${MANIFEST_PAGE}`;
}
export function deletedTags(
  repository: string,
  path: string,
  options: Options = {},
): Promise<Page<answers.DeletedTag>> {
  return page(path, repository, answers.deletedTagPage, (answer) => answer.tags, options);
}
export function deletedManifests(
  repository: string,
  path: string,
  options: Options = {},
): Promise<Page<answers.DeletedManifest>> {
  return page(path, repository, answers.deletedManifestPage, (answer) => answer.manifests, options);
}

// Usage.

export const firstUsage = "/acr/v1/_usage?n=100";
export interface UsagePage extends Page<answers.Usage> {
  total: answers.Total | null;
}
export async function usagePage(path: string, options: Options = {}): Promise<UsagePage> {
  const answer = await request(path, reading(null, options));
  const found = answers.usagePage(await answer.json(), "answer");
  return { total: found.total, entries: found.repositories, next: nextOf(answer) };
}
/** Of up to 100 repositories. */
export async function usages(names: string[], options: Options = {}): Promise<answers.Usage[]> {
  const query = new URLSearchParams(names.map((name) => ["name", name]));
  return (await usagePage(`/acr/v1/_usage?${query}`, options)).entries;
}
export function usage(repository: string, options: Options = {}): Promise<answers.Usage> {
  return get(acr(repository, "/_usage"), repository, answers.usage, options);
}

// One of them.

export function repository(name: string, options: Options = {}): Promise<answers.Repository> {
  return get(acr(name), name, answers.repository, options);
}
export async function tag(
  repository: string,
  name: string,
  options: Options = {},
): Promise<answers.Tag> {
  return (
    await get(
      acr(repository, `/_tags/${encodeURIComponent(name)}`),
      repository,
      answers.oneTag,
      options,
    )
  ).tag;
}
export async function facts(
  repository: string,
  digest: string,
  options: Options = {},
): Promise<answers.ManifestFacts> {
  const path = acr(repository, `/_manifests/${encodeURIComponent(digest)}`);
  return (await get(path, repository, answers.oneManifest, options)).manifest;
}

/** The tags of older tools that attach something to a digest. */
export async function attachedTags(
  repository: string,
  digest: string,
  options: Options = {},
): Promise<answers.Tag[]> {
  const prefix = attachedPrefix(digest);
  const path = acr(repository, `/_tags?n=10&last=${prefix.slice(0, -1)}`);
  const found = await tags(repository, path, options);
  return found.entries.filter((each) => each.name === prefix || each.name.startsWith(`${prefix}.`));
}

// By digest, and so once.

export function manifest(
  repository: string,
  reference: string,
  options: Options = {},
): Promise<RawManifest> {
  const ask = async (): Promise<RawManifest> => {
    const path = `/v2/${repository}/manifests/${reference}`;
    const answer = await request(path, {
      ...reading(repository, options),
      headers: { Accept: MANIFEST_TYPES },
    });
    const mediaType = answer.headers.get("content-type") ?? "";
    const digest = answer.headers.get("docker-content-digest") ?? reference;
    return { digest, mediaType, source: await answer.text() };
  };
  if (!reference.includes(":")) {
    return ask();
  }
  return once(`${repository}@${reference}`, ask, (found) => found.source.length * 2, options);
}

export function blob(
  repository: string,
  digest: string,
  options: Options = {},
): Promise<Uint8Array> {
  const ask = async (): Promise<Uint8Array> => {
    const path = `/v2/${repository}/blobs/${digest}`;
    const answer = await request(path, {
      ...reading(repository, options),
      headers: { "Slipway-Inline": "1" },
    });
    return new Uint8Array(await answer.arrayBuffer());
  };
  return once(`${repository}/${digest}`, ask, (found) => found.byteLength, options);
}

/** If another who asked for the same gave up, it is asked for again. */
async function once<T extends RawManifest | Uint8Array>(
  key: string,
  ask: () => Promise<T>,
  bytesOf: (value: T) => number,
  options: Options,
): Promise<T> {
  const number = currentSession().number;
  for (;;) {
    try {
      return (await known.get(`${number} ${key}`, ask, (value) => bytesOf(value as T))) as T;
    } catch (error) {
      if (!isAbort(error) || options.signal?.aborted !== false) {
        throw error;
      }
    }
  }
}

/** What refers to a digest, of all pages. */
export async function referrers(
  repository: string,
  digest: string,
  options: Options = {},
): Promise<Descriptor[]> {
  const found: Descriptor[] = [];
  let path = `/v2/${repository}/referrers/${digest}`;
  while (path) {
    const answer = await request(path, reading(repository, options));
    const entries = list(fields(json(await answer.text()))["manifests"]).map(parseDescriptor);
    found.push(...entries.filter((each) => each !== null));
    path = nextOf(answer);
  }
  return found;
}
