import {
  type CallContext,
  type Clock,
  checkClock,
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  type ExecuteOptions,
  type ExecutionContext,
  enterCall,
  isCallContext,
  notify,
  type Operation,
  type Outcome,
  type Policy,
  PolicyBase,
  type PolicyDescription,
  type Random,
  SPAN_MODES,
  type SpanMode,
  systemClock,
  systemRandom,
} from '@temper/core';
import { RateLimitExceededError } from './errors.ts';
import { invoke } from './invoke.ts';
import { isOverload } from './overload.ts';
import { RollingSums } from './rolling-sums.ts';
import {
  type Levels,
  type LimiterMeter,
  limiterMeter,
  observeLevels,
  onListenerError,
  RequestTrace,
} from './telemetry.ts';
import { PRIORITIES, type Priority, rejectionRatio, shareOf } from './throttle-rules.ts';

/** Options of {@link throttle}. */
export interface ThrottleOptions {
  /**
   * Names the throttle in errors, spans and metrics.
   *
   * @defaultValue 'throttle'
   */
  readonly name?: string;
  /**
   * How many times what it accepts the backend is sent. Lower ones spare the backend more, higher
   * ones find out sooner that it has recovered.
   *
   * @defaultValue 2
   * @throws {RangeError} at construction, unless finite and > 1
   */
  readonly multiplier?: number;
  /**
   * How long a call is remembered, in milliseconds.
   *
   * @defaultValue 120_000
   * @throws {RangeError} at construction, unless finite and >= 24
   */
  readonly windowMs?: number;
  /**
   * Whether an error says that the backend did not accept the call. A predicate that throws is
   * reported, and has said no.
   *
   * @defaultValue timeouts, and transient errors of resources and the network
   */
  readonly isOverload?: (error: unknown) => boolean;
  /** Called with each call that is shed. What it throws is reported, no more. @defaultValue none */
  readonly onReject?: (error: RateLimitExceededError) => void;
  /** Which refusals get spans. @defaultValue 'all' */
  readonly spans?: SpanMode;
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
  /** @defaultValue `Math.random` */
  readonly random?: Random;
}

/** The defaults, as the README's table shows them. */
export const THROTTLE_DEFAULTS: {
  readonly name: 'throttle';
  readonly multiplier: 2;
  readonly windowMs: 120_000;
  readonly spans: 'all';
} = { name: 'throttle', multiplier: 2, windowMs: 120_000, spans: 'all' };

/** {@link ExecuteOptions} with a priority. */
export interface PrioritizedExecuteOptions extends ExecuteOptions {
  /** How much the call matters. @defaultValue 'critical' */
  readonly priority?: Priority;
}

/** A call that was let through. Say how it ended; a call of which nothing is said does not count. */
export interface ThrottleTicket {
  /** The backend took the call, whatever it answered. */
  accepted(): void;
  /** The backend turned it away, or did not answer in time. */
  refused(): void;
}

/** What a throttle has done, and how it stands. */
export interface ThrottleStats {
  /** Calls that ended within the last window, by priority, shed ones included. */
  readonly requests: Readonly<Record<Priority, number>>;
  /** Those of them that the backend accepted. */
  readonly accepts: number;
  /** Share of all calls that is shed now. */
  readonly rejectionRatio: number;
  /** Let through since the throttle was made. */
  readonly allowed: number;
  /** Shed since the throttle was made. */
  readonly rejected: number;
}

/** Client-side adaptive throttling. */
export interface Throttle extends Policy {
  execute<T>(
    operation: Operation<T>,
    options?: PrioritizedExecuteOptions | ExecutionContext,
  ): Promise<T>;
  tryExecute<T>(
    operation: Operation<T>,
    options?: PrioritizedExecuteOptions | ExecutionContext,
  ): Promise<Outcome<T>>;
  /** Asks for a call by hand. @returns undefined when it is to be shed */
  tryAcquire(priority?: Priority): ThrottleTicket | undefined;
  stats(): ThrottleStats;
}

const ACCEPTS = PRIORITIES.length;

class AdaptiveThrottle extends PolicyBase implements Throttle {
  readonly #multiplier: number;
  readonly #isOverload: (error: unknown) => boolean;
  readonly #onReject: ((error: RateLimitExceededError) => void) | undefined;
  readonly #spans: SpanMode;
  readonly #random: Random;
  readonly #sums: RollingSums;
  readonly #meter: LimiterMeter;
  readonly #observer: Disposable;
  #allowed = 0;
  #rejected = 0;

  constructor(options: ThrottleOptions) {
    super(options.name ?? THROTTLE_DEFAULTS.name, options.clock ?? systemClock);
    this.#multiplier = options.multiplier ?? THROTTLE_DEFAULTS.multiplier;
    this.#isOverload = options.isOverload ?? isOverload;
    this.#onReject = options.onReject;
    this.#spans = options.spans ?? THROTTLE_DEFAULTS.spans;
    this.#random = options.random ?? systemRandom;
    const windowMs = options.windowMs ?? THROTTLE_DEFAULTS.windowMs;
    this.#sums = new RollingSums(windowMs, PRIORITIES.length + 1, this.clock.monotonic());
    this.#meter = limiterMeter(this.name);
    this.#observer = observeLevels(this);
  }

  override describe(): PolicyDescription {
    return { kind: 'throttle' };
  }

  tryAcquire(priority: Priority = 'critical'): ThrottleTicket | undefined {
    checkOneOf(this.name, 'priority', priority, PRIORITIES);
    if (!this.#admit(priority)) {
      this.#meter.rejected('shed').value++;
      return undefined;
    }
    let told = false;
    const tell = (accepted: boolean) => (): void => {
      if (!told) this.#ended(priority, accepted);
      told = true;
    };
    return { accepted: tell(true), refused: tell(false) };
  }

  override execute<T>(
    operation: Operation<T>,
    options?: PrioritizedExecuteOptions | ExecuteOptions | ExecutionContext,
  ): Promise<T> {
    const priority =
      options === undefined || isCallContext(options)
        ? undefined
        : (options as PrioritizedExecuteOptions).priority;
    if (priority === undefined) return super.execute(operation, options);
    const runInCall = <R>(op: Operation<R>, context: CallContext): Promise<R> =>
      this.#run(op, context, priority);
    return enterCall({ runInCall }, operation, options as ExecuteOptions, this.clock);
  }

  runInCall<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    return this.#run(operation, context, 'critical');
  }

  async #run<T>(operation: Operation<T>, context: CallContext, priority: Priority): Promise<T> {
    checkOneOf(this.name, 'priority', priority, PRIORITIES);
    if (!this.#admit(priority)) throw this.#shed(context);
    try {
      const value = await invoke(operation, context);
      this.#ended(priority, true);
      return value;
    } catch (error) {
      if (this.#overloaded(error)) this.#ended(priority, false);
      // A call that the caller called off says nothing about the backend.
      else if (!context.aborted) this.#ended(priority, true);
      throw error;
    }
  }

  #admit(priority: Priority): boolean {
    const now = this.clock.monotonic();
    const place = PRIORITIES.indexOf(priority);
    if (this.#shouldShed(place, now)) {
      this.#sums.add(place, now);
      this.#rejected++;
      return false;
    }
    this.#allowed++;
    this.#meter.outcome('allowed').value++;
    return true;
  }

  /**
   * The book counts a call when it is made; but then the calls under way count as not accepted, and
   * a client that has just begun would shed most of them.
   */
  #ended(priority: Priority, accepted: boolean): void {
    const now = this.clock.monotonic();
    this.#sums.add(PRIORITIES.indexOf(priority), now);
    if (accepted) this.#sums.add(ACCEPTS, now);
  }

  #shouldShed(place: number, now: number): boolean {
    const sums = this.#sums.at(now);
    const ratio = this.#ratio(sums);
    if (ratio === 0) return false;
    return this.#random() < shareOf(ratio * requestsIn(sums), sums, place);
  }

  #ratio(sums: Float64Array): number {
    return rejectionRatio(requestsIn(sums), sums[ACCEPTS]!, this.#multiplier);
  }

  #shed(context: CallContext): RateLimitExceededError {
    const trace = RequestTrace.begin({
      policy: this.name,
      mode: this.#spans,
      cost: 1,
      call: context,
      now: this.clock.now,
    });
    const error = new RateLimitExceededError(this.name, {
      reason: 'shed',
      limit: Math.floor(this.#multiplier * this.#sums.at(this.clock.monotonic())[ACCEPTS]!),
      remaining: 0,
      retryAfterMs: undefined,
      cost: 1,
    });
    this.#meter.rejected('shed').value++;
    trace?.end('rejected', error);
    notify(this.#onReject, error, onListenerError);
    return error;
  }

  #overloaded(error: unknown): boolean {
    try {
      return this.#isOverload(error);
    } catch (thrown) {
      onListenerError(thrown);
      return false;
    }
  }

  levels(): Levels {
    return { rejectionRatio: this.#ratio(this.#sums.at(this.clock.monotonic())) };
  }

  stats(): ThrottleStats {
    const sums = this.#sums.at(this.clock.monotonic());
    return {
      requests: Object.fromEntries(
        PRIORITIES.map((priority, place) => [priority, sums[place]!]),
      ) as Record<Priority, number>,
      accepts: sums[ACCEPTS]!,
      rejectionRatio: this.#ratio(sums),
      allowed: this.#allowed,
      rejected: this.#rejected,
    };
  }

  [Symbol.dispose](): void {
    this.#observer[Symbol.dispose]();
  }
}

function requestsIn(sums: Float64Array): number {
  let requests = 0;
  for (let place = 0; place < ACCEPTS; place++) requests += sums[place]!;
  return requests;
}

/**
 * Makes a client-side adaptive throttle: when the backend refuses much of what it is sent, the client
 * keeps part of its calls to itself, the least important first, so that the backend need not spend
 * its strength on refusing.
 *
 * ```ts
 * const search = throttle({ name: 'search' });
 * await search.execute(() => query(text), { priority: 'sheddable' });
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function throttle(options: ThrottleOptions = {}): Throttle {
  const owner = 'throttle';
  checkKnown(owner, options, [
    ...Object.keys(THROTTLE_DEFAULTS),
    'isOverload',
    'onReject',
    'clock',
    'random',
  ]);
  if (options.name !== undefined) checkName(owner, options.name);
  if (options.multiplier !== undefined) {
    checkNumber(owner, 'multiplier', options.multiplier, {
      min: 1,
      aboveMin: true,
      infinite: false,
    });
  }
  if (options.windowMs !== undefined) {
    checkNumber(owner, 'windowMs', options.windowMs, { min: 24, infinite: false });
  }
  if (options.spans !== undefined) checkOneOf(owner, 'spans', options.spans, SPAN_MODES);
  if (options.clock !== undefined) checkClock(owner, options.clock);
  for (const hook of ['isOverload', 'onReject', 'random'] as const) {
    if (options[hook] !== undefined) checkType(owner, hook, options[hook], 'function');
  }
  return new AdaptiveThrottle(options);
}
