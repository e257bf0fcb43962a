import { IndexedHeap } from './indexed-heap.ts';
import { ArrivalLine, type Linked } from './line.ts';
import type { CallerLine } from './line-order.ts';

/** The calls of one caller, in order of arrival. */
interface Flow<T extends Linked<T>> {
  readonly caller: string;
  readonly weight: number;
  readonly order: number;
  readonly items: ArrivalLine<T>;
  /** The virtual time at which its first call starts. */
  start: number;
  /** Costs that wait, by weight. */
  backlog: number;
}

/** Most callers whose last turn is remembered. */
const MAX_REMEMBERED = 10_000;

/**
 * Calls that wait, served so that each caller gets its share by weight, however many calls it has: start-
 * time fair queueing. A call starts, in virtual time, when the one before it of its caller has ended, or
 * now; it ends `cost / weight` later. The call that starts first is next, and virtual time is when it
 * starts. Between two callers that both wait, what they have got by weight differs by at most the largest
 * call of each. Every change takes logarithmic time in the number of callers.
 *
 * When there is no room, the caller with the longest backlog loses its last call: it is the one that
 * fills the line.
 *
 * Source: P. Goyal, H. M. Vin and H. Cheng, "Start-time Fair Queuing: A Scheduling Algorithm for
 * Integrated Services Packet Switching Networks", SIGCOMM 1996. Whom to drop: P. E. McKenney,
 * "Stochastic Fairness Queueing", INFOCOM 1990.
 */
export class FairLine<T extends Linked<T>> implements CallerLine<T> {
  readonly #weightOf: (caller: string) => number;
  readonly #flows = new Map<string, Flow<T>>();
  readonly #byStart = new IndexedHeap<Flow<T>>(earlier);
  readonly #byBacklog = new IndexedHeap<Flow<T>>((a, b) => a.backlog > b.backlog);
  /** When callers that do not wait at present may start again. */
  readonly #ends = new Map<string, number>();
  #now = 0;
  #order = 0;
  #size = 0;

  constructor(weightOf: (caller: string) => number) {
    this.#weightOf = weightOf;
  }

  get size(): number {
    return this.#size;
  }

  get head(): T | undefined {
    return this.#byStart.first?.items.head;
  }

  push(item: T): void {
    const { caller, cost } = item;
    const known = this.#flows.get(caller);
    const flow = known ?? this.#open(caller);
    flow.items.push(item);
    flow.backlog += cost / flow.weight;
    this.#size++;
    if (known === undefined) {
      this.#byStart.push(flow);
      this.#byBacklog.push(flow);
    } else {
      this.#byBacklog.moved(flow);
    }
  }

  #open(caller: string): Flow<T> {
    const flow: Flow<T> = {
      caller,
      weight: this.#weightOf(caller),
      order: this.#order++,
      items: new ArrivalLine(),
      start: Math.max(this.#now, this.#ends.get(caller) ?? 0),
      backlog: 0,
    };
    this.#ends.delete(caller);
    this.#flows.set(caller, flow);
    return flow;
  }

  served(item: T): void {
    const flow = this.#flows.get(item.caller)!;
    this.#now = Math.max(this.#now, flow.start);
    flow.start += item.cost / flow.weight;
    this.#byStart.moved(flow);
    this.remove(item);
  }

  remove(item: T): void {
    const flow = this.#flows.get(item.caller)!;
    flow.items.remove(item);
    flow.backlog -= item.cost / flow.weight;
    this.#size--;
    if (flow.items.size > 0) {
      this.#byBacklog.moved(flow);
      return;
    }
    this.#flows.delete(flow.caller);
    this.#byStart.remove(flow);
    this.#byBacklog.remove(flow);
    this.#remember(flow);
  }

  #remember({ caller, start }: Flow<T>): void {
    if (this.#size === 0) {
      // Nobody waits: all start equal when somebody does again.
      this.#now = 0;
      this.#ends.clear();
      return;
    }
    if (start <= this.#now) return;
    this.#ends.set(caller, start);
    if (this.#ends.size <= MAX_REMEMBERED) return;
    for (const [each, end] of this.#ends) if (end <= this.#now) this.#ends.delete(each);
    if (this.#ends.size > MAX_REMEMBERED) this.#ends.clear();
  }

  first(most: number): T[] {
    const found: T[] = [];
    const cursors = new IndexedHeap<Cursor<T>>(earlier);
    for (const { items, start, order, weight } of this.#flows.values()) {
      cursors.push({ item: items.head!, start, order, weight });
    }
    for (let next = cursors.first; next !== undefined && found.length < most; ) {
      found.push(next.item);
      cursors.remove(next);
      const { next: item, cost } = next.item;
      if (item !== undefined) {
        cursors.push({ ...next, item, start: next.start + cost / next.weight });
      }
      next = cursors.first;
    }
    return found;
  }

  victim({ caller, cost }: T): T | undefined {
    const longest = this.#byBacklog.first;
    if (longest === undefined) return undefined;
    const own = this.#flows.get(caller);
    if (own === longest) return undefined;
    const weight = own?.weight ?? this.#weightOf(caller);
    return longest.backlog > (own?.backlog ?? 0) + cost / weight ? longest.items.tail : undefined;
  }

  leads(item: T): boolean {
    return this.#flows.get(item.caller)?.items.head === item;
  }

  /** `undefined` when no caller waits with more than its own. */
  behind({ caller }: T): T | undefined {
    const longest = this.#byBacklog.first!;
    return longest.backlog > this.#flows.get(caller)!.backlog ? longest.items.tail : undefined;
  }

  *[Symbol.iterator](): Generator<T> {
    for (const { items } of this.#flows.values()) yield* items;
  }
}

/** Where {@link FairLine.first} is in the calls of a caller. */
interface Cursor<T> {
  readonly item: T;
  readonly start: number;
  readonly order: number;
  readonly weight: number;
}

/** Callers that start at the same time go in the order in which they came. */
function earlier(
  a: { readonly start: number; readonly order: number },
  b: { readonly start: number; readonly order: number },
): boolean {
  return a.start < b.start || (a.start === b.start && a.order < b.order);
}
