/** Layers of an image with what made them, and with who else has them. */

import type { Descriptor, HistoryEntry, ImageConfig } from "./manifest";

export interface Step {
  /** From 1; 0 for a step that made no layer. */
  number: number;
  command: string;
  created: string;
  layer: Descriptor | null;
}

const SHELL = /^(?:\|\d+ (?:[A-Za-z_]\w*=\S* )*)?\/bin\/sh -c (?:#\(nop\)\s*)?/;
const COMMENT = /\s+# buildkit$/;

/** The command of an entry of the history, without what the builder puts around it. */
export function commandOf(entry: HistoryEntry): string {
  return entry.createdBy.replace(SHELL, "").replace(COMMENT, "").trim() || entry.comment;
}

/** The history step by step, each with the layer that it made; layers without history follow. */
export function steps(layers: Descriptor[], config: ImageConfig | null): Step[] {
  const found: Step[] = [];
  let made = 0;
  for (const entry of config?.history ?? []) {
    const layer = entry.isEmpty ? null : (layers[made] ?? null);
    made += Number(layer !== null);
    found.push({
      number: layer ? made : 0,
      command: commandOf(entry),
      created: entry.created,
      layer,
    });
  }
  const rest = layers
    .slice(made)
    .map((layer, at) => ({ number: made + at + 1, command: "", created: "", layer }));
  return [...found, ...rest];
}

export interface Neighbour {
  /** Its tag. */
  name: string;
  digests: ReadonlySet<string>;
}

export interface Sharing {
  /** The tags that have a layer as well, by its digest. */
  tags: Map<string, string[]>;
  sharedSize: number;
  ownSize: number;
}

/** What of the blobs the neighbours have as well; each blob counts once. */
export function sharing(blobs: Descriptor[], neighbours: Neighbour[]): Sharing {
  const tags = new Map<string, string[]>();
  let sharedSize = 0;
  let ownSize = 0;
  for (const blob of blobs) {
    if (tags.has(blob.digest)) {
      continue;
    }
    const having = neighbours
      .filter((each) => each.digests.has(blob.digest))
      .map((each) => each.name);
    tags.set(blob.digest, having);
    sharedSize += having.length ? blob.size : 0;
    ownSize += having.length ? 0 : blob.size;
  }
  return { tags, sharedSize, ownSize };
}

/** The bytes of descriptors, each blob once. */
export function totalSize(blobs: Descriptor[]): number {
  const sizes = new Map(blobs.map((blob) => [blob.digest, blob.size]));
  return [...sizes.values()].reduce((sum, each) => sum + each, 0);
}
