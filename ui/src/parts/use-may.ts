/** What the person may do to a repository; nothing as long as that is not known. */

import { session } from "../api/session";
import { settings } from "../sign-in/state";
import { useResource } from "./use-resource";

export interface May {
  isKnown: boolean;
  /** Why it is not known. */
  error: unknown;
  pull: boolean;
  readMetadata: boolean;
  lock: boolean;
  delete: boolean;
  readDeleted: boolean;
  restore: boolean;
}

export function useMay(repository: string): May {
  const current = session.value;
  const known = current?.known(repository) ?? null;
  const isAsked = current !== null && known === null;
  const asked = useResource(isAsked ? `may ${repository}` : "", async () =>
    current ? await current.ask(repository) : new Set<string>(),
  );
  const actions = known ?? asked.data;
  const has = (action: string): boolean => actions?.has(action) ?? false;
  const isDeletable = settings.value?.deleteEnabled ?? true;
  return {
    isKnown: actions !== null,
    error: asked.error,
    pull: has("pull"),
    readMetadata: has("metadata_read"),
    lock: has("metadata_write"),
    delete: has("delete") && isDeletable,
    readDeleted: has("deleted_read"),
    restore: has("deleted_restore"),
  };
}
