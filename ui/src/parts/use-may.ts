/** What the person may do to a repository; nothing as long as that is not known. */

import { session } from "../api/session";
import { settings } from "../sign-in/state";
import { useResource } from "./use-resource";

export interface May {
  isKnown: boolean;
  pull: boolean;
  readMetadata: boolean;
  lock: boolean;
  delete: boolean;
  readDeleted: boolean;
  restore: boolean;
}

export function useMay(repository: string): May {
  const current = session.value;
  const key = current ? `may ${repository}` : "";
  const { data } = useResource(
    key,
    async () => (await current?.may(repository)) ?? new Set<string>(),
  );
  const has = (action: string): boolean => data?.has(action) ?? false;
  const deletions = settings.value?.deleteEnabled ?? true;
  return {
    isKnown: data !== null,
    pull: has("pull"),
    readMetadata: has("metadata_read"),
    lock: has("metadata_write"),
    delete: has("delete") && deletions,
    readDeleted: has("deleted_read"),
    restore: has("deleted_restore"),
  };
}
