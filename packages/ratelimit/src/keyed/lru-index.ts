import { boundedKey } from './bounded-key.ts';

const NONE = -1;
const OLDER = 0;
const NEWER = 1;
/** Initial number of slots. */
const INITIAL = 16;

/**
 * Numbers the keys in use, from 0 on, and knows the least recently used one. Besides the key itself,
 * of bounded length, it keeps one map entry and 24 bytes in flat arrays per key. Finding, adding, removing and touching a key
 * take constant time.
 */
export class LruIndex {
  readonly #slots = new Map<string, number>();
  readonly #keys: (string | undefined)[] = [];
  /** For each slot its older and its newer neighbour, next to each other. */
  #links = new Int32Array(2 * INITIAL);
  #usedAt = new Float64Array(INITIAL);
  readonly #max: number;
  #oldest = NONE;
  #newest = NONE;
  /** Slots given back, linked through their older neighbours. */
  #free = NONE;
  #used = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#slots.size;
  }

  get full(): boolean {
    return this.#slots.size >= this.#max;
  }

  /** How many slots there is room for at present; grows by doubling. */
  get capacity(): number {
    return this.#usedAt.length;
  }

  /** The least recently used key that is not pinned; -1 for none. */
  get oldest(): number {
    return this.#oldest;
  }

  /** The key used next after this one; -1 for none. */
  newer(slot: number): number {
    return this.#links[2 * slot + NEWER]!;
  }

  usedAt(slot: number): number {
    return this.#usedAt[slot]!;
  }

  /** @returns the key's slot, -1 when it is not there. Does not count as a use. */
  find(key: string): number {
    return this.#slots.get(boundedKey(key)) ?? NONE;
  }

  /** All keys and their slots, pinned ones last, the others in order of last use. */
  *entries(): Generator<readonly [key: string, slot: number]> {
    const listed = new Set<number>();
    for (let slot = this.#oldest; slot !== NONE; slot = this.newer(slot)) {
      listed.add(slot);
      yield [this.#keys[slot]!, slot];
    }
    for (const [key, slot] of this.#slots) if (!listed.has(slot)) yield [key, slot];
  }

  /** Marks a key that is not pinned as the last used. */
  touch(slot: number, now: number): void {
    this.#usedAt[slot] = now;
    if (slot === this.#newest) return;
    this.#unlink(slot);
    this.#append(slot);
  }

  /** Adds a key that is not there yet, as the last used. There must be room. */
  add(key: string, now: number): number {
    let slot = this.#free;
    if (slot === NONE) {
      slot = this.#used++;
      if (slot === this.#usedAt.length) this.#grow();
    } else {
      this.#free = this.#links[2 * slot + OLDER]!;
    }
    const kept = boundedKey(key);
    this.#slots.set(kept, slot);
    this.#keys[slot] = kept;
    this.#usedAt[slot] = now;
    this.#append(slot);
    return slot;
  }

  /** Removes a key that is not pinned. */
  remove(slot: number): void {
    this.#unlink(slot);
    this.#slots.delete(this.#keys[slot]!);
    this.#keys[slot] = undefined;
    this.#links[2 * slot + OLDER] = this.#free;
    this.#free = slot;
  }

  /** Takes a key out of the order, so that it cannot be the oldest. */
  pin(slot: number): void {
    this.#unlink(slot);
  }

  /** Puts a pinned key back, as the last used. */
  unpin(slot: number, now: number): void {
    this.#usedAt[slot] = now;
    this.#append(slot);
  }

  #append(slot: number): void {
    const links = this.#links;
    links[2 * slot + OLDER] = this.#newest;
    links[2 * slot + NEWER] = NONE;
    if (this.#newest === NONE) this.#oldest = slot;
    else links[2 * this.#newest + NEWER] = slot;
    this.#newest = slot;
  }

  #unlink(slot: number): void {
    const links = this.#links;
    const older = links[2 * slot + OLDER]!;
    const newer = links[2 * slot + NEWER]!;
    if (older === NONE) this.#oldest = newer;
    else links[2 * older + NEWER] = newer;
    if (newer === NONE) this.#newest = older;
    else links[2 * newer + OLDER] = older;
  }

  #grow(): void {
    const capacity = Math.min(this.#max, 2 * this.#usedAt.length);
    const links = new Int32Array(2 * capacity);
    links.set(this.#links);
    this.#links = links;
    const usedAt = new Float64Array(capacity);
    usedAt.set(this.#usedAt);
    this.#usedAt = usedAt;
  }
}
