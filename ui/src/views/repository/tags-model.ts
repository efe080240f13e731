/** The rows of a list of tags, from what has been loaded of it. */

import type { Attributes, Tag } from "../../api/answers";
import { attached } from "../../model/folding";
import { compareVersions } from "../../model/versions";

export interface TagRow {
  name: string;
  /** Empty for whoever may only list names. */
  digest: string;
  updated: string;
  attributes: Attributes | null;
}

export type Order = "newest" | "oldest" | "version";

export interface Folded {
  rows: TagRow[];
  /** What is attached to a digest by tags that are not shown themselves. */
  attachedTo: Map<string, string[]>;
  /** How many tags are not shown because of that. */
  hidden: number;
}

export function ofTag(tag: Tag): TagRow {
  return {
    name: tag.name,
    digest: tag.digest,
    updated: tag.lastUpdateTime,
    attributes: tag.changeableAttributes,
  };
}

export function ofName(name: string): TagRow {
  return { name, digest: "", updated: "", attributes: null };
}

/** Tags of signatures and the like go under what they belong to. */
export function fold(tags: TagRow[]): Folded {
  const rows: TagRow[] = [];
  const attachedTo = new Map<string, string[]>();
  for (const tag of tags) {
    const found = attached(tag.name);
    if (found) {
      attachedTo.set(found.subject, [...(attachedTo.get(found.subject) ?? []), found.what]);
    } else {
      rows.push(tag);
    }
  }
  return { rows, attachedTo, hidden: tags.length - rows.length };
}

/** Those in whose names all words are, in the order that is wanted. */
export function arrange(rows: TagRow[], filter: string, order: Order): TagRow[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const found = words.length ? rows.filter((row) => fits(row, words)) : rows;
  switch (order) {
    case "newest":
      return found;
    case "oldest":
      return found.toReversed();
    case "version":
      return found.toSorted((one, other) => versionFirst(one.name, other.name));
  }
}

/** A digest, or the beginning of one, finds its tags as well. */
function fits(row: TagRow, words: string[]): boolean {
  const name = row.name.toLowerCase();
  const value = row.digest.slice(row.digest.indexOf(":") + 1);
  return words.every((word) => {
    const plain = word.replace(/^sha\d+:/, "");
    return name.includes(word) || (plain.length >= 6 && value.startsWith(plain));
  });
}

/** Names such as `latest` first, then versions, the highest first. */
function versionFirst(one: string, other: string): number {
  const isOne = /^v?\d/i.test(one);
  const isOther = /^v?\d/i.test(other);
  if (isOne !== isOther) {
    return isOne ? 1 : -1;
  }
  return isOne ? compareVersions(other, one) : compareVersions(one, other);
}

export function isLocked(attributes: Attributes | null): boolean {
  return attributes !== null && !(attributes.writeEnabled && attributes.deleteEnabled);
}
