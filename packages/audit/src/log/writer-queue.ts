import { type Clock, OperationTimeoutError, type Scheduled } from '@temper/core';
import { type ChainHead, EMPTY_HEAD, parseLine, type SealedEvent } from '../chain/hash-chain.ts';
import { AuditCorruptError, AuditForkedError } from '../errors.ts';
import type {
  AuditSink,
  AuditSource,
  SinkNews,
  SinkState,
  StoredCheckpoint,
} from '../sinks/sink.ts';

/** Most events handed to a sink at once. */
const MAX_BATCH = 4_096;
/**
 * Pending events that are worth a write of their own, without waiting for the rest of a burst: the
 * disk then works on these while the others are being made ready.
 */
const EARLY_BATCH = 256;

/** What a queue needs of the log. */
export interface WriterQueueHost {
  readonly name: string;
  readonly clock: Clock;
  readonly sinkTimeoutMs: number;
  readonly sinkRetryMs: number;
  readonly holdLimit: number;
  /** Where the log's chain stands. */
  head(): ChainHead;
  /** The last sequence that this queue could read back from another one. */
  readableElsewhere(queue: WriterQueue): number;
  /** Another sink from which this queue can read the events after `sequence`. */
  donor(queue: WriterQueue, sequence: number): AuditSource | undefined;
  /** The queue has stored more, has failed, or is back. */
  changed(queue: WriterQueue): void;
  /** A try of the sink failed or took too long. */
  failed(queue: WriterQueue): void;
  /** The sink did something that belongs in the log. */
  news(queue: WriterQueue, news: SinkNews): void;
}

/** `ready` takes events; `failed` has refused some; `stalled` has been asked and has not answered. */
export type SinkHealth = 'new' | 'ready' | 'failed' | 'stalled';

/**
 * The way to one sink. It hands over what is pending in one batch after another, so that all events
 * that arrive during a write share the next one; it times, repairs and retries; and it keeps the
 * promise that every sink holds a beginning of the one chain, without a gap.
 */
export class WriterQueue {
  readonly sink: AuditSink;
  /** The last event that the sink has stored. */
  stored: ChainHead = EMPTY_HEAD;
  health: SinkHealth = 'new';
  /** Why it is not ready. */
  error: unknown;
  /** Tries that failed. */
  failures = 0;
  /** Events that a sink without a chain of its own will never get, as it was away for too long. */
  missed = 0;
  readonly #host: WriterQueueHost;
  #pending: SealedEvent[] = [];
  #busy = false;
  /** To be started at the end of this turn, so that what comes in it goes along. */
  #scheduled = false;
  #running: Promise<void> = Promise.resolve();
  #open = false;
  /** Events between the stored and the pending ones must be read from another sink. */
  #behind = false;
  #retryAt = 0;
  #timer: Scheduled | undefined;

  constructor(sink: AuditSink, host: WriterQueueHost) {
    this.sink = sink;
    this.#host = host;
  }

  /** Whether the sink keeps a chain of its own that has to go on without a gap. */
  get #tracks(): boolean {
    return this.sink.durable && this.sink.source !== undefined;
  }

  /** Whether a try is under way whose end may still be a good one. */
  get trying(): boolean {
    return this.#busy && this.health !== 'stalled';
  }

  /** How many events the log holds for this sink. */
  get held(): number {
    return this.#pending.length;
  }

  /** Whether the sink is missing events that are no longer held. */
  get behind(): boolean {
    return this.#behind;
  }

  /**
   * Opens the sink for the first time. Never rejects, and does not wait for a sink that stalls: what
   * went wrong shows in {@link health}.
   */
  begin(): Promise<SinkState | undefined> {
    if (this.#busy) return Promise.resolve(undefined);
    this.#busy = true;
    return new Promise((resolve) => {
      this.#timed(
        () => this.sink.open(this.#host.name),
        () => resolve(undefined),
      )
        .then(
          (state) => {
            // One that opened only after the log went on without it is opened again in its turn.
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
  }

  /** Goes on from what {@link begin} found, when the log has decided where its chain stands. */
  join(state: SinkState): void {
    try {
      this.#reconcile(state.head);
      this.health = 'ready';
      this.kick();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Takes an event to be stored. */
  push(sealed: SealedEvent): void {
    this.#pending.push(sealed);
    if (this.#scheduled && this.#pending.length >= EARLY_BATCH) {
      this.#start();
      return;
    }
    if (this.#pending.length > this.#host.holdLimit) this.#shed();
    this.kick();
  }

  /** Lets go of held events that a slow or failed sink can be given later, or will have to miss. */
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

  /** Sees to it that pending events are being written, unless the sink has just failed. */
  kick(force = false): void {
    if (this.#busy) return;
    if (this.health === 'failed' && !force && !this.retryDue) return;
    if (this.health === 'new') return;
    if (this.#open && this.#pending.length === 0 && !this.#behind) return;
    this.#busy = true;
    this.#scheduled = true;
    queueMicrotask(this.#start);
  }

  readonly #start = (): void => {
    if (!this.#scheduled) return;
    this.#scheduled = false;
    this.#running = this.#run();
  };

  /** Whether enough time has passed since the last failure. */
  get retryDue(): boolean {
    return this.#host.clock.monotonic() >= this.#retryAt;
  }

  /** Keeps a checkpoint, if the sink has all that it covers. */
  async saveCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    if (this.health === 'ready' && this.stored.sequence >= checkpoint.size) {
      await this.sink.saveCheckpoint?.(checkpoint);
    }
  }

  /** Releases the sink, when what it is doing is done or has taken too long. */
  async close(): Promise<void> {
    while (this.trying) {
      this.#start();
      await this.#running;
    }
    this.#open = false;
    await this.sink.close();
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
    const news = await this.#timed(() => this.sink.write(batch));
    this.stored = (batch[batch.length - 1] as SealedEvent).event;
    if (news !== undefined) this.#host.news(this, news);
  }

  /** Reads what the sink is missing from another one, until what is pending continues it. */
  async #catchUp(): Promise<void> {
    for (;;) {
      const to = (this.#pending[0]?.event.sequence ?? this.#host.head().sequence + 1) - 1;
      const from = this.stored.sequence + 1;
      if (from > to) break;
      const donor = this.#host.donor(this, to);
      if (donor === undefined) throw new Error(`no other sink has events ${from} to ${to}`);
      for await (const lines of donor.read({ from, to })) {
        await this.#store(lines.map((line) => this.#borrowed(line)));
      }
      if (this.stored.sequence < from) throw new Error(`event ${from} is in no other sink`);
    }
    this.#behind = false;
  }

  /** A line from another sink, which has to continue what this one has. */
  #borrowed(line: string): SealedEvent {
    return { event: parseLine(line), line, traceFlags: 0 };
  }

  /** Sets what the sink says it holds against what the log knows. */
  #reconcile(head: ChainHead): void {
    if (!this.#tracks) {
      this.stored = this.#before(this.#pending[0]) ?? this.#host.head();
      return;
    }
    const log = this.#host.head();
    const forked = (): AuditForkedError =>
      new AuditForkedError(this.sink.name, this.#host.name, head.sequence);
    if (head.sequence > log.sequence) throw forked();
    if (head.sequence < this.stored.sequence) {
      throw new AuditCorruptError(
        this.sink.name,
        this.sink.name,
        head.sequence + 1,
        `events up to ${this.stored.sequence} had been stored and are gone`,
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
    return sealed && { sequence: sealed.event.sequence - 1, hash: sealed.event.prev };
  }

  /** Waits for the sink, and lets the log know when it takes too long. */
  async #timed<T>(work: () => Promise<T>, onStall?: () => void): Promise<T> {
    const { clock, sinkTimeoutMs } = this.#host;
    if (sinkTimeoutMs !== Number.POSITIVE_INFINITY) {
      this.#timer = clock.schedule(() => {
        this.health = 'stalled';
        this.error = new OperationTimeoutError(this.sink.name, sinkTimeoutMs);
        this.failures++;
        this.#host.failed(this);
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
    this.failures++;
    this.#open = false;
    this.#retryAt = this.#host.clock.monotonic() + this.#host.sinkRetryMs;
    this.#host.failed(this);
  }
}
