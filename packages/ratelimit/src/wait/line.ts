/** What can stand in a {@link Line}. */
export interface Linked<T> {
  readonly cost: number;
  /** Who asks; empty when unknown. */
  readonly caller: string;
  previous: T | undefined;
  next: T | undefined;
}

/** Calls that wait, and in which order they are served. */
export interface Line<T> {
  readonly size: number;
  /** Whose turn is next. */
  readonly head: T | undefined;
  push(item: T): void;
  /** Removes one whose turn has come. */
  served(item: T): void;
  /** Removes one that leaves by itself. */
  remove(item: T): void;
  /** Whom a newcomer displaces when there is no room; `undefined` when it is the newcomer that goes. */
  victim(newcomer: T): T | undefined;
  [Symbol.iterator](): Iterator<T>;
}

/** In order of arrival: a list that everything can leave in constant time. */
export class ArrivalLine<T extends Linked<T>> implements Line<T> {
  head: T | undefined;
  tail: T | undefined;
  size = 0;

  push(item: T): void {
    item.previous = this.tail;
    item.next = undefined;
    if (this.tail === undefined) this.head = item;
    else this.tail.next = item;
    this.tail = item;
    this.size++;
  }

  served(item: T): void {
    this.remove(item);
  }

  remove({ previous, next }: T): void {
    if (previous === undefined) this.head = next;
    else previous.next = next;
    if (next === undefined) this.tail = previous;
    else next.previous = previous;
    this.size--;
  }

  victim(): undefined {
    return undefined;
  }

  *[Symbol.iterator](): Generator<T> {
    // One that has left still knows who came next.
    for (let item = this.head; item !== undefined; item = item.next) yield item;
  }
}
