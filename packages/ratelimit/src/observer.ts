import type { TelemetryScope } from '@temper/core';
import type { Call, CallObservation, Counts } from '@temper/core/policy';
import type { RateLimitExceededError, RejectionReason } from './errors.ts';
import type { RequestCounts } from './limiter.ts';
import type { Refusals } from './refusals.ts';
import type { ResolvedQueueOptions } from './wait/options.ts';

/** How a wait ends. */
export type WaitOutcome = 'delayed' | 'rejected' | 'aborted';

/** What a limiter counts: calls that passed or ended, and refusals by their reason. */
export type Answer = 'allowed' | 'delayed' | 'aborted' | Exclude<RejectionReason, 'keys' | 'shed'>;

/** What a limiter tells about its calls. */
export interface LimiterObserver extends Disposable {
  readonly counts: Counts<Answer>;
  /** Who hears of refusals. */
  readonly refusals: Refusals;
  /** A call begins to wait, or is refused. @returns `undefined` while no span would be recorded */
  begin(call: Call, cost: number): CallObservation<WaitOutcome> | undefined;
  /**
   * Ends the observation of a wait.
   *
   * @param ms - how long the call has waited; a refusal at once is not a wait
   * @param error - of a refusal
   */
  ended(
    observed: CallObservation<WaitOutcome> | undefined,
    outcome: WaitOutcome,
    ms: number,
    error?: RateLimitExceededError,
  ): void;
}

/** The levels that a limiter has; those that it has not are left out of the metrics. */
export interface Levels {
  readonly available?: number;
  readonly limit?: number;
  readonly queued?: number;
  readonly inFlight?: number;
}

/** A limiter whose levels can be read. */
export interface Levelled {
  readonly name: string;
  levels(): Levels;
}

/** Creates what watches a limiter. */
export interface Observation {
  observe(policy: { readonly name: string }, options: ResolvedQueueOptions): LimiterObserver;
  /** Has the levels read at each collection of metrics, until disposed of. */
  observeLevels(limiter: Levelled, within: TelemetryScope | undefined): Disposable;
}

/** The counts in the words of a limiter's statistics. */
export function totalsOf({ counts }: LimiterObserver): RequestCounts {
  const { allowed, delayed, aborted, limit, deadline, cost } = counts;
  const rejected = limit + counts['queue-full'] + deadline + cost + counts['calls-itself'];
  return { allowed, delayed, rejected, aborted };
}
