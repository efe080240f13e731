/** Two images for the same platform, of two tags or digests. */

import type * as registry from "../../api/registry";
import type { Image } from "../../model/compare";
import type { Descriptor } from "../../model/manifest";
import { attestedDigest, platformText } from "../../model/platforms";
import { loadManifest } from "../image/load";

export interface Side {
  digest: string;
  /** Of an index: the platforms that it has. */
  platforms: string[];
  image: Image;
  /** Of the image that is compared. */
  imageDigest: string;
}

export interface Sides {
  before: Side;
  after: Side;
  /** What both have; empty where neither is an index. */
  platforms: string[];
}

interface Found {
  digest: string;
  images: Descriptor[];
  image: Image;
}

async function find(
  repository: string,
  reference: string,
  options: registry.Options,
): Promise<Found> {
  const { digest, manifest, config } = await loadManifest(repository, reference, options);
  const images = manifest.manifests.filter((each) => attestedDigest(each.annotations) === null);
  return { digest, images, image: { manifest, config } };
}

export async function loadSides(
  repository: string,
  before: string,
  after: string,
  wanted: string,
  options: registry.Options,
): Promise<Sides> {
  const [one, other] = await Promise.all([
    find(repository, before, options),
    find(repository, after, options),
  ]);
  const platforms = shared(namesOf(one), namesOf(other));
  const platform = platforms.includes(wanted) ? wanted : (platforms[0] ?? "");
  const sides = await Promise.all(
    [one, other].map((found) => narrow(repository, found, platform, options)),
  );
  const [left, right] = sides as [Side, Side];
  return { before: left, after: right, platforms };
}

function namesOf(found: Found): string[] {
  const own = platformText(found.image.config?.platform);
  return found.image.manifest.isIndex
    ? found.images.map((each) => platformText(each.platform))
    : [own];
}

function shared(one: string[], other: string[]): string[] {
  return [...new Set(one)].filter((name) => name !== "" && other.includes(name));
}

async function narrow(
  repository: string,
  found: Found,
  platform: string,
  options: registry.Options,
): Promise<Side> {
  const platforms = namesOf(found);
  const child =
    found.images.find((each) => platformText(each.platform) === platform) ?? found.images[0];
  if (!found.image.manifest.isIndex || !child) {
    return { digest: found.digest, platforms, image: found.image, imageDigest: found.digest };
  }
  const { manifest, config } = await loadManifest(repository, child.digest, options);
  return {
    digest: found.digest,
    platforms,
    image: { manifest, config },
    imageDigest: child.digest,
  };
}
