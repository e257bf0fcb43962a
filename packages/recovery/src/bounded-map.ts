/**
 * A map of bounded size: the entry used longest ago is removed first. All operations take constant time,
 * but for a `set` that must look past entries that `isSpared` protects.
 */
export class BoundedMap<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #limit: number;
  readonly #onEvict: ((value: V, key: K) => void) | undefined;
  readonly #isSpared: ((value: V) => boolean) | undefined;

  /**
   * @param limit - most entries kept, at least 1
   * @param onEvict - called with each entry that was removed to make room
   * @param isSpared - whether an entry is removed only when there is no other but the newest
   */
  constructor(
    limit: number,
    onEvict?: (value: V, key: K) => void,
    isSpared?: (value: V) => boolean,
  ) {
    this.#limit = limit;
    this.#onEvict = onEvict;
    this.#isSpared = isSpared;
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
    if (this.#entries.size > this.#limit) this.#evict(key);
  }

  #evict(newest: K): void {
    const [oldest, gone] = this.#dispensable(newest);
    this.#entries.delete(oldest);
    this.#onEvict?.(gone, oldest);
  }

  /** The entry used longest ago among those that are not spared, or else among all. */
  #dispensable(newest: K): [K, V] {
    let oldest: [K, V] | undefined;
    for (const entry of this.#entries) {
      if (entry[0] === newest) break;
      if (this.#isSpared?.(entry[1]) !== true) return entry;
      oldest ??= entry;
    }
    return oldest as [K, V]; // with a limit of at least 1, there is an entry beside the newest
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
