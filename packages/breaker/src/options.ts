import { type Clock, type ShouldHandle, type SpanMode, systemClock } from '@temper/core';
import {
  checkKnown,
  checkNumber,
  checkType,
  clockRule,
  DEFAULT_SPANS,
  type Defaults,
  methodsRule,
  nameRule,
  numberRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  SPAN_MODES,
  typeRule,
} from '@temper/core/policy';
import type { OpenDurationEvent } from './circuit/open-duration.ts';
import { DEFAULT_BUCKETS, type WindowOptions } from './circuit/window.ts';
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
   * {@link window}.
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
   * Factor by which the open duration grows with each opening in a row. Not together with a function.
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
   * Most trials that run at the same time while half-open. Other calls are rejected at once.
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
  /** Called with each change of state. An error thrown by it is logged. */
  readonly onStateChange?: (change: StateChange) => void;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

/** The options that may stay unset. */
type Unset =
  | 'window'
  | 'slowCallDurationMs'
  | 'stableAfterMs'
  | 'shouldHandle'
  | 'shared'
  | 'onStateChange';

/** Options that were checked, with their defaults filled in. */
export type ResolvedBreakerOptions = Resolved<CircuitBreakerOptions, Unset>;

/** The defaults, as the README's table shows them. */
export const BREAKER_DEFAULTS: Defaults<CircuitBreakerOptions, Unset> = {
  name: 'breaker',
  failureThreshold: 5,
  failureRateThreshold: 0.5,
  slowCallRateThreshold: 1,
  minimumThroughput: 10,
  openDurationMs: 60_000,
  openDurationMultiplier: 1,
  maxOpenDurationMs: 600_000,
  respectRetryAfter: true,
  successThreshold: 2,
  halfOpenMaxCalls: 1,
  halfOpenMaxDurationMs: 60_000,
  mode: 'enabled',
  spans: DEFAULT_SPANS,
  errorStack: false,
  clock: systemClock,
};

const OWNER = 'circuitBreaker';
const COUNT = numberRule({ min: 1, integer: true, infinite: false });
const DURATION = numberRule({ min: 0, aboveMin: true, infinite: false });
const SHARE = numberRule({ min: 0, aboveMin: true, max: 1 });
const CALLBACK = typeRule('function');

/** @throws {TypeError} unless it is a {@link BreakerMode} */
export const modeRule: (owner: string, option: string, value: unknown) => void = oneOfRule([
  'enabled',
  'metrics-only',
  'disabled',
]);

/** Holds the options to their ranges and to each other, and fills in the defaults. */
export function resolveBreakerOptions(options: CircuitBreakerOptions): ResolvedBreakerOptions {
  const all = resolveOptions<CircuitBreakerOptions, Unset>(OWNER, options, BREAKER_DEFAULTS, {
    name: nameRule,
    failureThreshold: COUNT,
    window: checkWindow,
    failureRateThreshold: SHARE,
    slowCallDurationMs: DURATION,
    slowCallRateThreshold: SHARE,
    minimumThroughput: COUNT,
    openDurationMs: (owner, option, value) => {
      if (typeof value !== 'function') checkNumber(owner, option, value, FINITE);
    },
    openDurationMultiplier: numberRule({ min: 1, infinite: false }),
    maxOpenDurationMs: numberRule(FINITE),
    stableAfterMs: numberRule({ min: 0 }),
    respectRetryAfter: typeRule('boolean'),
    successThreshold: COUNT,
    halfOpenMaxCalls: COUNT,
    halfOpenMaxDurationMs: DURATION,
    shouldHandle: CALLBACK,
    mode: modeRule,
    spans: oneOfRule(SPAN_MODES),
    errorStack: typeRule('boolean'),
    shared: methodsRule('join'),
    onStateChange: CALLBACK,
    clock: clockRule,
  });
  checkCombination(options);
  const { openDurationMs, window } = all;
  const shortest = typeof openDurationMs === 'function' ? 0 : openDurationMs;
  if (options.maxOpenDurationMs !== undefined) {
    checkNumber(OWNER, 'maxOpenDurationMs', all.maxOpenDurationMs, { ...FINITE, min: shortest });
  }
  const size = window !== undefined && 'calls' in window ? window.calls : Number.POSITIVE_INFINITY;
  if (options.minimumThroughput !== undefined && size !== Number.POSITIVE_INFINITY) {
    checkNumber(OWNER, 'minimumThroughput', all.minimumThroughput, {
      min: 1,
      max: size,
      integer: true,
    });
  }
  return {
    ...all,
    // A duration above the default cap raises the cap: the user did not set one.
    maxOpenDurationMs: Math.max(all.maxOpenDurationMs, shortest),
    minimumThroughput: Math.min(all.minimumThroughput, size),
  };
}

const FINITE = { min: 0, infinite: false };

function checkWindow(owner: string, option: string, window: unknown): void {
  checkType(owner, option, window, 'object');
  if ('calls' in (window as object)) {
    checkKnown(`${owner}: ${option}`, window, ['calls']);
    const { calls } = window as { calls: unknown };
    checkNumber(owner, `${option}.calls`, calls, { min: 1, max: 1_000_000, integer: true });
    return;
  }
  checkKnown(`${owner}: ${option}`, window, ['durationMs', 'buckets']);
  const { durationMs, buckets = DEFAULT_BUCKETS } = window as Record<string, unknown>;
  checkNumber(owner, `${option}.durationMs`, durationMs, { min: 10, infinite: false });
  checkNumber(owner, `${option}.buckets`, buckets, { min: 2, max: 1000, integer: true });
}

/** Refuses options that would be ignored because of others. */
function checkCombination(options: CircuitBreakerOptions): void {
  const refuse = (option: keyof CircuitBreakerOptions, why: string): void => {
    if (options[option] !== undefined) throw new TypeError(`${OWNER}: ${option} ${why}.`);
  };
  if (options.window === undefined) {
    refuse('failureRateThreshold', 'needs a window');
    refuse('slowCallDurationMs', 'needs a window');
    refuse('slowCallRateThreshold', 'needs a window');
    refuse('minimumThroughput', 'needs a window');
  } else {
    refuse('failureThreshold', 'does not go with a window; use failureRateThreshold');
  }
  if (options.slowCallDurationMs === undefined) {
    refuse('slowCallRateThreshold', 'needs slowCallDurationMs');
  }
  if (typeof options.openDurationMs === 'function') {
    refuse('openDurationMultiplier', 'has no effect when openDurationMs is a function');
  }
}
