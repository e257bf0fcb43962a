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
  /** The first ones in order, at most so many. */
  first(most: number): T[];
  /** Whom a newcomer displaces when there is no room; `undefined` when it is the newcomer that goes. */
  victim(newcomer: T): T | undefined;
  [Symbol.iterator](): Iterator<T>;
}

/** A list that everything can leave in constant time. */
export class LinkedList<T extends Linked<T>> {
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

  remove({ previous, next }: T): void {
    if (previous === undefined) this.head = next;
    else previous.next = next;
    if (next === undefined) this.tail = previous;
    else next.previous = previous;
    this.size--;
  }

  *[Symbol.iterator](): Generator<T> {
    // One that has left still knows who came next.
    for (let item = this.head; item !== undefined; item = item.next) yield item;
  }
}

/** In order of arrival. */
export class ArrivalLine<T extends Linked<T>> extends LinkedList<T> implements Line<T> {
  served(item: T): void {
    this.remove(item);
  }

  first(most: number): T[] {
    const found: T[] = [];
    for (const item of this) {
      if (found.length === most) break;
      found.push(item);
    }
    return found;
  }

  victim(): undefined {
    return undefined;
  }
}
