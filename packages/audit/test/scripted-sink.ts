import type { ChainHead, SealedEvent } from '../src/chain/hash-chain.ts';
import { EMPTY_HEAD } from '../src/chain/hash-chain.ts';
import { memorySink } from '../src/sinks/memory/memory-sink.ts';
import type { AuditSink, AuditSource, SinkState } from '../src/sinks/sink.ts';

/** A durable in-memory sink that fails, hangs or loses acknowledgements as a test requires. */
export class ScriptedSink implements AuditSink {
  readonly name: string;
  readonly durable = true;
  readonly lines: string[] = [];
  readonly batches: number[] = [];
  opens = 0;
  closed = false;
  /** Error of the next writes; undefined to store. */
  failWith: unknown;
  /** Fails after storing, so that only the acknowledgement is lost. */
  failAfterStoring: unknown;
  failOpenWith: unknown;
  #gate: Promise<void> | undefined;
  #openGate: (() => void) | undefined;
  #head: ChainHead = EMPTY_HEAD;

  constructor(name: string, lines: readonly string[] = []) {
    this.name = name;
    this.lines.push(...lines);
  }

  get source(): AuditSource {
    return memorySink({ name: this.name, capacity: 1_000_000, lines: this.lines }).source;
  }

  /** Blocks writes until {@link release}. */
  hold(): void {
    this.#gate ??= new Promise((resolve) => {
      this.#openGate = resolve;
    });
  }

  release(): void {
    this.#openGate?.();
    this.#gate = undefined;
  }

  async open(): Promise<SinkState> {
    this.opens++;
    if (this.failOpenWith !== undefined) throw this.failOpenWith;
    const last = this.lines.at(-1);
    this.#head = last === undefined ? EMPTY_HEAD : (JSON.parse(last) as ChainHead);
    const { sequence, hash, log } = this.#head;
    return { head: { sequence, hash, log } };
  }

  async write(batch: readonly SealedEvent[]): Promise<void> {
    await this.#gate;
    if (this.failWith !== undefined) throw this.failWith;
    this.batches.push(batch.length);
    this.lines.push(...batch.map(({ line }) => line));
    if (this.failAfterStoring !== undefined) throw this.failAfterStoring;
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
