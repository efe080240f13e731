/** What rows of tags and manifests show of their manifests. */

import { useEffect, useMemo } from "preact/hooks";
import type { ManifestFacts } from "../../api/answers";
import { changed } from "../../api/changed";
import * as registry from "../../api/registry";
import { RowDetails } from "../../api/row-details";
import { session } from "../../api/session";

/** By digest, for rows in view, once for each. */
export function useFacts(repository: string): RowDetails<ManifestFacts> {
  const number = session.value?.number ?? 0;
  const change = changed.value;
  const details = useMemo(
    () =>
      new RowDetails<ManifestFacts>(async ([digest = ""], signal) => {
        const found = await registry.facts(repository, digest, { signal });
        return new Map([[digest, found]]);
      }, 1),
    [repository, number, change],
  );
  useEffect(() => () => details.stop(), [details]);
  return details;
}
