import { randomFillSync } from 'node:crypto';
import {
  type Counts,
  messageOf,
  type Scheduled,
  type TimeoutEntry,
  TimeoutQueue,
} from '@temper/core/policy';
import type { AuditEvent, AuditEventInput } from '../chain/event.ts';
import { FORMAT } from '../chain/hash-chain.ts';
import { AuditClosedError, AuditLossError, AuditUnavailableError } from '../errors.ts';
import type { AuditWriter, AuditWriterStats, OpenReport } from '../log/audit-log.ts';
import { type PlainInput, plainInput } from '../log/intake/plain-input.ts';
import { MASK } from '../log/intake/redaction.ts';
import { uuidV7Generator } from '../log/intake/uuid-v7.ts';
import { LoopTurn } from '../log/loop-turn.ts';
import { LossCounter } from '../log/loss-counter.ts';
import { withinTime } from '../log/time-limit.ts';
import type { EventOutcome } from '../semconv.ts';
import {
  activeSpan,
  eventCounts,
  measuresDurations,
  observePending,
  recordAppend,
  release,
} from '../telemetry.ts';
import {
  type ResolvedClientOptions,
  resolveClientOptions,
  type SocketLogOptions,
} from './client-options.ts';
import { Connection } from './connection.ts';
import { PendingEvent } from './pending-event.ts';
import {
  errorFrom,
  eventBody,
  lossesBody,
  parseAnswer,
  readyRequest,
  storeRequest,
} from './protocol.ts';

/**
 * Appends to the log that `serveLog` serves at a path, from another process. It connects with the first event.
 *
 * Every event has an id from here, so that one whose acknowledgement was lost with the connection, or with the
 * server, is sent again and stored once. Redaction, limits and the timestamp are those of the log; the span is
 * the one that is active here.
 *
 * @throws {TypeError | RangeError} if an option is invalid, see {@link SocketLogOptions}
 */
export function socketLog(options: SocketLogOptions): AuditWriter {
  return new SocketLog(resolveClientOptions(options));
}

class SocketLog implements AuditWriter {
  readonly name: string;
  readonly #options: ResolvedClientOptions;
  readonly #nextId: () => string;
  readonly #counts: Counts<EventOutcome>;
  readonly #losses: LossCounter;
  readonly #observed: Disposable;
  readonly #turn: LoopTurn = new LoopTurn();
  /** Of calls, from their beginning; and of what was sent, from then on. */
  readonly #timeouts: TimeoutQueue | undefined;
  #state: AuditWriterStats['state'] = 'idle';
  #connection: Connection | undefined;
  /** In order; those that have been sent before come first. */
  #waiting: PendingEvent[] = [];
  /** Sent over this connection, by number of the request. */
  readonly #sent: Map<number, PendingEvent> = new Map();
  #number = 0;
  /** A sequence that no event has that is sent from now on. */
  #after = 0;
  /** The last failure, until something has been stored again. */
  #failure: AuditUnavailableError | undefined;
  #retryAt = 0;
  #retry: Scheduled | undefined;
  #queued = 0;
  #held = 0;
  #lost = 0;
  /** Whether the log is being told of losses. */
  #reporting = false;
  /** Whether this connection has brought an answer. */
  #answered = false;
  /** Whether something was acknowledged since the log has last confirmed that all is durable. */
  #unconfirmed = false;
  #flushes: Flush[] = [];
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedClientOptions) {
    const { name, clock, telemetry, timeoutMs } = options;
    this.name = name;
    this.#options = options;
    this.#nextId = uuidV7Generator(() => clock.now(), randomFillSync);
    this.#counts = eventCounts(this, telemetry);
    this.#losses = new LossCounter(() => clock.now());
    this.#observed = observePending(this, telemetry);
    if (timeoutMs !== Number.POSITIVE_INFINITY) this.#timeouts = new TimeoutQueue(clock, timeoutMs);
  }

  append(event: AuditEventInput): Promise<AuditEvent> {
    if (this.#closing !== undefined) return Promise.reject(new AuditClosedError(this.name));
    let id: string;
    let input: PlainInput;
    try {
      input = plainInput(event);
      id = this.#nextId();
    } catch (error) {
      return Promise.reject(error);
    }
    const body = eventBody(id, input, activeSpan());
    const at = this.#options.clock.now();
    return new Promise((resolve, reject) => {
      const placeholder = (): AuditEvent => unstored(id, at, input);
      this.#take(new PendingEvent('append', body, this.#startedAt(), resolve, reject, placeholder));
    });
  }

  record(event: AuditEventInput): void {
    if (this.#closing !== undefined) throw new AuditClosedError(this.name);
    const input = plainInput(event);
    if (this.#queued >= this.#options.queueLimit) {
      this.#lose();
      return;
    }
    this.#queued++;
    const body = eventBody(this.#nextId(), input, activeSpan());
    this.#take(new PendingEvent('record', body, this.#startedAt()));
  }

  #startedAt(): number {
    const { clock, telemetry } = this.#options;
    return measuresDurations(telemetry) ? clock.monotonic() : 0;
  }

  ready(): Promise<OpenReport> {
    if (this.#closing !== undefined) return Promise.reject(new AuditClosedError(this.name));
    this.#retryAt = 0;
    return new Promise((resolve, reject) => {
      this.#take(new PendingEvent('ready', '', 0, resolve, reject));
    });
  }

  assertAvailable(): void {
    if (this.#closing !== undefined) throw new AuditClosedError(this.name);
    if (this.#failure !== undefined && this.#backingOff) throw this.#failure;
  }

  /** Whether the last attempt has failed and no other is due. */
  get #backingOff(): boolean {
    return (
      this.#failure !== undefined &&
      this.#state !== 'opening' &&
      this.#options.clock.monotonic() < this.#retryAt
    );
  }

  #take(entry: PendingEvent): void {
    if (entry.awaited && this.#backingOff) {
      this.#settleUnstored(entry, this.#failure as AuditUnavailableError, true);
    } else if (entry.awaited) {
      entry.deadline = this.#timeouts?.add(() => this.#tooLate(entry));
    }
    if (!entry.over) this.#waiting.push(entry);
    this.#proceed();
  }

  /** Connects, or sends what waits, or does so as soon as it is time. */
  #proceed(): void {
    if (this.#state === 'closed' || this.#state === 'opening') return;
    if (this.#waiting.length === 0) {
      this.#connection?.keepAlive(this.#sent.size > 0);
      return;
    }
    const { clock } = this.#options;
    const waitMs = this.#failure === undefined ? 0 : this.#retryAt - clock.monotonic();
    if (waitMs > 0) this.#retryIn(waitMs);
    else if (this.#connection === undefined) void this.#connect();
    else this.#send(this.#connection);
  }

  #retryIn(ms: number): void {
    this.#retry?.cancel();
    this.#retry = this.#options.clock.schedule(() => this.#proceed(), ms);
    // What is only held must not keep the process alive; close() waits for it.
    if (!this.#waiting.some(({ awaited, over }) => awaited && !over)) this.#retry.unref();
  }

  async #connect(): Promise<void> {
    this.#state = 'opening';
    const { path, serverUid, timeoutMs, clock } = this.#options;
    const connection = new Connection({
      name: this.name,
      path,
      serverUid,
      timeoutMs,
      clock,
      answer: (line) => this.#answer(line),
      writable: () => this.#proceed(),
      ended: (error) => this.#disconnected(error),
    });
    let after: number;
    try {
      after = await connection.open();
    } catch (error) {
      if (this.#isClosed) return;
      this.#state = 'unavailable';
      this.#failed(this.#unavailable(error));
      return;
    }
    if (this.#isClosed) connection.destroy();
    else this.#connected(connection, after);
  }

  get #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #connected(connection: Connection, after: number): void {
    // A server that was started again can have less than the one before it has assigned.
    this.#after = after;
    for (const entry of this.#waiting) {
      if (entry.sentAfter !== undefined) entry.sentAfter = Math.min(entry.sentAfter, after);
    }
    this.#connection = connection;
    this.#answered = false;
    this.#state = 'open';
    this.#failure = undefined;
    this.#reportLosses();
    this.#proceed();
  }

  #unavailable(error: unknown): AuditUnavailableError {
    return new AuditUnavailableError(this.name, 1, [{ sink: 'socket', error }]);
  }

  #send(connection: Connection): void {
    connection.keepAlive(true);
    let done = 0;
    for (const entry of this.#waiting) {
      if (connection.blocked) break;
      done++;
      if (entry.over) continue;
      const n = ++this.#number;
      this.#sent.set(n, entry);
      const { kind, body, sentAfter } = entry;
      if (kind === 'ready') connection.send(readyRequest(n));
      else connection.send(storeRequest(n, body, kind !== 'append', sentAfter));
      entry.sentAfter ??= this.#after;
      // What was sent is sent again, to this server or the next.
      const error = new Error(`no answer came within ${this.#options.timeoutMs} ms`);
      entry.answerBy = this.#timeouts?.add(() => connection.destroy(error));
    }
    this.#waiting = done === this.#waiting.length ? [] : this.#waiting.slice(done);
  }

  #disconnected(error: Error): void {
    this.#connection = undefined;
    for (const { answerBy } of this.#sent.values()) this.#forget(answerBy);
    this.#waiting = [...this.#sent.values(), ...this.#waiting].filter(({ over }) => !over);
    this.#sent.clear();
    if (this.#isClosed) return;
    this.#state = 'idle';
    if (this.#waiting.length === 0) return;
    // A server that dies of what it is sent must not be sent it in a loop.
    if (this.#answered) void this.#connect();
    else this.#failed(this.#unavailable(error));
  }

  /** After an attempt that has failed: settles those whose fate is known, and tries again for the others. */
  #failed(failure: AuditUnavailableError): void {
    this.#backOff(failure);
    if (this.#state !== 'open') this.#state = 'unavailable';
    const waiting = this.#waiting.filter(({ over }) => !over);
    for (const entry of waiting) {
      // What was sent can be stored without our knowing.
      const unknown = entry.kind === 'append' && entry.sentAfter !== undefined;
      if (entry.awaited && !unknown) this.#settleUnstored(entry, failure, true);
    }
    this.#waiting = waiting.filter(({ over }) => !over);
    this.#proceed();
  }

  #backOff(failure: AuditUnavailableError): void {
    this.#failure = failure;
    this.#retryAt = this.#options.clock.monotonic() + this.#options.retryMs;
    const flushes = this.#flushes;
    this.#flushes = [];
    for (const { reject } of flushes) reject(failure);
  }

  /** A call has waited for `timeoutMs`. If its event is held, it stays where it is. */
  #tooLate(entry: PendingEvent): void {
    const error = new Error(`no acknowledgement came within ${this.#options.timeoutMs} ms`);
    this.#settleUnstored(entry, this.#failure ?? this.#unavailable(error), true);
  }

  /**
   * Settles a caller whose event is not acknowledged: rejects, or with `degrade` resolves and holds the event.
   *
   * @param ours - whether the log does not know of it, and is told later
   */
  #settleUnstored(entry: PendingEvent, failure: AuditUnavailableError, ours: boolean): void {
    const { kind, resolve, reject, placeholder } = entry;
    this.#forget(entry.deadline);
    if (kind === 'ready' || this.#options.whenUnavailable === 'refuse') {
      this.#end(entry);
      if (kind === 'append') this.#count('refused', ours);
      this.#settle(() => reject?.(failure));
      return;
    }
    if (this.#held < this.#options.holdLimit) {
      this.#held++;
      entry.kind = 'held';
      this.#count('degraded', ours);
    } else {
      this.#end(entry);
      this.#lose();
    }
    this.#settle(() => resolve?.(placeholder?.() as never));
  }

  /** A caller in a loop must not keep the event loop from turning. */
  #settle(settle: () => void): void {
    const turn = this.#turn.step();
    if (turn === undefined) settle();
    else void turn.then(settle);
  }

  #count(outcome: 'refused' | 'degraded' | 'dropped', ours: boolean): void {
    this.#counts[outcome]++;
    if (ours) this.#losses.add(outcome);
  }

  /** Counts an event that will not be stored and whose caller does not know it. */
  #lose(): void {
    this.#lost++;
    this.#count('dropped', true);
  }

  /** Has the log record what was not stored as requested. */
  #reportLosses(): void {
    if (this.#reporting) return;
    const report = this.#losses.take();
    if (report === undefined) return;
    this.#reporting = true;
    const until = new Date(this.#options.clock.now()).toISOString();
    const body = lossesBody(this.#nextId(), { ...report, until });
    this.#waiting.unshift(new PendingEvent('losses', body, 0));
  }

  /** @throws {TypeError | Error} if it answers no request: the connection is then of no use */
  #answer(line: string): void {
    const answer = parseAnswer(line);
    const entry = this.#sent.get(answer.n);
    if (entry === undefined) {
      const said = 'error' in answer ? `: ${messageOf(answer.error)}` : '';
      throw new Error(`the server has answered what it was not asked${said}`);
    }
    this.#answered = true;
    this.#sent.delete(answer.n);
    this.#forget(entry.answerBy);
    if ('error' in answer) {
      this.#rejected(entry, errorFrom(this.name, answer.error));
    } else {
      this.#failure = undefined;
      if ('report' in answer) this.#resolved(entry, answer.report);
      else if ('event' in answer) this.#stored(entry, answer.event.sequence, answer.event);
      else this.#stored(entry, answer.sequence, undefined);
    }
    if (!this.#losses.empty && this.#queued * 2 <= this.#options.queueLimit) this.#reportLosses();
    this.#proceed();
  }

  #stored(entry: PendingEvent, sequence: number, event: AuditEvent | undefined): void {
    this.#after = Math.max(this.#after, sequence);
    this.#unconfirmed = true;
    if (entry.over) return;
    const { clock, telemetry } = this.#options;
    if (entry.kind !== 'losses') this.#counts.stored++;
    if (entry.startedAt > 0) {
      recordAppend(this.name, clock.monotonic() - entry.startedAt, telemetry);
    }
    this.#resolved(entry, event === undefined ? undefined : frozen(event));
  }

  #resolved(entry: PendingEvent, value: unknown): void {
    if (entry.over) return;
    this.#end(entry);
    entry.resolve?.(value as never);
  }

  /** The server has answered that the event is not stored. */
  #rejected(entry: PendingEvent, error: Error): void {
    const unavailable = error instanceof AuditUnavailableError;
    if (unavailable) this.#backOff(error);
    if (entry.over) return;
    if (!unavailable) {
      const { kind } = entry;
      this.#end(entry);
      if (kind === 'record' || kind === 'held') this.#lose();
      entry.reject?.(error);
      return;
    }
    // The log has counted the refusal already.
    if (entry.awaited) this.#settleUnstored(entry, error, false);
    if (!entry.over) this.#waiting.push(entry);
  }

  /** The event is settled for good. */
  #end(entry: PendingEvent): void {
    entry.over = true;
    this.#forget(entry.deadline);
    if (entry.kind === 'record') this.#queued--;
    else if (entry.kind === 'held') this.#held--;
    else if (entry.kind === 'losses') this.#reporting = false;
    for (const { left } of this.#flushes) left.delete(entry);
    this.#flushes = this.#flushes.filter(({ left, resolve }) => {
      if (left.size > 0) return true;
      resolve();
      return false;
    });
  }

  #forget(timeout: TimeoutEntry | undefined): void {
    if (timeout !== undefined) this.#timeouts?.remove(timeout);
  }

  async flush(): Promise<void> {
    await this.#flushPending();
    this.#throwLost();
  }

  /** Waits until everything pending is settled, and durable in a log that acknowledges earlier. */
  async #flushPending(): Promise<void> {
    const left = new Set(this.#open());
    if (left.size > 0) {
      this.#retryAt = 0;
      await new Promise<void>((resolve, reject) => {
        this.#flushes.push({ left, resolve, reject });
        this.#proceed();
      });
    }
    if (!this.#unconfirmed || this.#connection === undefined) return;
    this.#unconfirmed = false;
    try {
      await new Promise<OpenReport>((resolve, reject) => {
        this.#take(new PendingEvent('ready', '', 0, resolve, reject));
      });
    } catch (error) {
      // What is acknowledged stays so when the server has ended.
      if (this.#connection !== undefined) throw error;
    }
  }

  #throwLost(): void {
    const lost = this.#lost;
    this.#lost = 0;
    if (lost > 0) throw new AuditLossError(this.name, lost);
  }

  /** What is not settled. */
  #open(): PendingEvent[] {
    return [...this.#sent.values(), ...this.#waiting].filter(({ over }) => !over);
  }

  pending(): number {
    return this.#open().filter(({ kind }) => kind !== 'ready').length;
  }

  stats(): AuditWriterStats {
    const failing = this.#state === 'open' && this.#failure !== undefined;
    return {
      state: failing ? 'unavailable' : this.#state,
      ...this.#counts,
      pending: this.pending(),
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const failure = await this.#drain();
    this.#state = 'closed';
    this.#retry?.cancel();
    for (const entry of this.#open()) {
      if (entry.kind === 'record' || entry.kind === 'held') this.#lost++;
      this.#end(entry);
      this.#forget(entry.answerBy);
      entry.reject?.(failure);
    }
    this.#connection?.end();
    this.#observed[Symbol.dispose]();
    release(this, this.#options.telemetry);
    this.#throwLost();
    if (failure !== undefined) throw failure;
  }

  /** Tries to have everything stored for `timeoutMs`. Returns what it failed with. */
  async #drain(): Promise<unknown> {
    const { clock, timeoutMs, retryMs } = this.#options;
    const until = clock.monotonic() + timeoutMs;
    for (;;) {
      const leftMs = until - clock.monotonic();
      const late = (): Error => this.#unavailable(new Error(`not closed within ${timeoutMs} ms`));
      try {
        await withinTime(clock, Math.max(leftMs, 0), () => this.#flushPending(), late);
        return undefined;
      } catch (error) {
        if (leftMs <= retryMs || this.#open().length === 0) return error;
      }
      await clock.sleep(Math.max(retryMs, 1));
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A flush, with what it waits for. */
interface Flush {
  readonly left: Set<PendingEvent>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What the caller gets whose event is held. It is not redacted here, so it has only the words. */
function unstored(id: string, at: number, input: PlainInput): AuditEvent {
  const { eventType, action, status } = input;
  return Object.freeze({
    id,
    sequence: 0,
    timestamp: new Date(at).toISOString(),
    eventType,
    action,
    resource: MASK,
    status,
    details: Object.freeze({}),
    v: FORMAT,
    log: '',
    prev: '',
    hash: '',
  });
}

function frozen<T extends object>(value: T): T {
  for (const item of Object.values(value)) {
    if (typeof item === 'object' && item !== null) frozen(item as object);
  }
  return Object.freeze(value);
}
