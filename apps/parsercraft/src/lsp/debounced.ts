/** Runs work for a key once nothing has asked for it any more for a while. */
export class Debounced<K> {
  readonly #timers = new Map<K, NodeJS.Timeout>();
  readonly #quietMs: number;

  /** @param quietMs - time without a further request, in milliseconds */
  constructor(quietMs: number) {
    this.#quietMs = quietMs;
  }

  /** Runs `work` after the quiet time, in place of earlier work for this key. */
  schedule(key: K, work: () => void): void {
    this.cancel(key);
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      work();
    }, this.#quietMs);
    this.#timers.set(key, timer);
  }

  /** Forgets the work for a key. */
  cancel(key: K): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
  }

  /** Forgets all work. */
  clear(): void {
    for (const key of [...this.#timers.keys()]) this.cancel(key);
  }
}
