import { checkNumber, checkOneOf, checkType, type Random, systemRandom } from '@temper/core';
import type { QueueOptions } from '../options.ts';
import { isOverload } from '../overload.ts';
import { Aimd } from './aimd.ts';
import { Gradient } from './gradient.ts';
import type { LimitAlgorithm, LimitBounds } from './limit-algorithm.ts';

/** A limit has moved by at least one whole unit. */
export interface LimitChange {
  readonly policy: string;
  readonly from: number;
  readonly to: number;
}

/** Options of {@link adaptiveConcurrency}. */
export interface AdaptiveConcurrencyOptions extends QueueOptions {
  /**
   * How the limit is found: by the `gradient` of latency, which keeps the backend's queue short; or
   * by `aimd`, which grows the limit until calls fail or take longer than `latencyThresholdMs`.
   *
   * @defaultValue 'gradient'
   */
  readonly algorithm?: 'gradient' | 'aimd';
  /**
   * Limit to begin with. Rather too low than too high: it doubles fast.
   *
   * @defaultValue 10
   * @throws {RangeError} at construction, unless from `minLimit` to `maxLimit`
   */
  readonly initialLimit?: number;
  /**
   * Least that the limit comes down to.
   *
   * @defaultValue 1
   * @throws {RangeError} at construction, unless finite and >= 1
   */
  readonly minLimit?: number;
  /**
   * Most that the limit grows to.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless finite and >= `minLimit`
   */
  readonly maxLimit?: number;
  /**
   * How many times the latency of an idle backend is taken for no queue. For `gradient` only.
   *
   * @defaultValue 2
   * @throws {RangeError} at construction, unless finite and >= 1
   */
  readonly tolerance?: number;
  /**
   * Shortest window over which calls are summed up, in milliseconds. For `gradient` only.
   *
   * @defaultValue 200
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly windowMs?: number;
  /**
   * Fewest calls in a window; fewer when the limit is below that. For `gradient` only.
   *
   * @defaultValue 50
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly minSamples?: number;
  /**
   * How often the latency of the idle backend is measured anew, in milliseconds, give or take a
   * quarter. That costs up to half of the throughput for about two windows. For `gradient` only.
   *
   * @defaultValue 30_000
   * @throws {RangeError} at construction, unless > 0 (`Infinity` for never)
   */
  readonly probeIntervalMs?: number;
  /**
   * A call that takes longer is a sign of overload, in milliseconds. For `aimd` only.
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless > 0
   */
  readonly latencyThresholdMs?: number;
  /**
   * What the limit is multiplied by at a sign of overload. For `aimd` only.
   *
   * @defaultValue 0.9
   * @throws {RangeError} at construction, unless from 0.1 to 0.99
   */
  readonly backoffRatio?: number;
  /**
   * Whether an error is a sign of overload. Other errors teach nothing, as they may come quicker or
   * slower than real answers. A predicate that throws is reported, and has said no.
   *
   * @defaultValue timeouts, and transient errors of resources and the network
   */
  readonly isOverload?: (error: unknown) => boolean;
  /** Called when the limit has moved. What it throws is reported, no more. @defaultValue none */
  readonly onLimitChange?: (change: LimitChange) => void;
  /** Spreads the probes of clients that started together. @defaultValue `Math.random` */
  readonly random?: Random;
}

/** The defaults, as the README's table shows them. */
export const ADAPTIVE_DEFAULTS: {
  readonly algorithm: 'gradient';
  readonly initialLimit: 10;
  readonly minLimit: 1;
  readonly maxLimit: 1000;
  readonly tolerance: 2;
  readonly windowMs: 200;
  readonly minSamples: 50;
  readonly probeIntervalMs: 30_000;
  readonly latencyThresholdMs: number;
  readonly backoffRatio: 0.9;
} = {
  algorithm: 'gradient',
  initialLimit: 10,
  minLimit: 1,
  maxLimit: 1000,
  tolerance: 2,
  windowMs: 200,
  minSamples: 50,
  probeIntervalMs: 30_000,
  latencyThresholdMs: Number.POSITIVE_INFINITY,
  backoffRatio: 0.9,
};

const GRADIENT_ONLY = ['tolerance', 'windowMs', 'minSamples', 'probeIntervalMs'] as const;
const AIMD_ONLY = ['latencyThresholdMs', 'backoffRatio'] as const;

/** What the adaptive limiter knows besides what every limiter does. */
export const ADAPTIVE_OPTIONS: readonly string[] = [
  ...Object.keys(ADAPTIVE_DEFAULTS),
  'isOverload',
  'onLimitChange',
  'random',
];

/** {@link AdaptiveConcurrencyOptions} when they have been checked. */
export interface ResolvedAdaptiveOptions extends LimitBounds {
  readonly algorithm: LimitAlgorithm;
  readonly isOverload: (error: unknown) => boolean;
  readonly onLimitChange: ((change: LimitChange) => void) | undefined;
}

/** Holds the options to their ranges and makes the algorithm. */
export function resolveAdaptiveOptions(
  owner: string,
  options: AdaptiveConcurrencyOptions,
): ResolvedAdaptiveOptions {
  const { algorithm = ADAPTIVE_DEFAULTS.algorithm, random = systemRandom, onLimitChange } = options;
  checkOneOf(owner, 'algorithm', algorithm, ['gradient', 'aimd']);
  const others = algorithm === 'gradient' ? AIMD_ONLY : GRADIENT_ONLY;
  for (const option of others) {
    if (options[option] !== undefined) {
      throw new TypeError(`${owner}: ${option} has no meaning for the algorithm '${algorithm}'.`);
    }
  }
  const hooks = { isOverload: options.isOverload ?? isOverload, random };
  checkType(owner, 'isOverload', hooks.isOverload, 'function');
  checkType(owner, 'random', random, 'function');
  if (onLimitChange !== undefined) checkType(owner, 'onLimitChange', onLimitChange, 'function');
  const bounds = resolveBounds(owner, options);
  return {
    ...bounds,
    algorithm:
      algorithm === 'gradient'
        ? gradient(owner, options, bounds, random)
        : aimd(owner, options, bounds),
    isOverload: hooks.isOverload,
    onLimitChange,
  };
}

function resolveBounds(owner: string, options: AdaptiveConcurrencyOptions): LimitBounds {
  const { minLimit = ADAPTIVE_DEFAULTS.minLimit } = options;
  checkNumber(owner, 'minLimit', minLimit, { min: 1, infinite: false });
  const maxLimit = options.maxLimit ?? Math.max(ADAPTIVE_DEFAULTS.maxLimit, minLimit);
  checkNumber(owner, 'maxLimit', maxLimit, { min: minLimit, infinite: false });
  const initialLimit =
    options.initialLimit ?? Math.min(maxLimit, Math.max(minLimit, ADAPTIVE_DEFAULTS.initialLimit));
  checkNumber(owner, 'initialLimit', initialLimit, { min: minLimit, max: maxLimit });
  return { initialLimit, minLimit, maxLimit };
}

function gradient(
  owner: string,
  options: AdaptiveConcurrencyOptions,
  bounds: LimitBounds,
  random: Random,
): Gradient {
  const {
    tolerance = ADAPTIVE_DEFAULTS.tolerance,
    windowMs = ADAPTIVE_DEFAULTS.windowMs,
    minSamples = ADAPTIVE_DEFAULTS.minSamples,
    probeIntervalMs = ADAPTIVE_DEFAULTS.probeIntervalMs,
  } = options;
  checkNumber(owner, 'tolerance', tolerance, { min: 1, infinite: false });
  checkNumber(owner, 'windowMs', windowMs, { min: 0, aboveMin: true, infinite: false });
  checkNumber(owner, 'minSamples', minSamples, { min: 1, integer: true, infinite: false });
  checkNumber(owner, 'probeIntervalMs', probeIntervalMs, { min: 0, aboveMin: true });
  return new Gradient({ ...bounds, tolerance, windowMs, minSamples, probeIntervalMs, random });
}

function aimd(owner: string, options: AdaptiveConcurrencyOptions, bounds: LimitBounds): Aimd {
  const {
    latencyThresholdMs = ADAPTIVE_DEFAULTS.latencyThresholdMs,
    backoffRatio = ADAPTIVE_DEFAULTS.backoffRatio,
  } = options;
  checkNumber(owner, 'latencyThresholdMs', latencyThresholdMs, { min: 0, aboveMin: true });
  checkNumber(owner, 'backoffRatio', backoffRatio, { min: 0.1, max: 0.99 });
  return new Aimd({ ...bounds, latencyThresholdMs, backoffRatio });
}
