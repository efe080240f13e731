/** That something was changed from this page, so that what is shown is read anew. */

import { signal } from "@preact/signals";

export const changed = signal(0);

export function tellChanged(): void {
  changed.value += 1;
}
