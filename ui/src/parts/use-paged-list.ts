/** A listing of the registry for as long as its view is there. */

import { useEffect, useMemo } from "preact/hooks";
import { changed } from "../api/changed";
import type { Page } from "../api/client";
import { PagedList } from "../api/paged-list";
import { session } from "../api/session";

/** Its first page is on its way; a new list for each key, each sign-in and each change. */
export function usePagedList<T>(
  key: string,
  first: string,
  load: (path: string, signal: AbortSignal) => Promise<Page<T>>,
): PagedList<T> {
  const number = session.value?.number ?? 0;
  const change = changed.value;
  const list = useMemo(() => new PagedList<T>(first, load), [key, number, change]);
  useEffect(() => {
    void list.more();
    return () => list.stop();
  }, [list]);
  return list;
}
