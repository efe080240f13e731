/** Repositories as a tree of the levels of their names. */

import { compareNatural } from "./versions";

interface Node {
  /** The name up to this level. */
  path: string;
  isRepository: boolean;
  children: Map<string, Node>;
  /** Repositories here and below. */
  count: number;
}

export interface TreeRow {
  path: string;
  /** The levels that the row adds to the one above it. */
  label: string;
  depth: number;
  isRepository: boolean;
  /** Repositories below; 0 for a leaf. */
  below: number;
  isOpen: boolean;
}

/** The most repositories with which the whole tree is open at first. */
export const OPEN_AT_MOST = 200;

function build(names: Iterable<string>): Node {
  const root: Node = { path: "", isRepository: false, children: new Map(), count: 0 };
  for (const name of names) {
    let node = root;
    node.count += 1;
    for (const part of name.split("/")) {
      let child = node.children.get(part);
      if (!child) {
        const path = node.path ? `${node.path}/${part}` : part;
        child = { path, isRepository: false, children: new Map(), count: 0 };
        node.children.set(part, child);
      }
      child.count += 1;
      node = child;
    }
    node.isRepository = true;
  }
  return root;
}

/** The rows of the tree, from the top down; what is in `turned` is open if others are closed. */
export function treeRows(names: string[], filter: string, turned: ReadonlySet<string>): TreeRow[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const matching = words.length
    ? names.filter((name) => words.every((word) => name.includes(word)))
    : names;
  const isOpenFirst = words.length > 0 || names.length <= OPEN_AT_MOST;
  const rows: TreeRow[] = [];
  const isOpen = (node: Node): boolean => turned.has(node.path) !== isOpenFirst;
  addChildren(build(matching), 0, isOpen, rows);
  return rows;
}

function addChildren(
  node: Node,
  depth: number,
  isOpen: (node: Node) => boolean,
  rows: TreeRow[],
): void {
  const children = [...node.children.values()].sort((one, other) =>
    compareNatural(one.path, other.path),
  );
  for (const child of children) {
    const shown = throughSingles(child);
    const below = shown.count - Number(shown.isRepository);
    const open = below > 0 && isOpen(shown);
    const label = node.path ? shown.path.slice(node.path.length + 1) : shown.path;
    rows.push({
      path: shown.path,
      label,
      depth,
      isRepository: shown.isRepository,
      below,
      isOpen: open,
    });
    if (open) {
      addChildren(shown, depth + 1, isOpen, rows);
    }
  }
}

/** Levels with one child and nothing else take no row of their own. */
function throughSingles(node: Node): Node {
  let shown = node;
  while (!shown.isRepository && shown.children.size === 1) {
    const [only] = shown.children.values();
    if (!only) {
      break;
    }
    shown = only;
  }
  return shown;
}
