/** The names of all repositories, loaded once for all views of a sign-in. */

import { computed, effect, signal, untracked } from "@preact/signals";
import { changed } from "../api/changed";
import { PagedList } from "../api/paged-list";
import * as registry from "../api/registry";
import { session } from "../api/session";

/** Null for whoever may not list them. */
export const catalogList = signal<PagedList<string> | null>(null);
export const catalogNames = computed(() => catalogList.value?.entries.value ?? []);

let isWanted = false;

/** Loads the list, and loads it anew after each sign-in and each change. */
export function loadCatalog(): void {
  if (isWanted) {
    return;
  }
  isWanted = true;
  effect(() => {
    void changed.value;
    const current = session.value;
    if (!current?.rights.catalog) {
      catalogList.value = null;
      return undefined;
    }
    const list = new PagedList<string>(registry.firstCatalog, (path, abort) =>
      registry.catalog(path, { signal: abort }),
    );
    catalogList.value = list;
    void untracked(() => list.all(() => true));
    return () => list.stop();
  });
}
