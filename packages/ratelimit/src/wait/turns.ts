import {
  type CallContext,
  type Cell,
  checkNumber,
  type ExecuteOptions,
  type ExecutionContext,
  enterCall,
  isCallContext,
  notify,
  type Operation,
  PolicyBase,
  type PolicyDescription,
} from '@temper/core';
import { RateLimitExceededError, type RejectionReason } from './errors.ts';
import type {
  AcquireOptions,
  CostedExecuteOptions,
  Lease,
  Limiter,
  Quota,
  RequestCounts,
  Verdict,
} from './limiter.ts';
import { checkCost, type ResolvedQueueOptions } from './options.ts';
import type { RequestOutcome } from './semconv.ts';
import {
  type Levels,
  type LimiterMeter,
  limiterMeter,
  observeLevels,
  onListenerError,
  RequestTrace,
} from './telemetry.ts';
import type { WaitQueue } from './wait-queue.ts';

export type MutableCounts = { -readonly [K in keyof RequestCounts]: number };

/** Where a limiter counts. */
export interface Books {
  readonly meter: LimiterMeter;
  readonly counts: MutableCounts;
}

export function noCounts(): MutableCounts {
  return { allowed: 0, delayed: 0, rejected: 0, aborted: 0 };
}

/** What all limiters with a queue have in common: asking, waiting, refusing, and telling of it. */
export abstract class QueuedLimiter extends PolicyBase implements Limiter {
  readonly options: ResolvedQueueOptions;
  /** Made, with its series, by the first call. */
  #meter: LimiterMeter | undefined;
  /** The two series that have to be cheap: of the calls that pass at once, and of plain refusals. */
  #allowed: Cell | undefined;
  #limited: Cell | undefined;
  protected readonly counts: MutableCounts;
  readonly #observer: Disposable | undefined;

  /** @param books - where to count, for a limiter that is part of another, and so not observed */
  constructor(options: ResolvedQueueOptions, books?: Books) {
    super(options.name, options.clock);
    this.options = options;
    this.#meter = books?.meter;
    this.#allowed = undefined;
    this.#limited = undefined;
    this.counts = books?.counts ?? noCounts();
    this.#observer = books === undefined ? observeLevels(this) : undefined;
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  protected get meter(): LimiterMeter {
    this.#meter ??= limiterMeter(this.name);
    return this.#meter;
  }

  /** Most that can ever be taken at once. */
  protected abstract readonly capacity: number;
  /** Takes `cost` if it can be had now, without regard to the queue. */
  protected abstract pass(cost: number): boolean;
  /** The lease of units that have been taken. */
  protected abstract lease(cost: number): Lease;
  /** Runs the operation with units that have been taken. */
  protected abstract run<T>(
    operation: Operation<T>,
    context: CallContext,
    cost: number,
  ): Promise<T>;
  /** Milliseconds until `cost` could be had, as far as anybody can tell. */
  protected abstract readyInMs(cost: number): number | undefined;
  /** The queue for a call that has to wait. */
  protected abstract openQueue(): WaitQueue;
  /** How many calls are waiting. */
  abstract readonly queued: number;
  abstract levels(): Levels;
  abstract quota(): Quota;
  abstract override stats(): RequestCounts;

  check(cost = 1): Verdict {
    checkCost(this.name, cost, this.capacity);
    const lease = this.ask(cost) ? this.lease(cost) : undefined;
    const retryAfterMs = lease === undefined ? this.readyInMs(cost) : 0;
    return { ...this.quota(), allowed: lease !== undefined, retryAfterMs, lease };
  }

  async acquire(options: AcquireOptions = {}): Promise<Lease> {
    const { cost = 1, signal, deadlineMs } = options;
    if (deadlineMs !== undefined) checkNumber(this.name, 'deadlineMs', deadlineMs, { min: 0 });
    this.#checkCost(cost);
    signal?.throwIfAborted();
    if (!this.enter(cost)) {
      const deadline = deadlineMs === undefined ? undefined : this.clock.monotonic() + deadlineMs;
      await this.#wait(cost, deadline, signal, undefined);
    }
    return this.lease(cost);
  }

  override execute<T>(
    operation: Operation<T>,
    options?: CostedExecuteOptions | ExecuteOptions | ExecutionContext,
  ): Promise<T> {
    const cost =
      options === undefined || isCallContext(options)
        ? undefined
        : (options as CostedExecuteOptions).cost;
    if (cost === undefined || cost === 1) return super.execute(operation, options);
    const runInCall = <R>(op: Operation<R>, context: CallContext): Promise<R> =>
      this.runCosted(op, context, cost);
    return enterCall({ runInCall }, operation, options as ExecuteOptions, this.clock);
  }

  runInCall<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    return this.enter(1)
      ? this.run(operation, context, 1)
      : this.#waitAndRun(operation, context, 1);
  }

  protected async runCosted<T>(
    operation: Operation<T>,
    context: CallContext,
    cost: number,
  ): Promise<T> {
    this.#checkCost(cost);
    return this.enter(cost)
      ? this.run(operation, context, cost)
      : this.#waitAndRun(operation, context, cost);
  }

  /** Passes at once or not at all; those who wait come first. */
  protected enter(cost: number): boolean {
    if (this.queued > 0 || !this.pass(cost)) return false;
    this.counts.allowed++;
    this.#allowed ??= this.meter.outcome('allowed');
    this.#allowed.value++;
    return true;
  }

  /** As {@link enter}, for callers that take the answer for an answer. */
  protected ask(cost: number): boolean {
    if (this.enter(cost)) return true;
    this.counts.rejected++;
    this.#limited ??= this.meter.rejected('limit');
    this.#limited.value++;
    return false;
  }

  async #waitAndRun<T>(operation: Operation<T>, context: CallContext, cost: number): Promise<T> {
    await this.#wait(cost, context.deadline, context.abortable, context);
    if (context.aborted) {
      // It got its turn and was aborted before it could use it.
      this.lease(cost).release();
      throw context.reason;
    }
    return this.run(operation, context, cost);
  }

  async #wait(
    cost: number,
    deadline: number | undefined,
    signal: AbortSignal | undefined,
    call: CallContext | undefined,
  ): Promise<void> {
    const { maxQueue, maxWaitMs, spans, clock } = this.options;
    const since = clock.monotonic();
    const trace = RequestTrace.begin({
      policy: this.name,
      mode: spans,
      cost,
      call,
      now: clock.now,
    });
    try {
      if (maxQueue === 0 || maxWaitMs === 0) throw this.refuse('limit', cost, undefined);
      const until = Math.min(deadline ?? Number.POSITIVE_INFINITY, since + maxWaitMs);
      await this.openQueue().join(cost, until, signal);
      this.counts.delayed++;
      this.meter.outcome('delayed').value++;
      this.#waited('delayed', since);
      trace?.end('delayed');
    } catch (error) {
      if (error instanceof RateLimitExceededError) {
        this.#rejected(error);
        this.#waited('rejected', since);
        trace?.end('rejected', error);
      } else {
        this.counts.aborted++;
        this.meter.outcome('aborted').value++;
        this.#waited('aborted', since);
        trace?.end('aborted');
      }
      throw error;
    }
  }

  /** Waits of no length are refusals on the spot, and would only hide the real ones. */
  #waited(outcome: RequestOutcome, since: number): void {
    if (!this.meter.live.metrics) return;
    const ms = this.clock.monotonic() - since;
    if (ms > 0 || outcome === 'delayed') this.meter.waited(outcome).record(ms / 1000);
  }

  #rejected(error: RateLimitExceededError): void {
    this.counts.rejected++;
    this.meter.rejected(error.reason).value++;
    notify(this.options.onReject, error, onListenerError);
  }

  #checkCost(cost: number): void {
    if (cost === 1) return;
    try {
      checkCost(this.name, cost, this.capacity);
    } catch (error) {
      if (error instanceof RateLimitExceededError) this.#rejected(error);
      throw error;
    }
  }

  /** The error for a call that is turned away. */
  refuse(
    reason: RejectionReason,
    cost: number,
    readyInMs: number | undefined,
  ): RateLimitExceededError {
    const { limit, remaining } = this.quota();
    const retryAfterMs = readyInMs ?? this.readyInMs(cost);
    return new RateLimitExceededError(this.name, { reason, limit, remaining, retryAfterMs, cost });
  }

  [Symbol.dispose](): void {
    this.#observer?.[Symbol.dispose]();
  }
}
