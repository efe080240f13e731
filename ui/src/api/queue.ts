/** At most so many requests at a time; those that nobody waits for any more never begin. */

interface Waiting {
  begin: () => void;
  signal: AbortSignal | undefined;
}

export class Queue {
  readonly #limit: number;
  #running = 0;
  /** What somebody looks at goes before what is only good to know. */
  readonly #waiting: { first: Waiting[]; later: Waiting[] } = { first: [], later: [] };

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Runs `task` when there is room. Throws what it throws, and the reason of `signal`. */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal, isLater = false): Promise<T> {
    signal?.throwIfAborted();
    if (this.#running >= this.#limit) {
      await this.#room(signal, isLater);
    } else {
      this.#running += 1;
    }
    try {
      signal?.throwIfAborted();
      return await task();
    } finally {
      this.#running -= 1;
      this.#next();
    }
  }

  #room(signal: AbortSignal | undefined, isLater: boolean): Promise<void> {
    const line = isLater ? this.#waiting.later : this.#waiting.first;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        const at = line.indexOf(waiting);
        if (at >= 0) {
          line.splice(at, 1);
          reject(signal?.reason);
        }
      };
      const begin = (): void => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const waiting: Waiting = { begin, signal };
      line.push(waiting);
      signal?.addEventListener("abort", leave, { once: true });
    });
  }

  #next(): void {
    const waiting = this.#waiting.first.shift() ?? this.#waiting.later.shift();
    if (waiting) {
      this.#running += 1;
      waiting.begin();
    }
  }
}
