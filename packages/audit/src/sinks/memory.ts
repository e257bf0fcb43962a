import { checkKnown, checkName, checkNumber } from '@temper/core';
import { leafOf } from '../checkpointer.ts';
import { type ChainHead, EMPTY_HEAD, parseLine, type SealedEvent } from '../hash-chain.ts';
import { MerkleFrontier } from '../merkle.ts';
import type {
  Anchor,
  AuditSink,
  AuditSource,
  ReadRange,
  SinkState,
  StoredCheckpoint,
} from '../sink.ts';

/** Options of {@link memorySink}. */
export interface MemorySinkOptions {
  /** @defaultValue 'memory' */
  readonly name?: string;
  /**
   * Most events kept; the oldest go first.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless an integer from 1 to 10_000_000
   */
  readonly capacity?: number;
  /** Lines to begin with, such as those of an export. @defaultValue none */
  readonly lines?: readonly string[];
}

/** The defaults, as the README's table shows them. */
export const MEMORY_SINK_DEFAULTS: { readonly name: 'memory'; readonly capacity: 10_000 } = {
  name: 'memory',
  capacity: 10_000,
};

/** Lines delivered at a time. */
const READ_LINES = 1_000;

/** Keeps the last events in memory: for tests, and for showing what has just happened. */
export function memorySink(
  options: MemorySinkOptions = {},
): AuditSink & { readonly source: AuditSource } {
  checkKnown('memorySink', options, [...Object.keys(MEMORY_SINK_DEFAULTS), 'lines']);
  const all = { ...MEMORY_SINK_DEFAULTS, lines: [], ...options };
  checkName('memorySink', all.name);
  checkNumber('memorySink', 'capacity', all.capacity, { min: 1, max: 10_000_000, integer: true });
  return new MemorySink(all);
}

class MemorySink implements AuditSink, AuditSource {
  readonly name: string;
  readonly durable = false;
  readonly source: AuditSource = this;
  readonly #capacity: number;
  /** A ring would save nothing: the array is cut when it has grown to twice the capacity. */
  #kept: { readonly line: string; readonly head: ChainHead }[] = [];
  #head: ChainHead = EMPTY_HEAD;
  /** Where what is kept begins, and the sum of what is not, when that is known. */
  #begin: ChainHead = EMPTY_HEAD;
  #frontier: MerkleFrontier | undefined = new MerkleFrontier();
  readonly #checkpoints: StoredCheckpoint[] = [];

  constructor({ name, capacity, lines }: Required<MemorySinkOptions>) {
    this.name = name;
    this.#capacity = capacity;
    this.#add(lines.map((line) => ({ line, event: parseLine(line) })));
  }

  async open(): Promise<SinkState> {
    return { head: this.#head };
  }

  async write(batch: readonly SealedEvent[]): Promise<undefined> {
    this.#add(batch);
  }

  #add(batch: readonly Pick<SealedEvent, 'line' | 'event'>[]): void {
    for (const { line, event } of batch) {
      const { sequence, prev, hash } = event;
      // One that joins a log later keeps what it is given from then on.
      if (sequence !== this.#head.sequence + 1)
        this.#restart({ sequence: sequence - 1, hash: prev });
      this.#head = { sequence, hash };
      this.#kept.push({ line, head: this.#head });
    }
    if (this.#kept.length < this.#capacity * 2) return;
    this.#forget(this.#kept.length - this.#capacity);
  }

  #restart(begin: ChainHead): void {
    this.#kept = [];
    this.#begin = begin;
    this.#frontier = undefined;
  }

  #forget(count: number): void {
    for (const { head } of this.#kept.slice(0, count)) {
      this.#frontier?.append(leafOf(head.hash));
      this.#begin = head;
    }
    this.#kept = this.#kept.slice(count);
  }

  async saveCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    this.#checkpoints.push(checkpoint);
    if (this.#checkpoints.length > this.#capacity) this.#checkpoints.shift();
  }

  async *read({
    from = 0,
    to = Number.POSITIVE_INFINITY,
    reverse = false,
  }: ReadRange): AsyncGenerator<readonly string[], void, undefined> {
    this.#trim();
    const lines = this.#kept
      .filter(({ head }) => head.sequence >= from && head.sequence <= to)
      .map(({ line }) => line);
    if (reverse) lines.reverse();
    for (let i = 0; i < lines.length; i += READ_LINES) yield lines.slice(i, i + READ_LINES);
  }

  /** Readers see the capacity, not the slack above it. */
  #trim(): void {
    if (this.#kept.length > this.#capacity) this.#forget(this.#kept.length - this.#capacity);
  }

  async anchor(): Promise<Anchor | undefined> {
    this.#trim();
    if (this.#begin.sequence === 0) return undefined;
    const { sequence, hash } = this.#begin;
    const frontier = this.#frontier?.nodes.map((node) => node.toString('hex'));
    return { sequence, hash, ...(frontier === undefined ? {} : { frontier }) };
  }

  async checkpoints(): Promise<readonly StoredCheckpoint[]> {
    return [...this.#checkpoints];
  }

  async close(): Promise<void> {}
}
