/** A ring buffer: stores the last `capacity` items. */
export class Ring<T> {
  readonly capacity: number;
  readonly #items: T[] = [];
  #written = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get size(): number {
    return this.#items.length;
  }

  push(item: T): void {
    if (this.capacity > 0) this.#items[this.#written % this.capacity] = item;
    this.#written++;
  }

  /** The last `limit` items, oldest first. */
  last(limit: number = this.capacity): T[] {
    if (limit === 0) return [];
    const start = this.#items.length < this.capacity ? 0 : this.#written % this.capacity;
    return [...this.#items.slice(start), ...this.#items.slice(0, start)].slice(-limit);
  }
}
