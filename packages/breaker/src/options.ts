import {
  type Clock,
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  type Outcome,
  SPAN_MODES,
  type SpanMode,
  systemClock,
} from '@temper/core';
import type { StateChange } from './events.ts';
import type { OpenDurationEvent } from './open-duration.ts';
import {
  type ResolvedSharedOptions,
  resolveSharedOptions,
  type SharedOptions,
} from './shared-options.ts';
import { resolveTolerance, TOLERANCE_DEFAULTS } from './tolerance.ts';
import type { Tolerance } from './trip.ts';
import type { WindowOptions } from './window.ts';

/**
 * `enabled`: it works. `metrics-only`: it counts and measures, but never opens: for watching what the
 * thresholds would see. `disabled`: it lets everything pass and counts nothing.
 */
export type BreakerMode = 'enabled' | 'metrics-only' | 'disabled';

/** Every {@link BreakerMode}. */
export const BREAKER_MODES: readonly BreakerMode[] = ['enabled', 'metrics-only', 'disabled'];

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
   * Judges by rates over a window in place of failures in a row. `calls` is an integer from 1 to
   * 1 000 000, `durationMs` at least 10, `buckets` an integer from 2 to 1000.
   *
   * @defaultValue none
   */
  readonly window?: WindowOptions;
  /**
   * Share of failures in the window at which the circuit opens. Only with {@link window}.
   *
   * @defaultValue 0.5
   * @throws {RangeError} at construction, unless > 0 and <= 1
   */
  readonly failureRateThreshold?: number;
  /**
   * A call that takes longer than this is slow, in milliseconds. While half-open a slow trial counts
   * as failed. Only with {@link window}.
   *
   * @defaultValue none: no call is slow
   * @throws {RangeError} at construction, unless > 0 and finite
   */
  readonly slowCallDurationMs?: number;
  /**
   * Share of slow calls in the window at which the circuit opens. Only with `slowCallDurationMs`.
   *
   * @defaultValue 1
   * @throws {RangeError} at construction, unless > 0 and <= 1
   */
  readonly slowCallRateThreshold?: number;
  /**
   * Calls that must be in the window before a rate means anything. Only with {@link window}.
   *
   * @defaultValue 10, or the size of the window where that is smaller
   * @throws {RangeError} at construction, unless an integer >= 1 and no more than `window.calls`
   */
  readonly minimumThroughput?: number;
  /**
   * How long the circuit stays open before a trial, in milliseconds, or a function that says so for
   * each opening. One that throws, or says NaN or less than 0, is reported, and 60 s taken.
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
   * Longest open duration, in milliseconds, whatever growth, function or `Retry-After` say.
   *
   * @defaultValue 600_000, or `openDurationMs` where that is longer
   * @throws {RangeError} at construction, unless finite and >= `openDurationMs`
   */
  readonly maxOpenDurationMs?: number;
  /**
   * A circuit that has been closed for so long, in milliseconds, is stable: the next opening is the
   * first in a row again.
   *
   * @defaultValue as long as it was last open
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly stableAfterMs?: number;
  /**
   * Whether to stay open at least as long as the failure that opened the circuit asks for, by
   * `retryAfterMs` or a `Retry-After` field on the error or result (seconds or HTTP date).
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
   * Most trials that run at a time while half-open. Other calls are rejected at once: they do not
   * wait, and are not let loose when the circuit closes.
   *
   * @defaultValue 1
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly halfOpenMaxCalls?: number;
  /**
   * Longest time that a trial may run, in milliseconds. Then it counts as failed, and its result for
   * nothing. It is not aborted: put a timeout inside the breaker for that.
   *
   * @defaultValue 60_000
   * @throws {RangeError} at construction, unless > 0 and finite
   */
  readonly halfOpenMaxDurationMs?: number;
  /**
   * Whether a returned value means failure. Errors always do, unless they are ignored.
   * One that throws, or returns a promise, is reported, and has said no.
   * Written as a method, so that a function of your own type of value is accepted.
   *
   * @defaultValue no value does
   */
  isFailure?(value: unknown): boolean;
  /**
   * Whether an error or value says nothing about the dependency: it then counts neither as failure
   * nor as success. Not asked when the caller aborted, which is always ignored. One that throws,
   * or returns a promise, is reported, and has said no.
   *
   * @defaultValue nothing is ignored but the caller's abort
   */
  readonly ignore?: (outcome: Outcome<unknown>) => boolean;
  /**
   * What the breaker does at all; see {@link BreakerMode}. Can be switched while running.
   *
   * @defaultValue 'enabled'
   */
  readonly mode?: BreakerMode;
  /**
   * Which calls get spans. A rejection counts as a failure.
   *
   * @defaultValue 'all'
   */
  readonly spans?: SpanMode;
  /**
   * Whether {@link CircuitOpenError} carries a stack trace. It costs microseconds per rejection.
   *
   * @defaultValue false
   */
  readonly errorStack?: boolean;
  /**
   * Decides together with other processes; see {@link SharedOptions}.
   *
   * @defaultValue none
   */
  readonly shared?: SharedOptions;
  /** Called with each change of state. What it throws is reported, no more. */
  readonly onStateChange?: (change: StateChange) => void;
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
}

const OTHER_DEFAULTS: {
  readonly name: 'breaker';
  readonly openDurationMs: 60_000;
  readonly openDurationMultiplier: 1;
  readonly maxOpenDurationMs: 600_000;
  readonly respectRetryAfter: true;
  readonly successThreshold: 2;
  readonly halfOpenMaxCalls: 1;
  readonly halfOpenMaxDurationMs: 60_000;
  readonly mode: 'enabled';
  readonly spans: 'all';
  readonly errorStack: false;
} = {
  name: 'breaker',
  openDurationMs: 60_000,
  openDurationMultiplier: 1,
  maxOpenDurationMs: 600_000,
  respectRetryAfter: true,
  successThreshold: 2,
  halfOpenMaxCalls: 1,
  halfOpenMaxDurationMs: 60_000,
  mode: 'enabled',
  spans: 'all',
  errorStack: false,
};

/** The defaults of {@link CircuitBreakerOptions} that are plain values. */
export const BREAKER_DEFAULTS: typeof TOLERANCE_DEFAULTS & typeof OTHER_DEFAULTS = {
  ...TOLERANCE_DEFAULTS,
  ...OTHER_DEFAULTS,
};

type WithoutDefault =
  | 'window'
  | 'slowCallDurationMs'
  | 'stableAfterMs'
  | 'isFailure'
  | 'ignore'
  | 'onStateChange';

/** The options when they have been checked: nothing missing but what has no default. */
export type ResolvedBreakerOptions = Required<
  Omit<CircuitBreakerOptions, WithoutDefault | keyof typeof TOLERANCE_DEFAULTS | 'shared'>
> &
  Pick<CircuitBreakerOptions, WithoutDefault> & {
    readonly shared: ResolvedSharedOptions | undefined;
    readonly tolerance: Tolerance;
  };

const KNOWN = [
  ...Object.keys(BREAKER_DEFAULTS),
  'window',
  'slowCallDurationMs',
  'stableAfterMs',
  'isFailure',
  'ignore',
  'shared',
  'onStateChange',
  'clock',
];

const OWNER = 'circuitBreaker';

/** Holds the options to their ranges and fills in the defaults. */
export function resolveBreakerOptions(options: CircuitBreakerOptions): ResolvedBreakerOptions {
  checkKnown(OWNER, options, KNOWN);
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as CircuitBreakerOptions;
  const all = { ...OTHER_DEFAULTS, clock: systemClock, ...given };

  checkName(OWNER, all.name);
  checkNumber(OWNER, 'successThreshold', all.successThreshold, POSITIVE_INTEGER);
  checkNumber(OWNER, 'halfOpenMaxCalls', all.halfOpenMaxCalls, POSITIVE_INTEGER);
  checkNumber(OWNER, 'halfOpenMaxDurationMs', all.halfOpenMaxDurationMs, POSITIVE);
  if (all.stableAfterMs !== undefined) {
    checkNumber(OWNER, 'stableAfterMs', all.stableAfterMs, { min: 0 });
  }
  checkType(OWNER, 'respectRetryAfter', all.respectRetryAfter, 'boolean');
  checkType(OWNER, 'errorStack', all.errorStack, 'boolean');
  checkMode(all.mode);
  checkOneOf(OWNER, 'spans', all.spans, SPAN_MODES);
  for (const hook of ['isFailure', 'ignore', 'onStateChange'] as const) {
    if (all[hook] !== undefined) checkType(OWNER, hook, all[hook], 'function');
  }
  return {
    ...all,
    maxOpenDurationMs: checkOpenDuration(given, all),
    tolerance: resolveTolerance(given),
    shared: all.shared === undefined ? undefined : resolveSharedOptions(all.shared),
  };
}

/** @throws {TypeError} unless it is a {@link BreakerMode} */
export function checkMode(mode: unknown): void {
  checkOneOf(OWNER, 'mode', mode, BREAKER_MODES);
}

const POSITIVE = { min: 0, aboveMin: true, infinite: false };
const POSITIVE_INTEGER = { min: 1, integer: true, infinite: false };

/** @returns the longest open duration */
function checkOpenDuration(
  given: CircuitBreakerOptions,
  {
    openDurationMs,
    openDurationMultiplier,
    maxOpenDurationMs,
  }: Required<
    Pick<CircuitBreakerOptions, 'openDurationMs' | 'openDurationMultiplier' | 'maxOpenDurationMs'>
  >,
): number {
  const custom = typeof openDurationMs === 'function';
  if (!custom) {
    checkNumber(OWNER, 'openDurationMs', openDurationMs, { min: 0, infinite: false });
  } else if (given.openDurationMultiplier !== undefined) {
    throw new TypeError(
      `${OWNER}: openDurationMultiplier has no meaning when openDurationMs is a function.`,
    );
  }
  checkNumber(OWNER, 'openDurationMultiplier', openDurationMultiplier, { min: 1, infinite: false });
  const shortest = custom ? 0 : openDurationMs;
  // Below the default cap, a duration above it would be refused for an option nobody gave.
  const cap = given.maxOpenDurationMs ?? Math.max(maxOpenDurationMs, shortest);
  return checkNumber(OWNER, 'maxOpenDurationMs', cap, { min: shortest, infinite: false });
}
