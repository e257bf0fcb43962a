import type { Clock, ShouldHandle, SpanMode, TelemetryScope } from '@temper/core';
import { oneOfRule, type Resolved } from '@temper/core/policy';
import type { OpenDurationEvent } from './circuit/open-duration.ts';
import type { WindowOptions } from './circuit/window.ts';
import type { StateChange } from './events.ts';
import type { CircuitSharing } from './sharing.ts';

/**
 * `enabled`: the circuit works. `metrics-only`: calls are counted and measured, and the circuit never
 * opens. `disabled`: calls pass uncounted.
 */
export type BreakerMode = 'enabled' | 'metrics-only' | 'disabled';

/** Options of {@link circuitBreaker}. */
export interface CircuitBreakerOptions {
  /**
   * Names the policy in errors, spans and metrics. Policies of one name share their series.
   *
   * @defaultValue 'breaker'
   */
  readonly name?: string;
  /**
   * Failures in a row that open the circuit. Not together with {@link window}.
   *
   * @defaultValue 5
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly failureThreshold?: number;
  /**
   * Judges by rates over a window instead of failures in a row. `calls` is an integer from 1 to
   * 1 000 000, `durationMs` at least 10, `buckets` an integer from 2 to 1000.
   *
   * @defaultValue none
   */
  readonly window?: WindowOptions;
  /**
   * Share of failures in the window at which the circuit opens. Needs {@link window}.
   *
   * @defaultValue 0.5
   * @throws {RangeError} at construction, unless > 0 and <= 1
   */
  readonly failureRateThreshold?: number;
  /**
   * A call that takes longer is slow, in milliseconds. A slow trial counts as failed. Needs
   * {@link window}. A trial that its caller cancelled, or that lost a hedge, tells nothing unless it had
   * run for longer than this: it then counts as failed too.
   *
   * @defaultValue none: no call is slow
   * @throws {RangeError} at construction, unless > 0 and finite
   */
  readonly slowCallDurationMs?: number;
  /**
   * Share of slow calls in the window at which the circuit opens. Needs {@link slowCallDurationMs}.
   *
   * @defaultValue 1
   * @throws {RangeError} at construction, unless > 0 and <= 1
   */
  readonly slowCallRateThreshold?: number;
  /**
   * Calls that must be in the window before a rate is judged. Needs {@link window}.
   *
   * @defaultValue 10, or `window.calls` where that is less
   * @throws {RangeError} at construction, unless an integer >= 1 and <= `window.calls`
   */
  readonly minimumThroughput?: number;
  /**
   * How long the circuit stays open before a trial, in milliseconds, or a function that computes it for
   * each opening. An error in it, and a result that is no number >= 0, counts as 60 s.
   *
   * @defaultValue 60_000
   * @throws {RangeError} at construction, unless >= 0 and finite, or a function
   */
  readonly openDurationMs?: number | ((event: OpenDurationEvent) => number);
  /**
   * Factor by which the open duration grows with each opening in a row, up to {@link maxOpenDurationMs}:
   * as late does a circuit notice the end of a long outage. Not together with a function.
   *
   * @defaultValue 1
   * @throws {RangeError} at construction, unless finite and >= 1
   */
  readonly openDurationMultiplier?: number;
  /**
   * Longest open duration, in milliseconds, whatever growth, function or `Retry-After` ask for.
   *
   * @defaultValue 600_000, or `openDurationMs` where that is longer
   * @throws {RangeError} at construction, unless finite and >= `openDurationMs`
   */
  readonly maxOpenDurationMs?: number;
  /**
   * After this long closed, in milliseconds, the next opening counts as the first in a row again.
   *
   * @defaultValue the length of the last opening
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly stableAfterMs?: number;
  /**
   * Whether to stay open at least as long as the failure asks for by `retryAfterMs` or a `Retry-After`
   * field (seconds or HTTP date).
   *
   * @defaultValue true
   */
  readonly respectRetryAfter?: boolean;
  /**
   * Trials in a row that must succeed to close the circuit.
   *
   * @defaultValue 2
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly successThreshold?: number;
  /**
   * Judges a half-open circuit by the failure rate of so many trials, instead of each trial by itself: it
   * closes when all have ended and at most {@link halfOpenMaxFailureRate} of them failed, and opens again
   * as soon as more have. Not together with {@link successThreshold} or {@link shared}.
   *
   * @defaultValue none: the first failure opens the circuit again
   * @throws {RangeError} at construction, unless an integer from 1 to 1 000 000
   */
  readonly halfOpenTrials?: number;
  /**
   * Largest share of failed trials with which the circuit closes. Needs {@link halfOpenTrials}.
   *
   * @defaultValue 0.25, or half of `failureRateThreshold` where that is less
   * @throws {RangeError} at construction, unless from 0 to 1
   */
  readonly halfOpenMaxFailureRate?: number;
  /**
   * Most trials that run at the same time while half-open. Other calls are rejected at once, unless they
   * may wait ({@link halfOpenMaxWaitMs}).
   *
   * @defaultValue 1
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly halfOpenMaxCalls?: number;
  /**
   * Longest time that a trial may take, in milliseconds. It then counts as failed and the circuit opens
   * again; the trial itself goes on, and its result is ignored.
   *
   * @defaultValue 60_000
   * @throws {RangeError} at construction, unless > 0 and finite
   */
  readonly halfOpenMaxDurationMs?: number;
  /**
   * How long a call may wait for its turn while the circuit is half-open, in milliseconds, instead of
   * being rejected at once. Calls get their turn in order of arrival: as a trial when one has ended, and
   * when the circuit closes ten at first, then two for each of these that succeeds and one for each that
   * fails; all whose wait is over start as well. They are rejected when the circuit opens again. At most
   * 1000 calls wait; an abort or the deadline ends the wait. Not together with {@link shared}.
   *
   * @defaultValue 0: calls are rejected at once
   * @throws {RangeError} at construction, unless >= 0 and finite
   */
  readonly halfOpenMaxWaitMs?: number;
  /**
   * Which outcomes are failures of the dependency. An error that is not handled is ignored, a value
   * that is not handled is a success. An error in the predicate is logged and counts as `false`. Not
   * asked about calls that were cancelled, lost a hedge, or were refused by a Temper policy inside:
   * those are ignored.
   *
   * @defaultValue every error but the caller's own mistakes (`isFailure` of `@temper/core`), and
   * whatever a call that a timeout or deadline has ended comes to
   */
  readonly shouldHandle?: ShouldHandle;
  /**
   * What the breaker does; can be changed later.
   *
   * @defaultValue 'enabled'
   */
  readonly mode?: BreakerMode;
  /**
   * Which calls get spans. A rejection counts as a failure.
   *
   * @defaultValue 'failures'
   */
  readonly spans?: SpanMode;
  /**
   * Where the telemetry of the policy goes, and which attributes its metrics have besides; see
   * `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /**
   * Whether `CircuitOpenError` has a stack trace, which costs microseconds per rejection.
   *
   * @defaultValue false
   */
  readonly errorStack?: boolean;
  /**
   * Decides together with other processes: the result of `sharedCircuit()` of `@temper/breaker/shared`.
   *
   * @defaultValue none
   */
  readonly shared?: CircuitSharing;
  /**
   * Called with each change of state, also when time alone causes it. An error thrown by it is logged.
   * More listeners can be added later by `onStateChange()` of the breaker.
   */
  readonly onStateChange?: (change: StateChange) => void;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

/** The options that may stay unset. */
export type Unset =
  | 'telemetry'
  | 'window'
  | 'slowCallDurationMs'
  | 'stableAfterMs'
  | 'halfOpenTrials'
  | 'shouldHandle'
  | 'shared'
  | 'onStateChange';

/** Options that were checked, with their defaults filled in. */
export type ResolvedBreakerOptions = Resolved<CircuitBreakerOptions, Unset>;

/** @throws {TypeError} unless it is a {@link BreakerMode} */
export const modeRule: (owner: string, option: string, value: unknown) => void = oneOfRule([
  'enabled',
  'metrics-only',
  'disabled',
]);
