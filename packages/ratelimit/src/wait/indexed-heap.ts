/** A binary heap whose items can be removed and moved. Each change takes logarithmic time. */
export class IndexedHeap<T> {
  readonly #before: (a: T, b: T) => boolean;
  readonly #items: T[] = [];
  readonly #at = new Map<T, number>();

  /** @param before - whether `a` comes before `b` */
  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#items.length;
  }

  /** The first item. */
  get first(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    this.#items.push(item);
    this.#up(item, this.#items.length - 1);
  }

  remove(item: T): void {
    const at = this.#at.get(item);
    if (at === undefined) return;
    this.#at.delete(item);
    const last = this.#items.pop()!;
    if (last !== item) this.#settle(last, at);
  }

  /** The item comes earlier or later than before. */
  moved(item: T): void {
    this.#settle(item, this.#at.get(item)!);
  }

  #settle(item: T, at: number): void {
    const parent = this.#items[(at - 1) >> 1];
    if (at > 0 && this.#before(item, parent!)) this.#up(item, at);
    else this.#down(item, at);
  }

  #up(item: T, from: number): void {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = this.#items[above]!;
      if (!this.#before(item, parent)) break;
      this.#put(parent, at);
      at = above;
    }
    this.#put(item, at);
  }

  #down(item: T, from: number): void {
    let at = from;
    for (let child = 2 * at + 1; child < this.#items.length; child = 2 * at + 1) {
      const right = this.#items[child + 1];
      if (right !== undefined && this.#before(right, this.#items[child]!)) child++;
      const least = this.#items[child]!;
      if (!this.#before(least, item)) break;
      this.#put(least, at);
      at = child;
    }
    this.#put(item, at);
  }

  #put(item: T, at: number): void {
    this.#items[at] = item;
    this.#at.set(item, at);
  }
}
