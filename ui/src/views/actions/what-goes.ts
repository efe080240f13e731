/** What a deletion takes along, and what it leaves, found out before anybody is asked. */

import { ForbiddenError } from "../../api/errors";
import * as registry from "../../api/registry";
import { attached } from "../../model/folding";
import { kindOf } from "../../model/kinds";
import type { Descriptor } from "../../model/manifest";

export interface Goes {
  tags: string[];
  /** Whether what refers to it could be looked at. */
  isReadable: boolean;
  /** The bytes that it needs; what others need as well is not freed. */
  size: number;
  /** Manifests of the index, which stay. */
  children: number;
  /** What refers to it, and stays without what it refers to. */
  referrers: Descriptor[];
  /** Tags of older tools that stay as well. */
  attached: string[];
  /** Indexes that would lack it. */
  parents: string[];
  /** Whether all indexes of the repository were looked at. */
  isWhole: boolean;
}

/** The most pages of manifests that are looked through for indexes. */
const PAGES = 10;

export async function whatGoes(
  repository: string,
  digest: string,
  signal: AbortSignal,
): Promise<Goes> {
  const [facts, referrers, tags, needing] = await Promise.all([
    registry.facts(repository, digest, { signal }),
    referrersOf(repository, digest, signal),
    registry.attachedTags(repository, digest, { signal }),
    parentsOf(repository, digest, signal),
  ]);
  return {
    isReadable: referrers !== null,
    tags: facts.tags,
    size: facts.imageSize,
    children: facts.references.length,
    referrers: referrers ?? [],
    attached: tags.map((tag) => attached(tag.name)?.what ?? tag.name),
    ...needing,
  };
}

/** Null for whoever may delete, but not pull. */
async function referrersOf(
  repository: string,
  digest: string,
  signal: AbortSignal,
): Promise<Descriptor[] | null> {
  try {
    return await registry.referrers(repository, digest, { signal });
  } catch (error) {
    if (error instanceof ForbiddenError) {
      return null;
    }
    throw error;
  }
}

/** The indexes that hold a manifest. A look, and no lock: what is pushed after it is not seen. */
export async function parentsOf(
  repository: string,
  digest: string,
  signal: AbortSignal,
): Promise<{ parents: string[]; isWhole: boolean }> {
  const parents: string[] = [];
  let path = registry.firstManifests(repository);
  for (let page = 0; page < PAGES && path; page += 1) {
    const found = await registry.manifests(repository, path, { signal });
    const indexes = found.entries.filter(
      (each) => kindOf(each).word === "index" && each.digest !== digest,
    );
    const looked = await Promise.all(
      indexes.map((index) => registry.facts(repository, index.digest, { signal, isLater: true })),
    );
    const having = looked.filter((index) =>
      index.references.some((child) => child.digest === digest),
    );
    parents.push(...having.map((index) => index.digest));
    path = found.next;
  }
  return { parents, isWhole: path === "" };
}
