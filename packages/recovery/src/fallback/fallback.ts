import {
  type CallContext,
  notify,
  type Operation,
  type Policy,
  PolicyBase,
  type PolicyDescription,
} from '@temper/core';
import { FallbackFailedError } from '../errors.ts';
import { ask } from '../predicate.ts';
import { FALLBACK_OUTCOMES, type FallbackOutcome, METRIC_FALLBACK_CALLS } from '../semconv.ts';
import {
  answersFor,
  endFailed,
  endSpan,
  live,
  onListenerError,
  openSpan,
  outcomeCells,
  under,
} from '../telemetry.ts';
import {
  type FallbackEvent,
  type FallbackOptions,
  type ResolvedFallbackOptions,
  resolveFallbackOptions,
} from './options.ts';

/** What a fallback has done since it was made. */
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
  readonly #cells: ReturnType<typeof outcomeCells<FallbackOutcome>>;
  readonly #calls: Record<FallbackOutcome, number> = { success: 0, fallback: 0, failure: 0 };

  constructor(options: ResolvedFallbackOptions) {
    super(options.name, options.clock);
    this.#options = options;
    this.#cells = outcomeCells(METRIC_FALLBACK_CALLS, options.name, FALLBACK_OUTCOMES);
  }

  async runInCall<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    const { isHandled, isFailure } = this.#options;
    let failure: FallbackEvent['failure'];
    try {
      const value = await operation(context);
      if (isFailure === undefined || !ask(isFailure, value)) {
        this.#count('success');
        return value;
      }
      if (context.aborted) {
        this.#count('failure');
        return value;
      }
      failure = { ok: true, value };
    } catch (error) {
      if (context.aborted || (isHandled !== undefined && !ask(isHandled, error))) {
        this.#count('failure');
        throw error;
      }
      failure = { ok: false, error };
    }
    const event: FallbackEvent = {
      policy: this.name,
      failure,
      operation: context.operation,
      context,
    };
    notify(this.#options.onFallback, event, onListenerError);
    return this.#answer<T>(event, context);
  }

  async #answer<T>(event: FallbackEvent, context: CallContext): Promise<T> {
    const { failure } = event;
    const why = failure.ok ? failure.value : failure.error;
    const span =
      live.traces && this.#options.spans !== 'none'
        ? openSpan(`fallback ${this.name}`, this.name, context, this.clock.now(), answersFor(why))
        : undefined;
    try {
      const value = (await under(span, () => this.#options.handler(event))) as T;
      this.#count('fallback');
      endSpan(span, this.clock.now());
      return value;
    } catch (error) {
      this.#count('failure');
      endFailed(span, error, this.clock.now());
      // An abort of the call is the caller's own word, and passes untouched.
      if (context.aborted && error === context.reason) throw error;
      throw new FallbackFailedError(this.name, why, error);
    }
  }

  #count(outcome: FallbackOutcome): void {
    this.#calls[outcome]++;
    this.#cells[outcome].value++;
  }

  override describe(): PolicyDescription {
    return { kind: 'fallback' };
  }

  stats(): FallbackStats {
    return { calls: { ...this.#calls } };
  }

  [Symbol.dispose](): void {
    // Nothing to take back: a fallback has no levels, and its totals stay.
  }
}

/**
 * Makes a policy that answers in place of an operation that failed.
 *
 * @throws {TypeError} at construction, when an option is unknown or of the wrong type
 */
export function fallback(options: FallbackOptions): FallbackPolicy {
  return new Fallback(resolveFallbackOptions(options));
}
