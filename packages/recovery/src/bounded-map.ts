/** What is lost with an entry: nothing, little, or from 2 on more and more. */
export type Worth = number;

/** So many entries are looked at for one of no worth, before one of little is removed. */
const LOOKS = 100;

/**
 * A map of bounded size: the entry used longest ago is removed first, among those of the least worth. All
 * operations take constant time, but for a `set` that must look past entries that are worth something.
 */
export class BoundedMap<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #limit: number;
  readonly #onEvict: ((value: V, key: K) => void) | undefined;
  readonly #worth: ((value: V) => Worth) | undefined;

  /**
   * @param limit - most entries kept, at least 1
   * @param onEvict - called with each entry that was removed to make room
   * @param worth - what is lost with an entry. One is removed only when none of less is found, but for the newest
   */
  constructor(limit: number, onEvict?: (value: V, key: K) => void, worth?: (value: V) => Worth) {
    this.#limit = limit;
    this.#onEvict = onEvict;
    this.#worth = worth;
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

  /** The entry of the least worth, of several the one used longest ago. */
  #dispensable(newest: K): [K, V] {
    let least: [K, V] | undefined;
    let leastWorth = Number.POSITIVE_INFINITY;
    let looks = 0;
    for (const entry of this.#entries) {
      if (entry[0] === newest) break;
      const worth = this.#worth?.(entry[1]) ?? 0;
      if (worth < leastWorth || least === undefined) {
        least = entry;
        leastWorth = worth;
      }
      if (leastWorth === 0 || (++looks >= LOOKS && leastWorth === 1)) break;
    }
    return least as [K, V]; // with a limit of at least 1, there is an entry beside the newest
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
