import { type Defaults, nameRule, numberRule, resolveOptions } from '@temper/core/policy';
import {
  type ChainHead,
  checkLine,
  EMPTY_HEAD,
  parseLine,
  type SealedEvent,
} from '../../chain/hash-chain.ts';
import { encodeFrontier, leafOf, MerkleFrontier } from '../../chain/merkle.ts';
import { AuditCorruptError } from '../../errors.ts';
import { textsRule } from '../../option-rules.ts';
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
   * Maximum number of events kept. The oldest are removed first.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless an integer from 1 to 10_000_000
   */
  readonly capacity?: number;
  /** Initial lines, such as those of an export, without verification. @defaultValue none */
  readonly lines?: readonly string[];
}

/** The defaults of {@link MemorySinkOptions}. */
export const MEMORY_SINK_DEFAULTS: Defaults<MemorySinkOptions> = {
  name: 'memory',
  capacity: 10_000,
  lines: [],
};

/** Lines per batch. */
const READ_LINES = 1_000;

/** Creates a sink that keeps the last events in memory, for tests and for displays of recent events. */
export function memorySink(
  options: MemorySinkOptions = {},
): AuditSink & { readonly source: AuditSource } {
  const all = resolveOptions('memorySink', options, MEMORY_SINK_DEFAULTS, {
    name: nameRule,
    capacity: numberRule({ min: 1, max: 10_000_000, integer: true }),
    lines: textsRule,
  });
  return new MemorySink(all);
}

class MemorySink implements AuditSink, AuditSource {
  readonly name: string;
  readonly durable = false;
  readonly partial = true;
  readonly source: AuditSource = this;
  readonly #capacity: number;
  /** Trimmed to the capacity when it has grown to twice the capacity. */
  #kept: (ChainHead & { readonly line: string })[] = [];
  #head: ChainHead = EMPTY_HEAD;
  /** The last removed event and, if known, the Merkle frontier at that event. */
  #begin: ChainHead = EMPTY_HEAD;
  #frontier: MerkleFrontier | undefined = new MerkleFrontier();
  readonly #checkpoints: StoredCheckpoint[] = [];

  constructor({ name, capacity, lines }: Defaults<MemorySinkOptions>) {
    this.name = name;
    this.#capacity = capacity;
    // Not validated: verification reports what is wrong with them.
    this.#kept = lines.map((line, i) => {
      const { hash, log } = headOf(line);
      return { line, sequence: i + 1, hash, log };
    });
    const last = this.#kept.at(-1);
    if (last !== undefined) this.#head = last;
  }

  async open(): Promise<SinkState> {
    const last = this.#kept.at(-1);
    const checked = last && checkLine(last.line);
    if (checked?.fault !== undefined) {
      throw new AuditCorruptError(this.name, 'in memory', last?.sequence, checked.message);
    }
    const { sequence, hash, log } = checked?.event ?? this.#head;
    return { head: { sequence, hash, log } };
  }

  async write(batch: readonly SealedEvent[]): Promise<void> {
    for (const { line, event } of batch) {
      const { sequence, prev, hash, log } = event;
      // A sink that missed events starts again at the first event it receives.
      if (sequence !== this.#head.sequence + 1)
        this.#restart({ sequence: sequence - 1, hash: prev, log });
      this.#head = { sequence, hash, log };
      this.#kept.push({ line, sequence, hash, log });
    }
    if (this.#kept.length >= this.#capacity * 2) {
      this.#forget(this.#kept.length - this.#capacity);
    }
  }

  #restart(begin: ChainHead): void {
    this.#kept = [];
    this.#begin = begin;
    this.#frontier = undefined;
  }

  #forget(count: number): void {
    for (const { sequence, hash, log } of this.#kept.slice(0, count)) {
      this.#frontier?.append(leafOf(hash));
      this.#begin = { sequence, hash, log };
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
      .filter(({ sequence }) => sequence >= from && sequence <= to)
      .map(({ line }) => line);
    if (reverse) lines.reverse();
    for (let i = 0; i < lines.length; i += READ_LINES) yield lines.slice(i, i + READ_LINES);
  }

  /** Removes events beyond the capacity before a read. */
  #trim(): void {
    if (this.#kept.length > this.#capacity) this.#forget(this.#kept.length - this.#capacity);
  }

  async anchor(): Promise<Anchor | undefined> {
    this.#trim();
    if (this.#begin.sequence === 0) return undefined;
    const { sequence, hash, log } = this.#begin;
    const frontier = this.#frontier && encodeFrontier(this.#frontier);
    return { sequence, hash, log, ...(frontier === undefined ? {} : { frontier }) };
  }

  async checkpoints(): Promise<readonly StoredCheckpoint[]> {
    return [...this.#checkpoints];
  }

  async close(): Promise<void> {}
}

function headOf(line: string): ChainHead {
  try {
    return parseLine(line);
  } catch {
    return EMPTY_HEAD;
  }
}
