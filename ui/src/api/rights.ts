/** What whoever is signed in may do, so that the page shows nothing in vain. */

import type { Access } from "./jwt";

export type Action =
  | "pull"
  | "push"
  | "delete"
  | "metadata_read"
  | "metadata_write"
  | "deleted_read"
  | "deleted_restore";

export const ALL: Action[] = [
  "pull",
  "delete",
  "metadata_read",
  "metadata_write",
  "deleted_read",
  "deleted_restore",
];

/** What anybody may do, where anybody may do something. */
export const READING: ReadonlySet<string> = new Set<Action>(["pull", "metadata_read"]);

export interface Rights {
  catalog: boolean;
  deletedCatalog: boolean;
  /** On every repository. */
  everywhere: ReadonlySet<string>;
  /** The repositories that the sign-in names, and prefixes such as `team/*`. */
  named: string[];
  /** Those of which more than the content may be read. */
  detailed: ReadonlySet<string>;
}

export const NO_RIGHTS: Rights = {
  catalog: false,
  deletedCatalog: false,
  everywhere: new Set(),
  named: [],
  detailed: new Set(),
};

/** For which a token is asked to learn what one may. It is thrown away. */
export const PROBE = "registry:catalog:* registry:deleted_catalog:* repository:*:*";

export function rightsOf(access: Access[]): Rights {
  const registry = new Set(
    access.filter((each) => each.type === "registry").map((each) => each.name),
  );
  const repositories = access.filter((each) => each.type === "repository");
  const named = repositories.filter((each) => each.name !== "*");
  const everywhere = repositories
    .filter((each) => each.name === "*")
    .flatMap((each) => each.actions);
  return {
    catalog: registry.has("catalog"),
    deletedCatalog: registry.has("deleted_catalog"),
    everywhere: new Set(everywhere),
    named: [...new Set(named.map((each) => each.name))],
    detailed: new Set(
      named.filter((each) => each.actions.includes("metadata_read")).map((each) => each.name),
    ),
  };
}

/** The scope with which everything can be read, for whoever may read everywhere. */
export function readerScope(rights: Rights): string {
  const registry = [
    rights.catalog ? "registry:catalog:*" : "",
    rights.deletedCatalog ? "registry:deleted_catalog:*" : "",
  ];
  return [...registry, "repository:*:deleted_read,metadata_read,pull"].filter(Boolean).join(" ");
}

/** The scope with which one repository can be read. */
export function repositoryScope(
  repository: string,
  actions = "deleted_read,metadata_read,pull",
): string {
  return `repository:${repository}:${actions}`;
}
