/** The layers of other tags, to see what an image shares with them. */

import * as registry from "../../api/registry";
import { attached } from "../../model/folding";
import type { Neighbour } from "../../model/layers";
import { type Manifest, parseManifest } from "../../model/manifest";
import { attestedDigest, type Platform, platformText } from "../../model/platforms";

export interface Neighbours {
  found: Neighbour[];
  /** How many tags were looked at. */
  looked: number;
}

/** Of the newest tags: the layers of their images for the same platform. */
export async function loadNeighbours(
  repository: string,
  digest: string,
  platform: Platform | null,
  most: number,
  signal: AbortSignal,
): Promise<Neighbours> {
  const options = { signal, isLater: true };
  const page = await registry.tags(
    repository,
    registry.firstTags(repository, "timedesc", most),
    options,
  );
  const names = new Map<string, string>();
  for (const tag of page.entries) {
    if (!names.has(tag.digest) && tag.digest !== digest && !attached(tag.name)) {
      names.set(tag.digest, tag.name);
    }
  }
  const found = await Promise.all(
    [...names].map(async ([each, name]): Promise<Neighbour> => {
      const manifest = await ofPlatform(repository, each, digest, platform, options);
      return { name, digests: new Set(manifest?.layers.map((layer) => layer.digest)) };
    }),
  );
  return { found, looked: page.entries.length };
}

/** The manifest itself, or the one that an index has for the platform; null if it is `own`. */
async function ofPlatform(
  repository: string,
  digest: string,
  own: string,
  platform: Platform | null,
  options: registry.Options,
): Promise<Manifest | null> {
  try {
    const raw = await registry.manifest(repository, digest, options);
    const manifest = parseManifest(raw.source, raw.mediaType);
    if (!manifest.isIndex) {
      return manifest;
    }
    const wanted = platformText(platform);
    const images = manifest.manifests.filter((each) => attestedDigest(each.annotations) === null);
    const child = images.find((each) => platformText(each.platform) === wanted);
    if (!child || images.some((each) => each.digest === own)) {
      return null;
    }
    const inner = await registry.manifest(repository, child.digest, options);
    return parseManifest(inner.source, inner.mediaType);
  } catch (error) {
    options.signal?.throwIfAborted();
    // A tag that is locked against pulls, or that has just gone, is no neighbour.
    void error;
    return null;
  }
}
