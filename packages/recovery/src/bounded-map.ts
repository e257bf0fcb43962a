/** A map of bounded size: the entry used longest ago is removed first. All operations take constant time. */
export class BoundedMap<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #limit: number;
  readonly #onEvict: ((value: V, key: K) => void) | undefined;

  /**
   * @param limit - most entries kept, at least 1
   * @param onEvict - called with each entry that was removed to make room
   */
  constructor(limit: number, onEvict?: (value: V, key: K) => void) {
    this.#limit = limit;
    this.#onEvict = onEvict;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Returns the value, and counts as a use of it. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key); // a Map keeps the order of insertion: the first is the least used
    this.#entries.set(key, value);
    return value;
  }

  /** Returns the value without counting as a use of it. */
  peek(key: K): V | undefined {
    return this.#entries.get(key);
  }

  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#limit) return;
    for (const [oldest, gone] of this.#entries) {
      this.#entries.delete(oldest);
      this.#onEvict?.(gone, oldest);
      break;
    }
  }

  delete(key: K): boolean {
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  entries(): IterableIterator<[K, V]> {
    return this.#entries.entries();
  }
}
