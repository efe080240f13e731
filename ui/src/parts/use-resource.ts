/** What a view waits for. */

import { useEffect, useRef, useState } from "preact/hooks";
import { changed } from "../api/changed";
import { isAbort, OutdatedError } from "../api/errors";
import { session } from "../api/session";

export interface Resource<T> {
  data: T | null;
  error: unknown;
  isLoading: boolean;
  reload: () => void;
}

interface State<T> {
  key: string;
  data: T | null;
  error: unknown;
  isLoading: boolean;
}

/**
 * Loads what `key` names, anew for each key, each sign-in and each change. While it is loaded anew for the same
 * key, what was there before stays. An empty key loads nothing.
 */
export function useResource<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
): Resource<T> {
  const [state, setState] = useState<State<T>>({ key, data: null, error: null, isLoading: true });
  const [round, setRound] = useState(0);
  const loading = useRef(load);
  loading.current = load;
  const number = session.value?.number ?? 0;
  const change = changed.value;

  useEffect(() => {
    if (key === "") {
      return undefined;
    }
    const abort = new AbortController();
    const keep = (found: Partial<State<T>>): void => {
      if (!abort.signal.aborted) {
        setState((before) => ({ ...before, error: null, isLoading: false, ...found, key }));
      }
    };
    setState((before) => ({
      key,
      data: before.key === key ? before.data : null,
      error: null,
      isLoading: true,
    }));
    loading.current(abort.signal).then(
      (data) => keep({ data }),
      (error: unknown) => {
        if (!isAbort(error) && !(error instanceof OutdatedError)) {
          keep({ error });
        }
      },
    );
    return () => abort.abort();
  }, [key, number, round, change]);

  const isOfKey = state.key === key;
  return {
    data: isOfKey ? state.data : null,
    error: isOfKey ? state.error : null,
    isLoading: key !== "" && (!isOfKey || state.isLoading),
    reload: () => setRound((before) => before + 1),
  };
}
