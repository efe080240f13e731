/** What rows show besides what their list told: asked for those in view alone, once for each. */

import { signal } from "@preact/signals";
import { isAbort, OutdatedError } from "./errors";

export type AskDetails<T> = (keys: string[], signal: AbortSignal) => Promise<Map<string, T>>;

interface Asking {
  keys: string[];
  abort: AbortController;
}

/** Rows that are passed by quickly are not asked about. */
const SETTLED = 80;

export class RowDetails<T> {
  /** Changes whenever something is known that was not. */
  readonly version = signal(0);
  readonly #known = new Map<string, T | null>();
  readonly #ask: AskDetails<T>;
  readonly #atOnce: number;
  #asking: Asking[] = [];
  #wanted: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `ask` is called with up to `atOnce` keys. */
  constructor(ask: AskDetails<T>, atOnce: number) {
    this.#ask = ask;
    this.#atOnce = atOnce;
  }

  /** What is known of a row: undefined while it is asked for, null if it could not be told. */
  get(key: string): T | null | undefined {
    void this.version.value;
    return this.#known.get(key);
  }

  /** These rows are in view; requests for others alone are given up. */
  want(keys: string[]): void {
    const wanted = new Set(keys);
    this.#wanted = keys;
    this.#asking = this.#asking.filter((asking) => {
      const isWanted = asking.keys.some((key) => wanted.has(key));
      if (!isWanted) {
        asking.abort.abort();
      }
      return isWanted;
    });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#begin([...wanted]), SETTLED);
  }

  /** Forgets a row that was not told whole: it is asked for anew while it is in view. */
  askAgain(key: string): void {
    this.#known.delete(key);
    this.want(this.#wanted);
  }

  stop(): void {
    this.#wanted = [];
    clearTimeout(this.#timer);
    for (const asking of this.#asking) {
      asking.abort.abort();
    }
    this.#asking = [];
  }

  #begin(wanted: string[]): void {
    const asked = new Set(this.#asking.flatMap((asking) => asking.keys));
    const missing = wanted.filter((key) => !this.#known.has(key) && !asked.has(key));
    for (let at = 0; at < missing.length; at += this.#atOnce) {
      void this.#run({ keys: missing.slice(at, at + this.#atOnce), abort: new AbortController() });
    }
  }

  async #run(asking: Asking): Promise<void> {
    this.#asking.push(asking);
    try {
      const found = await this.#ask(asking.keys, asking.abort.signal);
      for (const key of asking.keys) {
        this.#known.set(key, found.get(key) ?? null);
      }
    } catch (error) {
      if (!isAbort(error) && !(error instanceof OutdatedError)) {
        for (const key of asking.keys) {
          this.#known.set(key, null);
        }
      }
    } finally {
      this.#asking = this.#asking.filter((each) => each !== asking);
      this.version.value += 1;
    }
  }
}
