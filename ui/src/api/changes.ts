/** What changes the registry. Each has a token of its own, asked for when the person has confirmed. */

import * as answers from "./answers";
import { request } from "./client";
import { ApiError } from "./errors";
import { repositoryScope } from "./rights";

function acr(repository: string, rest = ""): string {
  return `/acr/v1/${encodeURIComponent(repository)}${rest}`;
}

export async function untag(repository: string, tag: string): Promise<void> {
  const path = acr(repository, `/_tags/${encodeURIComponent(tag)}`);
  await request(path, {
    scope: repositoryScope(repository, "delete"),
    method: "DELETE",
    isOnce: true,
  });
}

export async function deleteManifest(repository: string, digest: string): Promise<void> {
  const path = `/v2/${repository}/manifests/${digest}`;
  await request(path, {
    scope: repositoryScope(repository, "delete"),
    method: "DELETE",
    isOnce: true,
  });
}

export interface Deleted extends answers.DeletedRepository {
  /** Whether that is all: what earlier requests deleted is not told again. */
  isWhole: boolean;
}

/** So often a deletion that takes longer than one request is gone on with. */
const REPEATS = 60;
const LONGEST_PAUSE = 10;

/** Deletes a repository with all that is in it; a large one takes several requests. */
export async function deleteRepository(repository: string): Promise<Deleted> {
  for (let repeat = 0; ; repeat += 1) {
    try {
      return { ...(await deleteOnce(repository)), isWhole: repeat === 0 };
    } catch (error) {
      if (!(error instanceof ApiError)) {
        throw error;
      }
      if (repeat > 0 && error.status === 404) {
        return { manifestsDeleted: [], tagsDeleted: [], isWhole: false };
      }
      if (error.status !== 503 || error.retryAfter === 0 || repeat >= REPEATS) {
        throw error;
      }
      const seconds = Math.min(error.retryAfter, LONGEST_PAUSE);
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    }
  }
}

async function deleteOnce(repository: string): Promise<answers.DeletedRepository> {
  const scope = repositoryScope(repository, "delete");
  const answer = await request(acr(repository), { scope, method: "DELETE", isOnce: true });
  return answers.deletedRepository(await answer.json(), "answer");
}

export type Lockable =
  | { kind: "repository" }
  | { kind: "tag"; tag: string }
  | { kind: "manifest"; digest: string };

export async function setAttributes(
  repository: string,
  what: Lockable,
  wanted: Partial<answers.Attributes>,
): Promise<void> {
  const scope = repositoryScope(repository, "metadata_write");
  await request(acr(repository, restOf(what)), {
    scope,
    method: "PATCH",
    body: wanted,
    isOnce: true,
  });
}

function restOf(what: Lockable): string {
  switch (what.kind) {
    case "repository":
      return "";
    case "tag":
      return `/_tags/${encodeURIComponent(what.tag)}`;
    case "manifest":
      return `/_manifests/${encodeURIComponent(what.digest)}`;
  }
}

/** Restores a manifest with the tag that is named, or else with those that went with it. */
export async function restore(
  repository: string,
  digest: string,
  tag: string | null,
  isForced = false,
): Promise<{ digest: string; tags: string[] }> {
  const path = `/acr/v1/_deleted/${encodeURIComponent(repository)}/_manifests/${encodeURIComponent(digest)}`;
  const answer = await request(`${path}?force=${isForced}`, {
    scope: repositoryScope(repository, "deleted_restore"),
    method: "POST",
    body: tag === null ? {} : { tag },
    isOnce: true,
  });
  return answers.restored(await answer.json(), "answer");
}
