/** What whoever is signed in may do, so that the page shows nothing in vain. */

import type { Access } from "./jwt";

export interface Rights {
  catalog: boolean;
  deletedCatalog: boolean;
  /** Of repositories by name, by prefix (`team/*`), and of all (`*`). */
  repositories: Access[];
  /** Whether that is all: the registry tells of so many entries at most. */
  isWhole: boolean;
}

const MOST_ENTRIES = 100;

export const NO_RIGHTS: Rights = {
  catalog: false,
  deletedCatalog: false,
  repositories: [],
  isWhole: true,
};

/** For which a token is asked to learn what one may. It is thrown away. */
export const PROBE = "registry:catalog:* registry:deleted_catalog:* repository:*:*";

const READING = "deleted_read,metadata_read,pull";

export function rightsOf(access: Access[]): Rights {
  const registry = new Set(
    access.filter((each) => each.type === "registry").map((each) => each.name),
  );
  const repositories = access.filter((each) => each.type === "repository");
  return {
    catalog: registry.has("catalog"),
    deletedCatalog: registry.has("deleted_catalog"),
    repositories,
    isWhole: repositories.length < MOST_ENTRIES,
  };
}

/** The actions that are allowed on a repository, as far as the entries tell. */
export function actionsOn(rights: Rights, repository: string): ReadonlySet<string> {
  const fitting = rights.repositories.filter((each) => fits(each.name, repository));
  return new Set(fitting.flatMap((each) => each.actions));
}

function fits(pattern: string, repository: string): boolean {
  return pattern.endsWith("*")
    ? repository.startsWith(pattern.slice(0, -1))
    : repository === pattern;
}

/** The repositories, and the prefixes of some, that the rights name. */
export function namesIn(rights: Rights): string[] {
  const names = rights.repositories.map((each) => each.name).filter((name) => name !== "*");
  return [...new Set(names)].sort();
}

/** The scope with which all can be read that whoever is signed in may read. */
export function readerScope(rights: Rights): string {
  const registry = [
    rights.catalog ? "registry:catalog:*" : "",
    rights.deletedCatalog ? "registry:deleted_catalog:*" : "",
  ];
  return [...registry, `repository:*:${READING}`].filter(Boolean).join(" ");
}

/** The scope with which one repository can be read. */
export function repositoryScope(repository: string, actions = READING): string {
  return `repository:${repository}:${actions}`;
}
