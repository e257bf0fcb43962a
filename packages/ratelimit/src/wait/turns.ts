import { Call, rejectLater } from '@temper/core/policy';
import { RateLimitExceededError } from '../errors.ts';
import type { AcquireOptions } from '../limiter.ts';
import type { LimiterObserver } from '../observer.ts';
import { TOLERANCE } from '../rules/rule.ts';
import { checkCapacity, readOptions } from './acquire-options.ts';
import type { ResolvedQueueOptions } from './options.ts';
import { UsualLatency } from './usual-latency.ts';
import { type Gate, refusal, type Waiter, WaitQueue } from './wait-queue.ts';
import { Watchers } from './watchers.ts';

/** Decides for each call at a gate whether it passes at once, waits or is refused, and counts it. */
export class Turns {
  readonly #gate: Gate;
  readonly #options: ResolvedQueueOptions;
  readonly #observer: LimiterObserver;
  /** Created when the first call has to wait. */
  #queue: WaitQueue | undefined;
  /** Of the calls that have waited. */
  #usual: UsualLatency | undefined;
  #watchers: Watchers | undefined;

  /** @param usual - shared with other gates; by default it is of the calls at this one */
  constructor(
    gate: Gate,
    options: ResolvedQueueOptions,
    observer: LimiterObserver,
    usual?: UsualLatency,
  ) {
    this.#gate = gate;
    this.#usual = usual;
    this.#options = options;
    this.#observer = observer;
    this.#queue = undefined;
    this.#watchers = undefined;
  }

  /** Who hears, after the calls that wait, that units may have come back. */
  get watchers(): Watchers {
    this.#watchers ??= new Watchers();
    return this.#watchers;
  }

  /** How many calls wait. */
  get queued(): number {
    return this.#queue === undefined ? 0 : this.#queue.size;
  }

  /** Takes the units if they are available and no call waits. */
  enter(cost: number): boolean {
    if (this.queued > 0 || !this.#gate.tryTake(cost)) return false;
    this.#observer.counts.allowed++;
    return true;
  }

  /** As {@link enter}, for a caller that does not wait: a refusal is counted. */
  tryEnter(cost: number): boolean {
    if (this.enter(cost)) return true;
    this.#observer.counts.limit++;
    return false;
  }

  /**
   * The cost in the options of a caller that does not wait.
   *
   * @throws {TypeError | RangeError} when an option is not allowed
   * @throws {RateLimitExceededError} when the cost can never pass
   */
  costOf(options: AcquireOptions): number {
    const { cost } = readOptions(this.#gate.name, options);
    checkCapacity(this.#gate.name, this.#gate.capacity, cost);
    return cost;
  }

  /** Takes units for a call by hand, waiting for them if need be. @returns the cost */
  async acquire(options: AcquireOptions = {}): Promise<number> {
    const {
      cost,
      signal,
      maxWaitMs = Number.POSITIVE_INFINITY,
      ...ordering
    } = readOptions(this.#gate.name, options);
    if (signal?.aborted === true) throw signal.reason;
    if (!this.enter(cost))
      await this.#wait(cost, ordering, maxWaitMs, new Call(1, undefined, undefined, signal));
    return cost;
  }

  /**
   * Waits for the turn of a call that did not pass at once. The units are taken when this resolves,
   * even if the call has been aborted in the same moment. It does not wait longer than leaves its operation as
   * much time as others take.
   *
   * @returns to be called when the operation has returned a value
   */
  wait(call: Call): Promise<() => void> {
    const refused = this.refuse(call);
    if (refused !== undefined) return rejectLater(refused);
    const { clock } = this.#options;
    const neededMs = this.#usual?.neededMs(clock.monotonic()) ?? 0;
    const longestMs = call.remainingMs(clock) - neededMs;
    return call.awaitCapacity(() => this.#wait(call.cost, call, longestMs, call), clock);
  }

  /**
   * Refuses a call that would not wait: nothing is asynchronous but the promise.
   *
   * @returns `undefined` when it may wait
   */
  refuse(call: Call): RateLimitExceededError | undefined {
    const { maxQueue, maxWaitMs } = this.#options;
    if ((maxQueue > 0 && maxWaitMs > 0) || call.aborted) return undefined;
    const { cost } = call;
    if (cost > this.#gate.capacity + TOLERANCE) return undefined;
    const error = refusal(this.#gate, 'limit', cost);
    this.#refused(this.#observer.begin(call, cost), error, 0);
    return error;
  }

  /** Units have come back, or the limit has changed: serves the calls whose turn has come. */
  wake(): void {
    this.#queue?.wake();
    this.#watchers?.tell();
  }

  /** As {@link wake}, when the limit changes in a way that no forecast includes. */
  changed(): void {
    this.#queue?.changed();
    this.#watchers?.tell();
  }

  async #wait(
    cost: number,
    { key, priority = 'critical' }: Pick<AcquireOptions, 'key' | 'priority'>,
    longestMs: number,
    call: Call,
  ): Promise<() => void> {
    const { maxQueue, maxWaitMs, clock, queue } = this.#options;
    const { counts } = this.#observer;
    const since = clock.monotonic();
    const observed = this.#observer.begin(call, cost);
    try {
      checkCapacity(this.#gate.name, this.#gate.capacity, cost);
      if (maxQueue === 0 || maxWaitMs === 0) throw refusal(this.#gate, 'limit', cost);
      const line =
        this.#queue === undefined ? queue?.createLine<Waiter>(this.#gate.name) : undefined;
      this.#queue ??= new WaitQueue(clock, this.#gate, maxQueue, line);
      const deadline = since + Math.min(longestMs, maxWaitMs);
      const endWait = this.#gate.beginWait?.(call, cost);
      try {
        const caller = queue?.orderedBy === 'priority' ? priority : key;
        await this.#queue.join(cost, deadline, call.abortable, caller, endWait !== undefined);
      } finally {
        endWait?.();
        this.#watchers?.tell();
      }
    } catch (error) {
      // A caller may abort with the refusal of another limiter.
      if (error instanceof RateLimitExceededError && error !== call.reason) {
        this.#refused(observed, error, clock.monotonic() - since);
      } else {
        counts.aborted++;
        this.#observer.ended(observed, 'aborted', clock.monotonic() - since);
      }
      throw error;
    }
    counts.delayed++;
    const now = clock.monotonic();
    this.#observer.ended(observed, 'delayed', now - since);
    return () => {
      if (call.endedBy !== undefined) return; // too late
      const answeredAt = clock.monotonic();
      this.#usual ??= new UsualLatency();
      this.#usual.answered(answeredAt - now, answeredAt);
    };
  }

  #refused(
    observed: ReturnType<LimiterObserver['begin']>,
    error: RateLimitExceededError,
    ms: number,
  ): void {
    const { counts, refusals } = this.#observer;
    counts[error.reason as keyof typeof counts]++;
    this.#observer.ended(observed, 'rejected', ms, error);
    refusals.tell(error);
  }
}
