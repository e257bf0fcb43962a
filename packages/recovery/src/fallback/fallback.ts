import { isFailure, type Operation, type Outcome, type Policy } from '@temper/core';
import {
  ATTR_ERROR_TYPE,
  type Call,
  type CallObservation,
  type CallObserver,
  type Counts,
  decide,
  failureType,
  notify,
  PolicyBase,
  type PolicyDescription,
} from '@temper/core/policy';
import { FallbackFailedError } from '../errors.ts';
import type { FallbackOutcome } from '../semconv.ts';
import {
  type FallbackEvent,
  type FallbackOptions,
  type ResolvedFallbackOptions,
  resolveFallbackOptions,
} from './options.ts';
import { countCalls, observeCalls } from './telemetry.ts';

/** What a fallback has done since it was created. */
export interface FallbackStats {
  readonly calls: Readonly<Record<FallbackOutcome, number>>;
}

/** A fallback. */
export interface FallbackPolicy extends Policy {
  stats(): FallbackStats;
  /** What composers should know of this policy. */
  describe(): PolicyDescription;
}

class Fallback extends PolicyBase implements FallbackPolicy {
  readonly #options: ResolvedFallbackOptions;
  readonly #calls: Counts<FallbackOutcome>;
  readonly #observer: CallObserver<FallbackOutcome>;

  constructor(options: ResolvedFallbackOptions) {
    super(options.name, options.clock);
    this.#options = options;
    this.#calls = countCalls(this);
    this.#observer = observeCalls(options);
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const { shouldHandle } = this.#options;
    const observed = this.#observer.begin(call);
    let outcome: Outcome<T>;
    try {
      const value = await (observed === undefined
        ? operation(call)
        : observed.run(() => operation(call)));
      // By default values are not failures; only a predicate of the user's can say otherwise.
      if (shouldHandle === undefined) return this.#succeeded(value, observed);
      outcome = { ok: true, value };
    } catch (error) {
      outcome = { ok: false, error };
    }
    // Nobody would get an answer to a call that has ended.
    const handles = (outcome.ok || !call.aborted) && this.#handles(outcome, call);
    if (handles && !call.aborted) return this.#answer(outcome, call, observed);
    if (outcome.ok && !handles) return this.#succeeded(outcome.value, observed);
    this.#calls.failure++;
    observed?.end('failure');
    if (outcome.ok) return outcome.value;
    throw outcome.error;
  }

  #handles(outcome: Outcome<unknown>, call: Call): boolean {
    const { shouldHandle } = this.#options;
    return shouldHandle === undefined
      ? isFailure(outcome)
      : decide(this.name, shouldHandle, outcome, call);
  }

  #succeeded<T>(value: T, observed: CallObservation<FallbackOutcome> | undefined): T {
    this.#calls.success++;
    observed?.end('success');
    return value;
  }

  async #answer<T>(
    outcome: Outcome<unknown>,
    call: Call,
    observed: CallObservation<FallbackOutcome> | undefined,
  ): Promise<T> {
    const { handler, onFallback } = this.#options;
    const event: FallbackEvent = { policy: this.name, outcome, operation: call.operation };
    if (onFallback !== undefined) notify(this.name, 'onFallback', onFallback, event, call);
    observed?.span()?.set({ [ATTR_ERROR_TYPE.name]: failureType(outcome) });
    try {
      const answer = await (observed === undefined
        ? handler(event, call)
        : observed.run(() => handler(event, call)));
      this.#calls.fallback++;
      observed?.end('fallback');
      return answer as T;
    } catch (error) {
      this.#calls.failure++;
      observed?.end('failure', { ok: false, error });
      // An abort during the fallback is the caller's own, and passes unchanged.
      if (call.aborted && error === call.reason) throw error;
      const failure = outcome.ok ? outcome.value : outcome.error;
      throw new FallbackFailedError(this.name, failure, error);
    }
  }

  override describe(): PolicyDescription {
    return { kind: 'fallback' };
  }

  stats(): FallbackStats {
    return { calls: { ...this.#calls } };
  }

  [Symbol.dispose](): void {
    // A fallback has no levels, and its totals stay.
  }
}

/**
 * Creates a policy that answers in place of an operation that failed.
 *
 * ```ts
 * const versions = fallback({ name: 'versions', handler: () => [] });
 * ```
 *
 * @throws {TypeError} when an option is unknown or of the wrong type
 */
export function fallback(options: FallbackOptions): FallbackPolicy {
  return new Fallback(resolveFallbackOptions(options));
}
