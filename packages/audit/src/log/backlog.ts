import type { AuditEvent } from '../chain/event.ts';
import type { Draft } from '../chain/hash-chain.ts';

/** An event on its way, or a flush that waits in line like one. */
export class Entry {
  /** Undefined for a flush. */
  readonly draft: Draft | undefined;
  /** Whoever waits; undefined once it has been told, and for events that nobody waits for. */
  resolve: ((event: AuditEvent) => void) | undefined;
  reject: ((error: unknown) => void) | undefined;
  /** When it came, on the monotonic clock; 0 while nobody measures. */
  readonly startedAt: number;
  /** Whether it takes a place of `record`'s queue. */
  readonly queued: boolean;
  /** Durable when this sequence is. Set when it is given its place. */
  sequence = 0;

  constructor(
    draft: Draft | undefined,
    startedAt: number,
    resolve?: (event: AuditEvent) => void,
    reject?: (error: unknown) => void,
  ) {
    this.draft = draft;
    this.startedAt = startedAt;
    this.resolve = resolve;
    this.reject = reject;
    this.queued = draft !== undefined && resolve === undefined;
  }
}

/** How far the array behind a backlog may run ahead of it before it is cut. */
const SLACK = 4_096;

/** What is sealed and not yet durable, in order. */
export class Backlog {
  #entries: Entry[] = [];
  #first = 0;

  get size(): number {
    return this.#entries.length - this.#first;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** Takes off the first entry if it is at or before `sequence`. */
  take(sequence: number): Entry | undefined {
    const entry = this.#entries[this.#first];
    if (entry === undefined || entry.sequence > sequence) return undefined;
    this.#first++;
    if (this.#first === this.#entries.length) {
      this.#entries = [];
      this.#first = 0;
    } else if (this.#first > SLACK && this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
    return entry;
  }

  *[Symbol.iterator](): IterableIterator<Entry> {
    for (let i = this.#first; i < this.#entries.length; i++) yield this.#entries[i] as Entry;
  }
}
