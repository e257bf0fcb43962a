import {
  type CallContext,
  isFailure,
  type Operation,
  type Outcome,
  type Policy,
} from '@temper/core';
import {
  ATTR_ERROR_TYPE,
  type Call,
  type CallObservation,
  decide,
  discardBody,
  failureType,
  isCommitted,
  Listeners,
  PolicyBase,
  type PolicyDescription,
} from '@temper/core/policy';
import { FallbackFailedError } from '../errors.ts';
import { type Reserve, runWithReserve } from '../reserve.ts';
import type { FallbackOutcome } from '../semconv.ts';
import {
  type FallbackEvent,
  type FallbackOptions,
  type ResolvedFallbackOptions,
  resolveFallbackOptions,
} from './options.ts';
import { FallbackTelemetry } from './telemetry.ts';

/** What a fallback has done since it was created. */
export interface FallbackStats {
  readonly calls: Readonly<Record<FallbackOutcome, number>>;
}

/** A fallback. */
export interface FallbackPolicy extends Policy {
  /** Adds a listener as the option `onFallback`; disposing of the result removes it. */
  onFallback(listener: (event: FallbackEvent, call: CallContext) => unknown): Disposable;
  stats(): FallbackStats;
  /** What composers should know of this policy. */
  describe(): PolicyDescription;
}

class Fallback extends PolicyBase implements FallbackPolicy {
  readonly #options: ResolvedFallbackOptions;
  readonly #telemetry: FallbackTelemetry;
  readonly #reserve: Reserve | undefined;
  readonly #listeners: Listeners<FallbackEvent, [CallContext]>;

  constructor(options: ResolvedFallbackOptions) {
    super(options.name, options.clock);
    this.#options = options;
    this.#telemetry = new FallbackTelemetry(this, options);
    this.#listeners = new Listeners(options.name, 'onFallback', options.onFallback);
    const { reserveMs, clock } = options;
    this.#reserve =
      reserveMs === undefined ? undefined : { reserveMs, clock, hasAnswer: () => true };
  }

  onFallback(listener: (event: FallbackEvent, call: CallContext) => unknown): Disposable {
    return this.#listeners.add(listener);
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const { shouldHandle } = this.#options;
    const observed = this.#telemetry.spans.begin(call);
    let outcome: Outcome<T>;
    try {
      const value = await (observed === undefined
        ? this.#run(operation, call)
        : observed.run(() => this.#run(operation, call)));
      // By default values are not failures; only a predicate of the user's can say otherwise.
      if (shouldHandle === undefined) return this.#succeeded(value, observed);
      outcome = { ok: true, value };
    } catch (error) {
      outcome = { ok: false, error };
    }
    // Nobody would get an answer to a call that has ended, or whose items have been delivered.
    const answerable = (outcome.ok || !call.aborted) && !isCommitted(call);
    const handles = answerable && this.#handles(outcome, call);
    if (handles && !call.aborted) return this.#answer(outcome, call, observed);
    if (outcome.ok && !handles) return this.#succeeded(outcome.value, observed);
    this.#failed(call, observed);
    if (outcome.ok) return outcome.value;
    // The predicate has ended a call that would have been answered: the abort takes precedence.
    throw answerable && call.aborted ? call.reason : outcome.error;
  }

  #run<T>(operation: Operation<T>, call: Call): T | PromiseLike<T> {
    const reserve = this.#reserve;
    return reserve === undefined ? operation(call) : runWithReserve(operation, call, reserve);
  }

  #handles(outcome: Outcome<unknown>, call: Call): boolean {
    const { shouldHandle } = this.#options;
    return shouldHandle === undefined
      ? isFailure(outcome)
      : decide(this.name, shouldHandle, outcome, call);
  }

  #succeeded<T>(value: T, observed: CallObservation<FallbackOutcome> | undefined): T {
    this.#telemetry.calls.success++;
    observed?.end('success');
    return value;
  }

  /** @param failure - what the handler failed with; that of a call that nobody wants any more is none */
  #failed(
    call: Call,
    observed: CallObservation<FallbackOutcome> | undefined,
    failure?: Outcome<unknown>,
  ): void {
    const outcome = call.cancelled ? 'aborted' : 'failure';
    this.#telemetry.calls[outcome]++;
    observed?.end(outcome, call.cancelled ? undefined : failure);
  }

  async #answer<T>(
    outcome: Outcome<unknown>,
    call: Call,
    observed: CallObservation<FallbackOutcome> | undefined,
  ): Promise<T> {
    const { handler } = this.#options;
    call.noteTiming('unknown');
    const event: FallbackEvent = { policy: this.name, outcome, operation: call.operation };
    this.#listeners.emit(event, call);
    if (call.aborted) {
      // A listener has ended the call.
      this.#failed(call, observed);
      throw call.reason;
    }
    observed?.span()?.set({ [ATTR_ERROR_TYPE.name]: failureType(outcome) });
    try {
      const answer = await (observed === undefined
        ? handler(event, call)
        : observed.run(() => handler(event, call)));
      this.#telemetry.calls.fallback++;
      observed?.end('fallback');
      const replaced = outcome.ok ? outcome.value : outcome.error;
      if (!holds(answer, replaced)) discardBody(replaced);
      return answer as T;
    } catch (error) {
      this.#failed(call, observed, { ok: false, error });
      // An abort during the fallback is the caller's own, and passes unchanged.
      if (call.aborted && error === call.reason) throw error;
      const failure = outcome.ok ? outcome.value : outcome.error;
      throw new FallbackFailedError(this.name, failure, error);
    }
  }

  override describe(): PolicyDescription {
    return { kind: 'fallback', reserveMs: this.#options.reserveMs };
  }

  stats(): FallbackStats {
    return { calls: { ...this.#telemetry.calls } };
  }

  [Symbol.dispose](): void {
    this.#telemetry[Symbol.dispose]();
  }
}

/** Whether an answer is what it replaces, or has it or its body as a property. Never throws. */
function holds(answer: unknown, replaced: unknown): boolean {
  if (answer === replaced) return true;
  if (typeof answer !== 'object' || answer === null) return false;
  try {
    const { body, data, response } = (replaced ?? {}) as Readonly<Record<string, unknown>>;
    const kept = [replaced, body, data, response].filter(
      (each) => typeof each === 'object' && each,
    );
    return [(answer as { body?: unknown }).body, ...Object.values(answer)].some((each) =>
      kept.includes(each),
    );
  } catch {
    return true; // a hostile getter
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
