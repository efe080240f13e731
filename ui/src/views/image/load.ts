/** What the view of an image is made of. */

import type { ManifestFacts, Tag } from "../../api/answers";
import * as registry from "../../api/registry";
import { type Kind, kindOf } from "../../model/kinds";
import { type ImageConfig, type Manifest, parseConfig, parseManifest } from "../../model/manifest";

export interface Loaded {
  digest: string;
  /** As it was pushed; null for whoever may not pull. */
  source: string | null;
  manifest: Manifest;
  kind: Kind;
  /** Of an image alone. */
  config: ImageConfig | null;
  /** Null for whoever may only pull. */
  facts: ManifestFacts | null;
  tag: Tag | null;
}

/** A manifest that is looked at, with its config. */
export async function loadManifest(
  repository: string,
  reference: string,
  options: registry.Options,
): Promise<Pick<Loaded, "digest" | "source" | "manifest" | "kind" | "config">> {
  const raw = await registry.manifest(repository, reference, options);
  const manifest = parseManifest(raw.source, raw.mediaType);
  const kind = kindOf({
    mediaType: manifest.mediaType,
    artifactType: manifest.artifactType,
    configMediaType: manifest.config?.mediaType,
  });
  const config = kind.word === "image" ? await loadConfig(repository, manifest, options) : null;
  return { digest: raw.digest, source: raw.source, manifest, kind, config };
}

async function loadConfig(
  repository: string,
  manifest: Manifest,
  options: registry.Options,
): Promise<ImageConfig | null> {
  const { config } = manifest;
  if (!config || config.size > registry.INLINE_AT_MOST) {
    return null;
  }
  const bytes = await registry.blob(repository, config.digest, options);
  return parseConfig(new TextDecoder().decode(bytes));
}

/** What may be read of a repository. */
export interface Reading {
  pull: boolean;
  readMetadata: boolean;
}

export async function loadImage(
  repository: string,
  tag: string | null,
  digest: string | null,
  may: Reading,
  signal: AbortSignal,
): Promise<Loaded> {
  const options = { signal };
  if (!may.pull) {
    return await loadFacts(repository, tag, digest ?? "", options);
  }
  const [found, named] = await Promise.all([
    loadManifest(repository, digest ?? tag ?? "", options),
    tag !== null && may.readMetadata ? registry.tag(repository, tag, options) : null,
  ]);
  const facts = may.readMetadata ? await registry.facts(repository, found.digest, options) : null;
  return { ...found, facts, tag: named };
}

/** For whoever may read what is told of a manifest, but not the manifest. */
async function loadFacts(
  repository: string,
  name: string | null,
  digest: string,
  options: registry.Options,
): Promise<Loaded> {
  const tag = name === null ? null : await registry.tag(repository, name, options);
  const facts = await registry.facts(repository, tag?.digest ?? digest, options);
  const manifest = parseManifest("", facts.mediaType);
  const kind = kindOf(facts);
  return { digest: facts.digest, source: null, manifest, kind, config: null, facts, tag };
}
