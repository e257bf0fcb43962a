import type { Operation, Outcome, Policy, Priority } from '@temper/core';
import {
  type Call,
  decide,
  isNeutral,
  MeasuredCall,
  PolicyBase,
  type PolicyDescription,
  PRIORITIES,
} from '@temper/core/policy';
import { RateLimitExceededError } from '../errors.ts';
import type { AcquireOptions, Lease } from '../limiter.ts';
import { type RefusalListener, Refusals, type Refusing } from '../refusals.ts';
import { RollingSums } from '../rules/rolling-sums.ts';
import { readOptions } from '../wait/acquire-options.ts';
import {
  type ResolvedThrottleOptions,
  resolveThrottleOptions,
  type ThrottleOptions,
} from './options.ts';
import { rejectionRatio, shareOf } from './shedding.ts';
import { observeRatio, ThrottleObserver } from './telemetry.ts';

/** The priority of a call that has none. */
const DEFAULT_PRIORITY: Priority = 'critical';

/**
 * A lease whose end trains the throttle. {@link release} reports that the backend accepted the call,
 * whatever it answered, unless it took longer than `slowCallDurationMs`; only the first report counts.
 */
export interface ThrottleLease extends Lease {
  /** Reports that the backend refused the call, or did not answer in time. */
  overloaded(): void;
  /** Reports nothing: the call does not count. */
  ignore(): void;
}

/** What a throttle has done, and its present state. */
export interface ThrottleStats {
  /** Calls that ended within the last window, by priority, shed calls included. */
  readonly requests: Readonly<Record<Priority, number>>;
  /** Those of them that the backend accepted. */
  readonly accepts: number;
  /** Share of all calls that is shed now. */
  readonly rejectionRatio: number;
  /** Calls that passed since the throttle was created. */
  readonly allowed: number;
  /** Calls that were shed since the throttle was created. */
  readonly rejected: number;
}

/**
 * Client-side adaptive throttling. The priority of a call comes from its options; a call without one is
 * `critical`.
 *
 * @throws {RateLimitExceededError} (as a rejection of `execute`) with reason `shed`
 */
export interface Throttle extends Policy, Refusing {
  /**
   * Asks for a call by hand. Of the options, only `priority` matters.
   *
   * @returns the lease; `undefined` when the call is shed
   * @throws {TypeError | RangeError} when an option is unknown or out of range
   */
  tryAcquire(options?: AcquireOptions): ThrottleLease | undefined;
  stats(): ThrottleStats;
}

/** The column of accepted calls, behind one column per priority. */
const ACCEPTS = PRIORITIES.length;

class TrainingLease implements ThrottleLease {
  readonly cost: number;
  readonly #priority: Priority;
  readonly #startedAt: number;
  #throttle: ThrottlePolicy | undefined;

  constructor(throttle: ThrottlePolicy, priority: Priority, cost: number, startedAt: number) {
    this.#throttle = throttle;
    this.#priority = priority;
    this.#startedAt = startedAt;
    this.cost = cost;
  }

  #end(accepted: boolean | undefined): void {
    const throttle = this.#throttle;
    this.#throttle = undefined;
    if (accepted !== undefined) throttle?.ended(this.#priority, accepted);
  }

  release(): void {
    this.#end(this.#throttle?.inTime(this.#startedAt));
  }

  overloaded(): void {
    this.#end(false);
  }

  ignore(): void {
    this.#end(undefined);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

class ThrottlePolicy extends PolicyBase implements Throttle {
  readonly #options: ResolvedThrottleOptions;
  readonly #sums: RollingSums;
  readonly #observer: ThrottleObserver;
  readonly #refusals: Refusals;
  readonly #ratio: Disposable;

  constructor(options: ResolvedThrottleOptions) {
    super(options.name, options.clock);
    this.#options = options;
    this.#sums = new RollingSums(options.windowMs, ACCEPTS + 1, this.clock.monotonic());
    this.#observer = new ThrottleObserver(this, options);
    this.#refusals = new Refusals(options.name, options.onReject);
    this.#ratio = observeRatio(this, options.telemetry);
  }

  override describe(): PolicyDescription {
    return { kind: 'throttle' };
  }

  onReject(listener: RefusalListener): Disposable {
    return this.#refusals.onReject(listener);
  }

  tryAcquire(options: AcquireOptions = {}): ThrottleLease | undefined {
    const { cost, priority = DEFAULT_PRIORITY } = readOptions(this.name, options);
    if (!this.#admit(priority)) return undefined;
    return new TrainingLease(this, priority, cost, this.clock.monotonic());
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const { priority = DEFAULT_PRIORITY } = call;
    if (!this.#admit(priority)) throw this.#shed(call);
    const measured = new MeasuredCall(call);
    const startedAt = this.clock.monotonic();
    let value: T;
    try {
      value = await operation(measured);
    } catch (error) {
      this.#learn({ ok: false, error }, call, measured, priority, startedAt);
      throw error;
    }
    this.#learn({ ok: true, value }, call, measured, priority, startedAt);
    return value;
  }

  #admit(priority: Priority): boolean {
    const now = this.clock.monotonic();
    const place = PRIORITIES.indexOf(priority);
    if (this.#shouldShed(place, now)) {
      this.#sums.add(place, now);
      this.#observer.counts.shed++;
      return false;
    }
    this.#observer.counts.allowed++;
    return true;
  }

  #shouldShed(place: number, now: number): boolean {
    const sums = this.#sums.at(now);
    const ratio = this.#ratioOf(sums);
    if (ratio === 0) return false;
    return this.#options.random() < shareOf(ratio * requestsIn(sums), sums, place);
  }

  #shed(call: Call): RateLimitExceededError {
    const accepts = this.#sums.at(this.clock.monotonic())[ACCEPTS]!;
    const error = new RateLimitExceededError(this.name, {
      reason: 'shed',
      limit: Math.floor(this.#options.multiplier * accepts),
      remaining: 0,
      retryAfterMs: undefined,
      cost: call.cost,
    });
    this.#observer.shed(call, error);
    this.#refusals.tell(error);
    return error;
  }

  #learn(
    outcome: Outcome<unknown>,
    call: Call,
    { timing, waitedMs }: MeasuredCall,
    priority: Priority,
    startedAt: number,
  ): void {
    if (isNeutral(outcome, call)) return;
    if (decide(this.name, this.#options.shouldHandle, outcome, call)) this.ended(priority, false);
    // Of a call that was ended early, or answered from elsewhere, it is not known that it was accepted.
    else if (!call.aborted && timing === 'measured')
      this.ended(priority, this.inTime(startedAt + waitedMs));
  }

  /** Whether a call that began then, and ends now, was answered soon enough to count as accepted. */
  inTime(startedAt: number): boolean {
    return this.clock.monotonic() - startedAt <= this.#options.slowCallDurationMs;
  }

  /**
   * Counts a call at its end. The book counts it at its beginning; then the calls in flight count as
   * not accepted, and a client that has just started would shed most of its calls.
   */
  ended(priority: Priority, accepted: boolean): void {
    const now = this.clock.monotonic();
    this.#sums.add(PRIORITIES.indexOf(priority), now);
    if (accepted) this.#sums.add(ACCEPTS, now);
  }

  #ratioOf(sums: Float64Array): number {
    const { multiplier, maxRejectionRatio } = this.#options;
    return rejectionRatio(requestsIn(sums), sums[ACCEPTS]!, multiplier, maxRejectionRatio);
  }

  get ratio(): number {
    return this.#ratioOf(this.#sums.at(this.clock.monotonic()));
  }

  stats(): ThrottleStats {
    const sums = this.#sums.at(this.clock.monotonic());
    const requests = PRIORITIES.map((priority, place) => [priority, sums[place]!] as const);
    const { allowed, shed } = this.#observer.counts;
    return {
      requests: Object.fromEntries(requests) as Record<Priority, number>,
      accepts: sums[ACCEPTS]!,
      rejectionRatio: this.#ratioOf(sums),
      allowed,
      rejected: shed,
    };
  }

  [Symbol.dispose](): void {
    this.#ratio[Symbol.dispose]();
  }
}

function requestsIn(sums: Float64Array): number {
  let requests = 0;
  for (let place = 0; place < ACCEPTS; place++) requests += sums[place]!;
  return requests;
}

/**
 * Creates a client-side adaptive throttle: when the backend refuses much of what it is sent, the client
 * sheds part of its calls, the least important first, so that the backend does not spend its capacity on
 * refusals.
 *
 * ```ts
 * const search = throttle({ name: 'search' });
 * await search.execute(() => query(text), { priority: 'sheddable' });
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function throttle(options: ThrottleOptions = {}): Throttle {
  return new ThrottlePolicy(resolveThrottleOptions(options));
}
