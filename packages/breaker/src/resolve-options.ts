import { systemClock } from '@temper/core';
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
  type OptionRule,
  oneOfRule,
  resolveOptions,
  SPAN_MODES,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';
import { DEFAULT_BUCKETS } from './circuit/windows.ts';
import {
  type CircuitBreakerOptions,
  modeRule,
  type ResolvedBreakerOptions,
  type Unset,
} from './options.ts';

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
  halfOpenMaxFailureRate: 0.25,
  halfOpenMaxCalls: 1,
  halfOpenMaxDurationMs: 60_000,
  halfOpenMaxWaitMs: 0,
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

const FINITE = { min: 0, infinite: false };

const RULES: { readonly [K in keyof CircuitBreakerOptions]-?: OptionRule } = {
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
  halfOpenTrials: numberRule({ min: 1, max: 1_000_000, integer: true }),
  halfOpenMaxFailureRate: numberRule({ min: 0, max: 1 }),
  halfOpenMaxCalls: COUNT,
  halfOpenMaxDurationMs: DURATION,
  halfOpenMaxWaitMs: numberRule(FINITE),
  shouldHandle: CALLBACK,
  mode: modeRule,
  spans: oneOfRule(SPAN_MODES),
  telemetry: telemetryRule,
  errorStack: typeRule('boolean'),
  shared: methodsRule('join'),
  onStateChange: CALLBACK,
  clock: clockRule,
};

/** Holds the options to their ranges and to each other, and fills in the defaults. */
export function resolveBreakerOptions(options: CircuitBreakerOptions): ResolvedBreakerOptions {
  const all = resolveOptions<CircuitBreakerOptions, Unset>(OWNER, options, BREAKER_DEFAULTS, RULES);
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
  return Object.assign(all, {
    // A duration above the default cap raises the cap: the user did not set one.
    maxOpenDurationMs: Math.max(all.maxOpenDurationMs, shortest),
    minimumThroughput: Math.min(all.minimumThroughput, size),
    // A circuit that closes must not open again at the same failure rate.
    halfOpenMaxFailureRate:
      options.halfOpenMaxFailureRate ??
      Math.min(all.halfOpenMaxFailureRate, all.failureRateThreshold / 2),
  });
}

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
  if (options.halfOpenTrials === undefined) {
    refuse('halfOpenMaxFailureRate', 'needs halfOpenTrials');
  } else {
    refuse('successThreshold', 'does not go with halfOpenTrials; use halfOpenMaxFailureRate');
  }
  if (options.shared !== undefined) {
    refuse('halfOpenTrials', 'does not go with shared: the fleet judges each trial by itself');
    refuse('halfOpenMaxWaitMs', 'does not go with shared: the fleet runs one trial at a time');
  }
  if (typeof options.openDurationMs === 'function') {
    refuse('openDurationMultiplier', 'has no effect when openDurationMs is a function');
  }
}
