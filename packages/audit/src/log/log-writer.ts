import { randomUUID } from 'node:crypto';
import { type Counts, messageOf } from '@temper/core/policy';
import type { AuditEvent } from '../chain/event.ts';
import { type Draft, EMPTY_HEAD, genesis } from '../chain/hash-chain.ts';
import { AuditUnavailableError } from '../errors.ts';
import type { EventOutcome } from '../semconv.ts';
import type { AuditSink, SinkState } from '../sinks/sink.ts';
import { eventCounts, measuresDurations, recordAppend, release, sinkCounts } from '../telemetry.ts';
import type { AuditLogStats, OpenReport } from './audit-log.ts';
import { Backlog, Entry } from './backlog.ts';
import { LoopTurn } from './loop-turn.ts';
import { LossCounter } from './loss-counter.ts';
import type { ResolvedAuditOptions } from './options.ts';
import { Retention } from './retention.ts';
import { RetentionGuard } from './retention-guard.ts';
import { countingSinks, requiredBy, storedBy } from './sink-rule.ts';
import type { WriterHost } from './writer-host.ts';
import { WriterQueue, type WriterQueueHost } from './writer-queue.ts';

/**
 * Assigns every event its place in the chain, adds it to the queues of all sinks, and settles the
 * caller's promise when as many sinks as the rule requires have stored it.
 *
 * The place of an event never changes. If too few sinks can store it, the caller's promise is
 * rejected (or, with `degrade`, resolved), and the event is held and stored later, so that every sink
 * always holds a prefix of the same chain. During an outage new events are not sealed: they wait for
 * the retry in progress or, with `degrade`, for the end of the outage.
 */
export class LogWriter {
  readonly name: string;
  readonly queues: readonly WriterQueue[];
  readonly guard: RetentionGuard;
  readonly #options: ResolvedAuditOptions;
  readonly #host: WriterHost;
  /** Queues of the sinks that count towards the rule. */
  readonly #counting: readonly WriterQueue[];
  readonly #required: number;
  readonly #losses: LossCounter;
  readonly #retention: Retention;
  readonly #backlog: Backlog = new Backlog();
  /** Events that are not sealed: those before the log is open, and during an outage. */
  #waiting: Entry[] = [];
  /** Number of waiting entries whose callers are already settled. */
  #settledWaiting = 0;
  #head: SinkState['head'] = EMPTY_HEAD;
  #stored = 0;
  #queued = 0;
  /** Events that no caller was told about and that will not be stored. */
  #lost = 0;
  #state: AuditLogStats['state'] = 'idle';
  #opened = false;
  #opening = false;
  #found: readonly (SinkState | undefined)[];
  readonly #counts: Counts<EventOutcome>;
  readonly #turn: LoopTurn = new LoopTurn();

  constructor(options: ResolvedAuditOptions, sinks: readonly AuditSink[], host: WriterHost) {
    this.#options = options;
    this.#host = host;
    this.name = options.name;
    this.#counts = eventCounts(this, options.telemetry);
    this.#losses = new LossCounter(() => options.clock.now());
    this.guard = new RetentionGuard(options.clock, options.maxClockStepMs, host.source);
    this.#retention = new Retention({
      log: this.name,
      announce: (details) => this.announce('retire', details),
      cover: (sequence) => host.cover(sequence),
      observeClock: () => this.#observeClock(),
      guard: this.guard,
    });
    const queueHost = this.#queueHost();
    this.queues = sinks.map(
      (sink) => new WriterQueue(sink, queueHost, sinkCounts(this, sink.name, options.telemetry)),
    );
    this.#found = sinks.map(() => undefined);
    const counting = countingSinks(sinks);
    this.#counting = this.queues.filter(({ sink }) => counting.includes(sink));
    this.#required = requiredBy(options.rule, this.#counting.length);
  }

  #queueHost(): WriterQueueHost {
    const { name, clock, sinkTimeoutMs, sinkRetryMs, holdLimit } = this.#options;
    return {
      name,
      clock,
      sinkTimeoutMs,
      sinkRetryMs,
      holdLimit,
      head: () => this.#head,
      genesis: () => genesis(this.#head.log),
      readableElsewhere: (queue) =>
        Math.max(0, ...this.#donors(queue).map(({ stored }) => stored.sequence)),
      donor: (queue, sequence) =>
        this.#donors(queue).find(({ stored }) => stored.sequence >= sequence)?.sink.source,
      changed: () => this.#evaluate(),
      byAge: () => this.guard.known.clockStepMs === 0,
      retirable: (queue, events) => this.#retention.retire(queue, events),
    };
  }

  /** Queues whose sinks can supply events to the sink of `queue`. */
  #donors(queue: WriterQueue): readonly WriterQueue[] {
    return this.queues.filter(
      ({ sink, health }) =>
        sink !== queue.sink && sink.durable && sink.source !== undefined && health === 'ready',
    );
  }

  get state(): AuditLogStats['state'] {
    return this.#state;
  }

  /** Last sequence that is durable by the rule. */
  get stored(): number {
    return this.#stored;
  }

  /** Identifier of the log, once it is open. */
  get id(): string {
    return this.#head.log;
  }

  /** Whether the log is unavailable and no failed sink is due for a retry. */
  get backingOff(): boolean {
    return (
      this.#state === 'unavailable' &&
      !this.#counting.some(({ health, retryDue }) => health === 'failed' && retryDue)
    );
  }

  /** Whether `record` has reached `queueLimit`. */
  get full(): boolean {
    return this.#queued >= this.#options.queueLimit;
  }

  pending(): number {
    return this.#backlog.size + this.#waiting.length;
  }

  /** Accepts an event, or a flush if there is no event. */
  take(
    draft: Draft | undefined,
    resolve?: (event: AuditEvent) => void,
    reject?: (error: unknown) => void,
  ): void {
    const { clock, telemetry } = this.#options;
    const startedAt = measuresDurations(telemetry) ? clock.monotonic() : 0;
    const entry = new Entry(draft, startedAt, resolve, reject);
    if (entry.queued) this.#queued++;
    if (this.#state === 'open') {
      this.#seal(entry);
      return;
    }
    this.#waiting.push(entry);
    if (this.#state === 'opening') return;
    this.#retry(false);
    this.#settleWaiting();
  }

  /** Counts an event beyond `queueLimit`. */
  drop(): void {
    this.#lost++;
    this.#counts.dropped++;
    this.#losses.add('dropped');
  }

  /** Resolves when all events accepted so far are durable. */
  flush(): Promise<void> {
    if (this.#state === 'open' && this.#backlog.size === 0) return Promise.resolve();
    if (this.#state === 'open') for (const queue of this.queues) queue.kick(true);
    else this.#retry(true);
    return new Promise((resolve, reject) => {
      this.take(undefined, () => resolve(), reject);
    });
  }

  /** Number of events lost without their callers' knowledge since the last call. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  /** Combined result of opening the sinks. */
  report(): OpenReport {
    return {
      sequence: Math.max(0, ...this.#found.map((state) => state?.head.sequence ?? 0)),
      recovered: this.#found.flatMap((state, i) =>
        state?.recovered === undefined
          ? []
          : [{ ...state.recovered, sink: (this.queues[i] as WriterQueue).sink.name }],
      ),
    };
  }

  stats(): Omit<AuditLogStats, 'checkpointed' | 'checkpointError'> {
    return {
      state: this.#state,
      sequence: this.#head.sequence,
      ...this.#counts,
      pending: this.pending(),
      sinks: this.queues.map((queue) => ({
        name: queue.sink.name,
        health: queue.health,
        sequence: queue.stored.sequence,
        held: queue.held,
        behind: queue.behind,
        failures: queue.counts.failures,
        missed: queue.missed,
        error: queue.error === undefined ? undefined : messageOf(queue.error),
      })),
    };
  }

  /**
   * Closes the sinks, each within `sinkTimeoutMs`. Events still held are lost; flush first to find out.
   *
   * @throws what the first sink failed with, after all others have been closed
   */
  async close(): Promise<void> {
    const opened = this.#state !== 'idle';
    this.#state = 'closed';
    const { telemetry } = this.#options;
    if (!opened) {
      release(this, telemetry);
      return;
    }
    const closed = await Promise.allSettled(this.queues.map((queue) => queue.close()));
    release(this, telemetry);
    for (const result of closed) if (result.status === 'rejected') throw result.reason;
  }

  /** Removes what is beyond the limits of the sinks before they are closed, for at most `sinkTimeoutMs`. */
  finishRetention(): Promise<void> {
    return this.#retention.finishAll(this.queues, this.#options);
  }

  unavailable(): AuditUnavailableError {
    const failures = this.#counting
      .filter(({ health }) => health !== 'ready' && health !== 'new')
      .map(({ sink, error }) => ({ sink: sink.name, error }));
    return new AuditUnavailableError(this.#options.name, this.#required, failures);
  }

  /** Assigns an event its place and adds it to every queue. */
  #seal(entry: Entry): void {
    const { draft } = entry;
    if (draft !== undefined) {
      this.#observeClock();
      const sealed = draft.seal(this.#head);
      this.#head = sealed.event;
      for (const queue of this.queues) queue.push(sealed);
    }
    entry.sequence = this.#head.sequence;
    this.#backlog.push(entry);
  }

  /** Before the first event of a time that the clock has jumped to, so that a crash does not hide it. */
  #observeClock(): void {
    const stepMs = this.#opened ? this.guard.observe() : undefined;
    if (stepMs === undefined) return;
    this.guard.state({ action: 'clock', details: { stepMs } });
    this.#note('clock', 'failure', { stepMs });
  }

  /** Resolves when no sink is removing events. */
  retentionSettled(): Promise<void> {
    return this.#retention.settled();
  }

  get #available(): boolean {
    let ready = 0;
    for (const queue of this.#counting) if (queue.health === 'ready') ready++;
    return ready >= this.#required;
  }

  /** Updates the state of the log after a change of a queue. */
  #evaluate(): void {
    if (this.#state === 'opening' || this.#state === 'closed') return;
    this.#settleStored();
    const available = this.#opened && this.#available;
    if (available && this.#state === 'unavailable') this.#becomeAvailable();
    else if (!available && this.#state === 'open') this.#becomeUnavailable();
    if (this.#state === 'unavailable') this.#settleWaiting();
    else if (!this.#losses.empty && this.#queued * 2 <= this.#options.queueLimit) this.#logLosses();
  }

  /** Settles entries that have become durable. */
  #settleStored(): void {
    const stored =
      this.#counting.length === 1
        ? (this.#counting[0] as WriterQueue).stored.sequence
        : storedBy(
            this.#required,
            this.#counting.map((queue) => queue.stored.sequence),
          );
    if (stored > this.#stored) this.#stored = stored;
    const { clock, telemetry } = this.#options;
    const now = measuresDurations(telemetry) ? clock.monotonic() : 0;
    let count = 0;
    for (let entry = this.#backlog.take(stored); entry; entry = this.#backlog.take(stored)) {
      const { draft, startedAt, queued } = entry;
      if (queued) this.#queued--;
      if (draft === undefined) {
        entry.resolve?.(undefined as never);
        continue;
      }
      count++;
      if (startedAt > 0 && now > 0) recordAppend(this.name, now - startedAt, telemetry);
      this.#host.stored(draft.event);
      entry.resolve?.(draft.event);
    }
    this.#counts.stored += count;
  }

  /** Too few sinks are ready: settles all waiting callers. */
  #becomeUnavailable(): void {
    this.#state = 'unavailable';
    for (const entry of this.#backlog) {
      if (entry.draft === undefined) entry.reject?.(this.unavailable());
      else if (entry.resolve !== undefined) this.#settleUnstored(entry, 'held');
      entry.resolve = entry.reject = undefined;
    }
  }

  #becomeAvailable(): void {
    this.#state = 'open';
    this.#logLosses();
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#settledWaiting = 0;
    for (const entry of waiting) this.#seal(entry);
    this.#settleStored(); // settles a flush with no event before it
  }

  /** Records in the log how many events were refused, degraded or dropped. */
  #logLosses(): void {
    const report = this.#losses.take();
    if (report === undefined) return;
    const until = new Date(this.#options.clock.now()).toISOString();
    this.#note('account', 'failure', { ...report, until });
  }

  /** Retries the sinks that are due, or all with `force`. */
  #retry(force: boolean): void {
    if (this.#opened) {
      for (const queue of this.queues) queue.kick(force);
    } else if (!this.#opening && (force || !this.backingOff)) {
      void this.#open();
    }
  }

  /** During an outage, settles the waiting callers if no retry is in progress. */
  #settleWaiting(): void {
    const trying = this.#opened ? this.#counting.some((queue) => queue.trying) : this.#opening;
    if (trying || this.#state !== 'unavailable') return;
    const degrade = this.#options.whenUnavailable === 'degrade';
    const kept = degrade ? this.#waiting.slice(0, this.#settledWaiting) : [];
    for (const entry of this.#waiting.slice(this.#settledWaiting)) {
      if (entry.draft === undefined) entry.reject?.(this.unavailable());
      else if (degrade && kept.length < this.#options.holdLimit) {
        kept.push(entry);
        if (entry.resolve !== undefined) this.#settleUnstored(entry, 'held');
      } else {
        if (entry.queued) this.#queued--;
        if (entry.queued || degrade) this.#lost++;
        this.#settleUnstored(entry, 'dropped');
      }
      entry.resolve = entry.reject = undefined;
    }
    this.#waiting = kept;
    this.#settledWaiting = kept.length;
  }

  /** Settles the caller of an event that is not durable: rejects, or resolves with `degrade`. */
  #settleUnstored({ draft, resolve, reject }: Entry, event: 'held' | 'dropped'): void {
    const degrade = this.#options.whenUnavailable === 'degrade';
    const outcome = !degrade ? 'refused' : event === 'held' ? 'degraded' : 'dropped';
    this.#counts[outcome]++;
    this.#losses.add(outcome);
    const error = degrade ? undefined : this.unavailable();
    const settle = (): void => {
      if (error !== undefined) reject?.(error);
      else if (draft !== undefined) resolve?.(Object.freeze({ ...draft.event }));
    };
    const turn = this.#turn.step();
    if (turn === undefined) settle();
    else void turn.then(settle);
  }

  #note(action: string, status: string, details: object): void {
    // With a resolve function the entry does not count towards queueLimit.
    const draft = this.#host.note(action, status, details);
    this.#seal(new Entry(draft, 0, () => undefined));
  }

  /** States something in the log, and waits until the statement is durable. */
  announce(action: string, details: object): Promise<AuditEvent> {
    if (this.#state !== 'open') return Promise.reject(this.unavailable());
    const draft = this.#host.note(action, 'success', details);
    return new Promise((resolve, reject) => this.#seal(new Entry(draft, 0, resolve, reject)));
  }

  /** Opens the sinks that are not open, and the log if enough sinks are open. */
  async #open(): Promise<void> {
    this.#opening = true;
    if (this.#state === 'idle') this.#state = 'opening';
    this.#found = await Promise.all(this.queues.map((queue, i) => this.#found[i] ?? queue.begin()));
    this.#opening = false;
    if (this.#state === 'closed') return;
    const deciding = this.#counting.map((queue) => this.#found[this.queues.indexOf(queue)]?.head);
    const present = deciding.filter((head) => head !== undefined);
    if (present.length >= this.#required) this.#join(present);
    if (this.#state === 'opening') this.#state = 'unavailable';
    this.#evaluate();
  }

  /** Continues from the longest chain among the sinks. */
  #join(heads: readonly SinkState['head'][]): void {
    for (const head of heads) if (head.sequence > this.#head.sequence) this.#head = head;
    if (this.#head.sequence === 0) this.#head = genesis(this.#options.id ?? randomUUID());
    this.guard.begin(this.#head);
    this.#opened = true;
    this.#state = 'unavailable';
    this.queues.forEach((queue, i) => {
      const state = this.#found[i];
      if (state !== undefined) queue.join(state, this.#options.id);
    });
    const { recovered } = this.report();
    if (!this.#available) return;
    this.#state = 'open';
    for (const repair of recovered) this.#note('recover', 'success', repair);
    this.#becomeAvailable();
  }
}
