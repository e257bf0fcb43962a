import { OperationTimeoutError } from '@temper/core';
import {
  checkName,
  messageOf,
  methodsRule,
  noteEnding,
  notify,
  type Scheduled,
} from '@temper/core/policy';
import { type ChainHead, parseLine } from '../chain/hash-chain.ts';
import { lineSequence } from '../chain/line-fields.ts';
import type { AuditLog } from '../log/audit-log.ts';
import { withinTime } from '../log/time-limit.ts';
import type { ShipCursor } from './cursor.ts';
import { ShipError, type ShipErrorReason } from './ship-error.ts';
import { type ResolvedShipOptions, resolveShipOptions, type ShipOptions } from './ship-options.ts';
import type { ShippedEvent, ShipTarget } from './ship-target.ts';
import { errorCounts, type ObservedShipping, observeLag } from './telemetry.ts';

/** Numbers on the shipping of a log to a target. */
export interface ShippingStats {
  /** Sequence of the last event that the target has stored; 0 before the first. */
  readonly shipped: number;
  /** Events that it has not stored yet, as of the last look at the log. */
  readonly lag: number;
  /** Number of failures. */
  readonly errors: number;
  /** The error that has stopped shipping; undefined while it goes on. */
  readonly stopped: ShipError | undefined;
}

/** A log that is being shipped. */
export interface Shipping extends AsyncDisposable {
  /**
   * Resolves when the target has stored every event that is in the log now.
   *
   * @throws {ShipError} when an attempt fails; shipping goes on unless it has stopped
   */
  flush(): Promise<void>;
  stats(): ShippingStats;
  /** Stops. A batch that is being sent is aborted, and sent again when shipping is started anew. */
  close(): Promise<void>;
}

/**
 * Ships the events of a log to a target, at least once and in order, beginning after the last event that
 * the target is known to have stored. Memory is bounded by one batch, and what the log's source reads at
 * a time. Does not keep the process alive.
 *
 * @param log - a log, of which only durable events are shipped, or the name and source of one that another
 *   process writes
 * @param target - a target, or a function to call with each batch, named by its `name`
 * @throws {TypeError | RangeError} if an argument is invalid, see {@link ShipOptions}
 */
export function ship(
  log: ShippedLog,
  target: ShipTarget | ShipTarget['send'],
  options: ShipOptions,
): Shipping {
  const checked = typeof target === 'function' ? { name: target.name, send: target } : target;
  methodsRule('send')('ship', 'target', checked);
  checkName('ship: target', checked.name);
  return new LogShipping(log, checked, resolveShipOptions(options));
}

/** What shipping needs of a log. */
type ShippedLog = Pick<AuditLog, 'name' | 'source'> & Partial<Pick<AuditLog, 'stats'>>;

/** Somebody who waits for everything to be shipped. */
interface Waiter {
  resolve(): void;
  reject(error: ShipError): void;
}

class LogShipping implements Shipping, ObservedShipping {
  readonly name: string;
  readonly target: string;
  readonly #log: ShippedLog;
  readonly #target: ShipTarget;
  readonly #options: ResolvedShipOptions;
  readonly #counts: ReturnType<typeof errorCounts>;
  readonly #observed: Disposable;
  readonly #closed = new AbortController();
  readonly #done: Promise<void>;
  #cursor: ShipCursor | undefined;
  /** Last sequence of the log, as of the last look. */
  #last = 0;
  #failures = 0;
  #stopped: ShipError | undefined;
  /** Those who wait for a look at the log that has not begun yet, and for the present one. */
  #next: Waiter[] = [];
  #waiting: Waiter[] = [];
  #timer: Scheduled | undefined;
  #wake: () => void = () => undefined;

  constructor(log: ShippedLog, target: ShipTarget, options: ResolvedShipOptions) {
    this.name = log.name;
    this.target = target.name;
    this.#log = log;
    this.#target = target;
    this.#options = options;
    this.#counts = errorCounts(this, options.telemetry);
    this.#observed = observeLag(this, options.telemetry);
    this.#done = this.#run();
  }

  lag(): number {
    return Math.max(0, this.#last - (this.#cursor?.sequence ?? 0));
  }

  stats(): ShippingStats {
    return {
      shipped: this.#cursor?.sequence ?? 0,
      lag: this.lag(),
      errors: this.#counts.errors,
      stopped: this.#stopped,
    };
  }

  async flush(): Promise<void> {
    if (this.#stopped !== undefined) throw this.#stopped;
    if (this.#closed.signal.aborted) throw this.#error('log', 'it has been closed');
    await new Promise<void>((resolve, reject) => {
      this.#next.push({ resolve, reject });
      this.#wake();
    });
  }

  async close(): Promise<void> {
    this.#closed.abort(this.#error('log', 'it has been closed'));
    this.#wake();
    await this.#done;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run(): Promise<void> {
    let begun = false;
    await undefined; // a flush that follows at once waits for the first look at the log
    while (!this.#closed.signal.aborted && this.#stopped === undefined) {
      this.#waiting.push(...this.#next);
      this.#next = [];
      let waitMs: number;
      try {
        if (!begun) await this.#begin();
        begun = true;
        await this.#pass();
        waitMs = this.#options.pollMs;
        for (const { resolve } of this.#waiting.splice(0)) resolve();
      } catch (error) {
        waitMs = this.#failed(error);
      }
      if (this.#stopped === undefined && this.#next.length === 0) await this.#wait(waitMs);
    }
    this.#observed[Symbol.dispose]();
    const ended = this.#stopped ?? this.#error('log', 'it has been closed');
    for (const { reject } of [...this.#waiting.splice(0), ...this.#next.splice(0)]) reject(ended);
  }

  /** Reads the cursor. @throws {ShipError} if the log has another event in its place */
  async #begin(): Promise<void> {
    const cursor = await this.#options.cursor.read();
    if (cursor === undefined) return;
    const { sequence } = cursor;
    const other = (event: ChainHead): boolean =>
      event.sequence === sequence && (event.hash !== cursor.hash || event.log !== cursor.log);
    const { source } = this.#log;
    const anchor = await source.anchor();
    let replaced = anchor !== undefined && other(anchor);
    for await (const lines of source.read({ from: sequence, to: sequence })) {
      replaced ||= lines.some((line) => other(parseLine(line)));
    }
    if (replaced) {
      const what = `event ${sequence} is not the one that was shipped: the log was rewritten or replaced`;
      throw this.#error('mismatch', what);
    }
    this.#cursor = cursor;
  }

  /** Ships everything that is in the log. */
  async #pass(): Promise<void> {
    await this.#look();
    const { batchEvents, batchBytes } = this.#options;
    let batch: ShippedEvent[] = [];
    let bytes = 0;
    const from = (this.#cursor?.sequence ?? 0) + 1;
    let previous: ChainHead | undefined = this.#cursor;
    const to = this.#durable();
    if (to < from) return;
    for await (const lines of this.#log.source.read({ from, to })) {
      for (const line of lines) {
        const event = parseLine(line);
        this.#check(previous, event);
        previous = event;
        batch.push({ event, line });
        bytes += Buffer.byteLength(line);
        if (batch.length < batchEvents && bytes < batchBytes) continue;
        await this.#send(batch);
        batch = [];
        bytes = 0;
      }
      if (this.#closed.signal.aborted) return;
    }
    if (batch.length > 0) await this.#send(batch);
  }

  /**
   * The last event that survives a loss of power, as far as the log's writer is in this process. One that
   * was shipped and then lost would look like a rewritten log.
   */
  #durable(): number {
    const { source, stats } = this.#log;
    const { state, sinks } = stats?.call(this.#log) ?? { state: 'idle', sinks: [] };
    const sink = sinks.find(({ name }) => name === source.name);
    const opened = state !== 'idle' && state !== 'opening';
    return opened && sink !== undefined ? sink.sequence : Number.MAX_SAFE_INTEGER;
  }

  /** Looks up the end of the log. @throws {ShipError} if it has fewer events than were shipped */
  async #look(): Promise<void> {
    const { source } = this.#log;
    const anchor = await source.anchor();
    let last = anchor?.sequence ?? 0;
    for await (const [line] of source.read({ reverse: true })) {
      if (line !== undefined) last = lineSequence(line) ?? last;
      break;
    }
    this.#last = last;
    const shipped = this.#cursor?.sequence ?? 0;
    if (last < shipped) {
      throw this.#error('mismatch', `the log ends at ${last}, but ${shipped} events were shipped`);
    }
    if (anchor !== undefined && anchor.sequence > shipped) {
      const what = `events ${shipped + 1} to ${anchor.sequence} were removed before they were shipped`;
      this.#report(this.#error('gap', what));
      this.#cursor = { log: anchor.log, sequence: anchor.sequence, hash: anchor.hash };
    }
  }

  /** @throws {ShipError} unless the event continues what was shipped */
  #check(previous: ChainHead | undefined, event: ChainHead & { readonly prev: string }): void {
    const { sequence, prev, log } = event;
    if (previous === undefined ? sequence === 1 : sequence === previous.sequence + 1) {
      if (previous === undefined || (prev === previous.hash && log === previous.log)) return;
      const what = `event ${sequence} does not continue the shipped one: the log was rewritten or replaced`;
      throw this.#error('mismatch', what);
    }
    // Retention has removed events since the anchor was read, or some are missing: the next look tells.
    throw this.#error('log', `event ${(previous?.sequence ?? 0) + 1} cannot be read`);
  }

  async #send(batch: readonly ShippedEvent[]): Promise<void> {
    const { clock, timeoutMs, cursor } = this.#options;
    const late = new AbortController();
    const signal = AbortSignal.any([late.signal, this.#closed.signal]);
    const what = `Target '${this.target}'`;
    const tooLate = (): Error => {
      const error = new OperationTimeoutError(this.name, timeoutMs, what);
      const reason = new OperationTimeoutError(this.name, timeoutMs, what);
      // A policy that the target gives the signal to knows by it that a timeout has ended the sending.
      noteEnding(reason, 'timeout', error);
      late.abort(reason);
      return error;
    };
    let rejectClosed = (_: unknown): void => undefined;
    const closed = new Promise<never>((_, reject) => {
      rejectClosed = reject;
    });
    const onClose = (): void => rejectClosed(this.#closed.signal.reason);
    this.#closed.signal.addEventListener('abort', onClose, { once: true });
    try {
      this.#closed.signal.throwIfAborted();
      const send = async (): Promise<unknown> => this.#target.send(batch, signal);
      await Promise.race([withinTime(clock, timeoutMs, send, tooLate), closed]);
    } catch (error) {
      throw this.#error('target', messageOf(error), error);
    } finally {
      this.#closed.signal.removeEventListener('abort', onClose);
    }
    const { sequence, hash, log } = (batch.at(-1) as ShippedEvent).event;
    await cursor.write({ log, sequence, hash });
    this.#cursor = { log, sequence, hash };
    this.#last = Math.max(this.#last, sequence);
    this.#failures = 0;
  }

  /** Reports a failure, and returns the time until the next attempt, in milliseconds. */
  #failed(error: unknown): number {
    if (this.#closed.signal.aborted) return 0;
    const failure =
      error instanceof ShipError ? error : this.#error('log', messageOf(error), error);
    if (failure.reason === 'mismatch') this.#stopped = failure;
    this.#report(failure);
    for (const { reject } of this.#waiting.splice(0)) reject(failure);
    const { retryMs, maxRetryMs } = this.#options;
    return Math.min(retryMs * 2 ** Math.min(this.#failures++, 30), maxRetryMs);
  }

  #report(error: ShipError): void {
    this.#counts.errors++;
    notify('ship', 'onError', this.#options.onError, error);
  }

  #error(reason: ShipErrorReason, what: string, cause?: unknown): ShipError {
    return new ShipError(this.target, reason, what, cause);
  }

  /** Waits until the time is up, or somebody asks for a flush or for the end. */
  async #wait(ms: number): Promise<void> {
    if (this.#closed.signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#timer = this.#options.clock.schedule(resolve, ms);
      this.#timer.unref();
    });
    this.#timer?.cancel();
    this.#wake = () => undefined;
  }
}
