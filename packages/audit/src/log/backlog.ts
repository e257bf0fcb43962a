import type { AuditEvent } from '../chain/event.ts';
import type { Draft } from '../chain/hash-chain.ts';

/** A pending event, or a pending flush, which is queued like an event. */
export class Entry {
  /** Undefined for a flush. */
  readonly draft: Draft | undefined;
  /** Settle the caller's promise; undefined once settled, and for events of `record`. */
  resolve: ((event: AuditEvent) => void) | undefined;
  reject: ((error: unknown) => void) | undefined;
  /** Arrival time on the monotonic clock; 0 while no metrics are collected. */
  readonly startedAt: number;
  /** Whether the entry counts towards `queueLimit`. */
  readonly queued: boolean;
  /** The entry is durable when this sequence is. Set when the event is sealed. */
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

/** Number of settled entries at the front of the array before they are removed. */
const SLACK = 4_096;

/** Entries that are sealed and not durable yet, in order of sequence. */
export class Backlog {
  #entries: Entry[] = [];
  #first = 0;

  get size(): number {
    return this.#entries.length - this.#first;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** Removes and returns the first entry if its sequence is at most `sequence`. */
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
