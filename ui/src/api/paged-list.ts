/** A listing of the registry, page by page, as far as somebody looks. */

import { signal } from "@preact/signals";
import type { Page } from "./client";
import { isAbort, OutdatedError } from "./errors";

export class PagedList<T> {
  readonly entries = signal<T[]>([]);
  readonly isComplete = signal(false);
  readonly isLoading = signal(false);
  readonly error = signal<unknown>(null);
  #next: string;
  #loading: Promise<void> | null = null;
  readonly #load: (path: string, signal: AbortSignal) => Promise<Page<T>>;
  readonly #abort = new AbortController();

  constructor(first: string, load: (path: string, signal: AbortSignal) => Promise<Page<T>>) {
    this.#next = first;
    this.#load = load;
  }

  /** Loads the next page, if there is one; whoever asks while it is on its way waits for it. */
  more(): Promise<void> {
    if (this.isComplete.value || this.#abort.signal.aborted) {
      return Promise.resolve();
    }
    this.#loading ??= this.#one().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  async #one(): Promise<void> {
    this.isLoading.value = true;
    this.error.value = null;
    try {
      const page = await this.#load(this.#next, this.#abort.signal);
      this.entries.value = [...this.entries.value, ...page.entries];
      this.#next = page.next;
      this.isComplete.value = page.next === "";
    } catch (error) {
      this.error.value = isAbort(error) || error instanceof OutdatedError ? null : error;
    } finally {
      this.isLoading.value = false;
    }
  }

  /** Loads all that is left, as long as `isWanted`. */
  async all(isWanted: () => boolean): Promise<void> {
    while (!this.isComplete.value && isWanted() && !this.#abort.signal.aborted) {
      await this.more();
      if (this.error.value !== null) {
        return;
      }
    }
  }

  stop(): void {
    this.#abort.abort();
  }
}
