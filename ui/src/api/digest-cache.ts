/** What is addressed by its digest never changes, so it is asked for once. */

interface Entry<T> {
  value: Promise<T>;
  bytes: number;
}

export class DigestCache<T> {
  readonly #limit: number;
  readonly #entries = new Map<string, Entry<T>>();
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The value of `key`, by `ask` if it is not known; those who ask at once wait for one answer. */
  get(key: string, ask: () => Promise<T>, bytesOf: (value: T) => number): Promise<T> {
    const known = this.#entries.get(key);
    if (known) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known.value;
    }
    const entry: Entry<T> = { value: ask(), bytes: 0 };
    this.#entries.set(key, entry);
    entry.value.then(
      (value) => this.#keep(key, entry, bytesOf(value)),
      () => this.#drop(key, entry),
    );
    return entry.value;
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #keep(key: string, entry: Entry<T>, bytes: number): void {
    if (this.#entries.get(key) !== entry) {
      return;
    }
    entry.bytes = bytes;
    this.#bytes += bytes;
    for (const [oldest, other] of this.#entries) {
      if (this.#bytes <= this.#limit) {
        break;
      }
      this.#drop(oldest, other);
    }
  }

  #drop(key: string, entry: Entry<T>): void {
    if (this.#entries.get(key) === entry) {
      this.#entries.delete(key);
      this.#bytes -= entry.bytes;
    }
  }
}
