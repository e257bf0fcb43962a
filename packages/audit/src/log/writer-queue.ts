import { type Clock, OperationTimeoutError } from '@temper/core';
import { type Counts, reportCallbackError, type Scheduled } from '@temper/core/policy';
import { type ChainHead, EMPTY_HEAD, parseLine, type SealedEvent } from '../chain/hash-chain.ts';
import { AuditCorruptError, AuditForkedError } from '../errors.ts';
import type {
  AuditSink,
  AuditSource,
  Retirable,
  SinkState,
  StoredCheckpoint,
} from '../sinks/sink.ts';
import { LoopTurn } from './loop-turn.ts';
import { withinTime } from './time-limit.ts';

/** Although a test may have replaced it since, as Jest does. */
const { queueMicrotask: defer } = globalThis;

/** Maximum number of events per write. */
const MAX_BATCH = 4_096;
/**
 * Number of pending events at which a write starts without waiting for the rest of a burst, so that
 * the disk works while further events are being prepared.
 */
const EARLY_BATCH = 256;

/** The part of the log that a queue uses. */
export interface WriterQueueHost {
  readonly name: string;
  readonly clock: Clock;
  readonly sinkTimeoutMs: number;
  readonly sinkRetryMs: number;
  readonly holdLimit: number;
  /** Last event of the log's chain. */
  head(): ChainHead;
  /** The head before the first event of the log. */
  genesis(): ChainHead;
  /** Last sequence that can be read from another sink. */
  readableElsewhere(queue: WriterQueue): number;
  /** A source of another sink that has stored `sequence`. */
  donor(queue: WriterQueue, sequence: number): AuditSource | undefined;
  /** Called when the sink has stored events, has failed or has recovered. */
  changed(queue: WriterQueue): void;
  /** Whether events may be removed for their age, as far as is known. */
  byAge(): boolean;
  /** Called when the sink has events beyond its limits. */
  retirable(queue: WriterQueue, events: Retirable): void;
}

/** `ready`: stores events. `failed`: the last open or write failed. `stalled`: it exceeded `sinkTimeoutMs`. */
export type SinkHealth = 'new' | 'ready' | 'failed' | 'stalled';

/**
 * The queue of events for one sink. Events that arrive during a write go into the next batch. The
 * queue applies the timeout, reopens a failed sink, and guarantees that every sink holds a prefix of
 * the chain without a gap.
 */
export class WriterQueue {
  readonly sink: AuditSink;
  /** Last event that the sink has stored. */
  stored: ChainHead = EMPTY_HEAD;
  health: SinkHealth = 'new';
  /** The last failure; undefined while the sink is ready. */
  error: unknown;
  /** Number of failed opens and writes. */
  readonly counts: Counts<'failures'>;
  /** Events that a sink without a chain of its own will never receive. */
  missed = 0;
  readonly #host: WriterQueueHost;
  #pending: SealedEvent[] = [];
  #busy = false;
  /** A write is scheduled for the end of this turn, to include all events of the turn. */
  #scheduled = false;
  #running: Promise<void> = Promise.resolve();
  #open = false;
  /** Events between the stored and the pending ones have to be read from another sink. */
  #behind = false;
  #retryAt = 0;
  #timer: Scheduled | undefined;
  readonly #turn: LoopTurn = new LoopTurn();

  constructor(sink: AuditSink, host: WriterQueueHost, counts: Counts<'failures'>) {
    this.sink = sink;
    this.#host = host;
    this.counts = counts;
  }

  /** Whether the sink keeps a chain of its own, which must not have a gap. */
  get #tracks(): boolean {
    return this.sink.durable && this.sink.source !== undefined;
  }

  /** Whether an open or a write is in progress and has not timed out. */
  get trying(): boolean {
    return this.#busy && this.health !== 'stalled';
  }

  /** Number of events held in memory for this sink. */
  get held(): number {
    return this.#pending.length;
  }

  /** Whether the sink lacks events that are no longer held. */
  get behind(): boolean {
    return this.#behind;
  }

  /**
   * Opens the sink for the first time. Never rejects and does not wait beyond `sinkTimeoutMs`; a
   * failure is reported by {@link health}.
   */
  begin(): Promise<SinkState | undefined> {
    if (this.#busy) return Promise.resolve(undefined);
    this.#busy = true;
    const opening = new Promise<SinkState | undefined>((resolve) => {
      this.#timed(
        () => this.sink.open(this.#host.name),
        () => resolve(undefined),
      )
        .then(
          (state) => {
            // The log went on without this sink, so the sink is reopened with the next write.
            if (this.health === 'stalled') this.health = 'failed';
            else this.#open = true;
            return state;
          },
          (error: unknown) => {
            this.#fail(error);
            return undefined;
          },
        )
        .then((state) => {
          this.#busy = false;
          resolve(state);
        });
    });
    this.#running = opening.then(() => undefined);
    return opening;
  }

  /** Continues from the state that {@link begin} returned, when the log has determined its head. */
  join(state: SinkState, id: string | undefined): void {
    try {
      const { log } = state.head;
      if (id !== undefined && log !== '' && log !== id) {
        const what = `it belongs to the log '${log}', not to '${id}'`;
        throw new AuditCorruptError(this.sink.name, this.sink.name, undefined, what);
      }
      this.#reconcile(state.head);
      this.health = 'ready';
      this.kick();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Adds an event to be stored. */
  push(sealed: SealedEvent): void {
    this.#pending.push(sealed);
    if (this.#scheduled && this.#pending.length >= EARLY_BATCH) {
      this.#start();
      return;
    }
    if (this.#pending.length > this.#host.holdLimit) this.#shed();
    this.kick();
  }

  /** Discards held events that can be read from another sink, or that an untracked sink will miss. */
  #shed(): void {
    if (!this.#tracks) {
      this.missed += this.#pending.length;
      this.#pending = [];
      return;
    }
    const readable = this.#host.readableElsewhere(this);
    const [oldest] = this.#pending;
    if (oldest === undefined || oldest.event.sequence > readable) return;
    this.#pending = this.#pending.slice(readable - oldest.event.sequence + 1);
    this.#behind = true;
  }

  /** Starts writing pending events, unless the sink failed less than `sinkRetryMs` ago. */
  kick(force = false): void {
    if (this.#busy) return;
    if (this.health === 'failed' && !force && !this.retryDue) return;
    if (this.health === 'new') return;
    if (this.#open && this.#pending.length === 0 && !this.#behind) return;
    this.#busy = true;
    this.#scheduled = true;
    defer(this.#start);
  }

  readonly #start = (): void => {
    if (!this.#scheduled) return;
    this.#scheduled = false;
    this.#running = this.#run();
  };

  /** Whether `sinkRetryMs` have passed since the last failure. */
  get retryDue(): boolean {
    return this.#host.clock.monotonic() >= this.#retryAt;
  }

  /** Stores a checkpoint if the sink has all events that it covers. */
  async saveCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    if (this.health === 'ready' && this.stored.sequence >= checkpoint.size) {
      await this.#limited(() => this.sink.saveCheckpoint?.(checkpoint));
    }
  }

  /**
   * Closes the sink after the write in progress has ended or timed out.
   *
   * @throws {OperationTimeoutError} if closing takes longer than `sinkTimeoutMs`
   */
  async close(): Promise<void> {
    try {
      while (this.trying) {
        this.#start();
        await this.#limited(() => this.#running);
      }
    } catch {
      // The write is still running; it must not keep the sink from being closed.
    }
    this.#open = false;
    await this.#limited(() => this.sink.close());
  }

  /** Does not wait for the sink beyond `sinkTimeoutMs`. */
  #limited<T>(work: () => T | PromiseLike<T>): Promise<T> {
    const { clock, sinkTimeoutMs } = this.#host;
    return withinTime(clock, sinkTimeoutMs, work, () => this.#timeoutError());
  }

  #timeoutError(): OperationTimeoutError {
    const { name } = this.sink;
    return new OperationTimeoutError(name, this.#host.sinkTimeoutMs, `Sink '${name}'`);
  }

  async #run(): Promise<void> {
    try {
      if (!this.#open) {
        const state = await this.#timed(() => this.sink.open(this.#host.name));
        this.#open = true;
        this.#reconcile(state.head);
      }
      if (this.#behind) await this.#catchUp();
      while (this.#pending.length > 0) {
        await this.#writePending();
        if (this.#behind) await this.#catchUp();
      }
      if (this.health !== 'ready') this.#recovered();
    } catch (error) {
      this.#fail(error);
    }
    this.#busy = false;
    if (this.health === 'ready') this.kick();
    else this.#host.changed(this);
  }

  async #writePending(): Promise<void> {
    const batch =
      this.#pending.length <= MAX_BATCH ? this.#pending : this.#pending.slice(0, MAX_BATCH);
    this.#pending = batch === this.#pending ? [] : this.#pending.slice(MAX_BATCH);
    try {
      await this.#store(batch);
    } catch (error) {
      if (!this.#behind) this.#pending = batch.concat(this.#pending);
      throw error;
    }
    this.#recovered();
  }

  async #store(batch: readonly SealedEvent[]): Promise<void> {
    const first = batch[0] as SealedEvent;
    if (this.#tracks && first.event.prev !== this.stored.hash) {
      throw new AuditForkedError(this.sink.name, this.#host.name, this.stored.sequence);
    }
    await this.#timed(() => this.sink.write(batch));
    await this.#turn.step();
    this.stored = (batch[batch.length - 1] as SealedEvent).event;
    if (this.sink.retirable !== undefined) await this.#askRetirable();
  }

  /** A failure is logged: the events are stored, and the sink is asked again after the next write. */
  async #askRetirable(): Promise<void> {
    try {
      const events = await this.#limited(() =>
        this.sink.retirable?.({ byAge: this.#host.byAge() }),
      );
      if (events !== undefined) this.#host.retirable(this, events);
    } catch (error) {
      reportCallbackError(this.sink.name, 'retirable', error);
    }
  }

  /** Copies missing events from another sink, up to the first pending event. */
  async #catchUp(): Promise<void> {
    for (;;) {
      const to = (this.#pending[0]?.event.sequence ?? this.#host.head().sequence + 1) - 1;
      const from = this.stored.sequence + 1;
      if (from > to) break;
      const donor = this.#host.donor(this, to);
      if (donor === undefined) throw new Error(`events ${from} to ${to} are in no other sink`);
      for await (const lines of donor.read({ from, to })) {
        await this.#store(lines.map((line) => this.#parseCopied(line)));
      }
      if (this.stored.sequence < from) throw new Error(`event ${from} is in no other sink`);
    }
    this.#behind = false;
  }

  /** A line read from another sink. */
  #parseCopied(line: string): SealedEvent {
    return { event: parseLine(line), line, traceFlags: 0 };
  }

  /** Compares the head of the sink with the chain of the log. */
  #reconcile(found: ChainHead): void {
    const head = found.sequence === 0 ? this.#host.genesis() : found;
    if (!this.#tracks) {
      this.stored = this.#before(this.#pending[0]) ?? this.#host.head();
      return;
    }
    const log = this.#host.head();
    const forked = (): AuditForkedError =>
      new AuditForkedError(this.sink.name, this.#host.name, head.sequence);
    if (head.sequence > log.sequence || head.log !== log.log) throw forked();
    if (head.sequence < this.stored.sequence) {
      throw new AuditCorruptError(
        this.sink.name,
        this.sink.name,
        head.sequence + 1,
        `events up to ${this.stored.sequence} were stored and are missing`,
      );
    }
    const known = this.#pending.find(({ event }) => event.sequence === head.sequence)?.event.hash;
    if (known !== undefined && known !== head.hash) throw forked();
    this.#pending = this.#pending.filter(({ event }) => event.sequence > head.sequence);
    const expected = this.#before(this.#pending[0]) ?? log;
    this.#behind = expected.sequence > head.sequence;
    if (!this.#behind && expected.hash !== head.hash) throw forked();
    this.stored = head;
  }

  #before(sealed: SealedEvent | undefined): ChainHead | undefined {
    return (
      sealed && {
        sequence: sealed.event.sequence - 1,
        hash: sealed.event.prev,
        log: sealed.event.log,
      }
    );
  }

  /** Waits for the sink and reports to the log when `sinkTimeoutMs` is exceeded. */
  async #timed<T>(work: () => Promise<T>, onStall?: () => void): Promise<T> {
    const { clock, sinkTimeoutMs } = this.#host;
    if (sinkTimeoutMs !== Number.POSITIVE_INFINITY) {
      this.#timer = clock.schedule(() => {
        this.health = 'stalled';
        this.error = this.#timeoutError();
        this.counts.failures++;
        this.#host.changed(this);
        onStall?.();
      }, sinkTimeoutMs);
      this.#timer.unref();
    }
    try {
      return await work();
    } finally {
      this.#timer?.cancel();
      this.#timer = undefined;
    }
  }

  #recovered(): void {
    this.health = 'ready';
    this.error = undefined;
    this.#host.changed(this);
  }

  #fail(error: unknown): void {
    this.health = 'failed';
    this.error = error;
    this.counts.failures++;
    this.#open = false;
    this.#retryAt = this.#host.clock.monotonic() + this.#host.sinkRetryMs;
  }
}
