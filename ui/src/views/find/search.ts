/** Which repositories have a manifest: each is asked, since no list tells. */

import { signal } from "@preact/signals";
import { ApiError } from "../../api/errors";
import * as registry from "../../api/registry";

/** So many repositories are asked before somebody asks for more. */
export const AT_ONCE = 1000;

export class Search {
  readonly found = signal<string[]>([]);
  readonly asked = signal(0);
  readonly failed = signal(0);
  readonly #digest: string;
  readonly #abort = new AbortController();

  constructor(digest: string) {
    this.#digest = digest;
  }

  /** Asks these repositories, some at a time. */
  async ask(names: string[]): Promise<void> {
    await Promise.all(names.map((name) => this.#askOne(name)));
  }

  stop(): void {
    this.#abort.abort();
  }

  async #askOne(name: string): Promise<void> {
    try {
      await registry.facts(name, this.#digest, { signal: this.#abort.signal, isLater: true });
      this.found.value = [...this.found.value, name];
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) {
        this.failed.value += 1;
      }
    } finally {
      this.asked.value += 1;
    }
  }
}
