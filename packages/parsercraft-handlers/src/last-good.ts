/** An answer that was good once. */
export interface Remembered<T> {
  readonly value: T;
  /** How old it is, in milliseconds. */
  readonly ageMs: number;
}

interface Entry<T> {
  readonly value: T;
  readonly at: number;
  /** Number of the question that it answers. */
  readonly asked: number;
}

/** The last good answers, by key, of bounded number and age: the least recently used goes first. */
export class LastGood<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #maxEntries: number;
  readonly #maxAgeMs: number;
  readonly #monotonic: () => number;
  #questions = 0;

  constructor(maxEntries: number, maxAgeMs: number, monotonic: () => number) {
    this.#maxEntries = maxEntries;
    this.#maxAgeMs = maxAgeMs;
    this.#monotonic = monotonic;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** A question is asked now. @returns its number, for {@link remember} */
  ask(): number {
    return ++this.#questions;
  }

  /**
   * Keeps an answer, unless one to a later question is kept already.
   *
   * @param asked - number of its question
   */
  remember(key: string, value: T, asked: number): void {
    const kept = this.#entries.get(key);
    if (this.#maxEntries === 0 || (kept !== undefined && kept.asked > asked)) return;
    this.#entries.delete(key);
    this.#entries.set(key, { value, at: this.#monotonic(), asked });
    if (this.#entries.size > this.#maxEntries) {
      const [oldest] = this.#entries.keys();
      this.#entries.delete(oldest as string);
    }
  }

  /** The answer, unless there is none or it is older than the limit. */
  recall(key: string): Remembered<T> | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const ageMs = this.#monotonic() - entry.at;
    this.#entries.delete(key);
    if (ageMs > this.#maxAgeMs) return undefined;
    this.#entries.set(key, entry);
    return { value: entry.value, ageMs };
  }
}
