import { isOverload, type Random, type ShouldHandle } from '@temper/core';
import {
  checkNumber,
  numberRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  systemRandom,
  typeRule,
} from '@temper/core/policy';
import {
  QUEUE_DEFAULTS,
  QUEUE_RULES,
  type QueueOptions,
  type QueueUnset,
  type ResolvedQueueOptions,
} from '../wait/options.ts';
import { Aimd, type AimdParameters } from './aimd.ts';
import { Gradient, type GradientParameters } from './gradient.ts';
import type { LimitAlgorithm, LimitBounds } from './limit-algorithm.ts';

/** A change of the limit by at least one whole unit. */
export interface LimitChange {
  readonly policy: string;
  readonly from: number;
  readonly to: number;
}

/** Options of {@link adaptiveConcurrency}. */
export interface AdaptiveConcurrencyOptions extends QueueOptions {
  /**
   * How the limit is found: by the `gradient` of latency, which keeps the dependency's queue short; or
   * by `aimd`, which raises the limit until calls fail or take longer than `latencyThresholdMs`.
   *
   * @defaultValue 'gradient'
   */
  readonly algorithm?: 'gradient' | 'aimd';
  /**
   * The limit at the start. Better too low than too high: it doubles quickly.
   *
   * @defaultValue 10
   * @throws {RangeError} at construction, unless from `minLimit` to `maxLimit`
   */
  readonly initialLimit?: number;
  /**
   * Lowest limit.
   *
   * @defaultValue 1
   * @throws {RangeError} at construction, unless finite and >= 1
   */
  readonly minLimit?: number;
  /**
   * Highest limit.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless finite and >= `minLimit`
   */
  readonly maxLimit?: number;
  /**
   * Up to how many times the latency of an idle dependency counts as no queue. For `gradient` only.
   *
   * @defaultValue 2
   * @throws {RangeError} at construction, unless finite and >= 1
   */
  readonly tolerance?: number;
  /**
   * Shortest window over which calls are measured, in milliseconds. For `gradient` only.
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
   * How often the latency of the idle dependency is measured anew, in milliseconds, randomised by a
   * quarter either way. This costs up to half of the throughput for about two windows. For `gradient` only.
   *
   * @defaultValue 30_000
   * @throws {RangeError} at construction, unless > 0 (`Infinity` for never)
   */
  readonly probeIntervalMs?: number;
  /**
   * A call that takes longer than this is a sign of overload, in milliseconds. For `aimd` only.
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless > 0
   */
  readonly latencyThresholdMs?: number;
  /**
   * Factor by which the limit is multiplied at a sign of overload. For `aimd` only.
   *
   * @defaultValue 0.9
   * @throws {RangeError} at construction, unless from 0.1 to 0.99
   */
  readonly backoffRatio?: number;
  /**
   * Whether an outcome is a sign of overload. Other errors do not train the limit, as they may come
   * sooner or later than real answers. Not asked about calls that were cancelled, lost a hedge, or were
   * refused by a Temper policy inside: these never train the limit.
   *
   * @defaultValue `isOverload`: timeouts, and transient errors of resources and the network
   */
  readonly shouldHandle?: ShouldHandle;
  /** Called when the limit has moved. What it throws is logged. @defaultValue none */
  readonly onLimitChange?: (change: LimitChange) => void;
  /** Spreads the measurements of clients that started together. @defaultValue `Math.random` */
  readonly random?: Random;
}

type Unset =
  | QueueUnset
  | 'onLimitChange'
  | 'tolerance'
  | 'windowMs'
  | 'minSamples'
  | 'probeIntervalMs'
  | 'latencyThresholdMs'
  | 'backoffRatio'
  | 'initialLimit'
  | 'maxLimit';

/** The options of one algorithm, with the defaults. */
const GRADIENT_DEFAULTS: Pick<
  GradientParameters,
  'tolerance' | 'windowMs' | 'minSamples' | 'probeIntervalMs'
> = { tolerance: 2, windowMs: 200, minSamples: 50, probeIntervalMs: 30_000 };
const AIMD_DEFAULTS: Pick<AimdParameters, 'latencyThresholdMs' | 'backoffRatio'> = {
  latencyThresholdMs: Number.POSITIVE_INFINITY,
  backoffRatio: 0.9,
};

/** The defaults, as the README's table shows them. */
export const ADAPTIVE_DEFAULTS: {
  readonly algorithm: 'gradient';
  readonly initialLimit: number;
  readonly minLimit: number;
  readonly maxLimit: number;
} & typeof GRADIENT_DEFAULTS &
  typeof AIMD_DEFAULTS = {
  algorithm: 'gradient',
  initialLimit: 10,
  minLimit: 1,
  maxLimit: 1000,
  ...GRADIENT_DEFAULTS,
  ...AIMD_DEFAULTS,
};

/** {@link AdaptiveConcurrencyOptions} that were checked. */
export interface ResolvedAdaptiveOptions extends LimitBounds {
  readonly algorithm: LimitAlgorithm;
  readonly shouldHandle: ShouldHandle;
  readonly onLimitChange: AdaptiveConcurrencyOptions['onLimitChange'];
}

const OWNER = 'adaptiveConcurrency';

/** Holds the options to their ranges and creates the algorithm. */
export function resolveAdaptiveOptions(options: AdaptiveConcurrencyOptions): {
  readonly adaptive: ResolvedAdaptiveOptions;
  readonly queue: ResolvedQueueOptions;
} {
  const callback = typeRule('function');
  const { algorithm, minLimit } = ADAPTIVE_DEFAULTS;
  const all = resolveOptions<AdaptiveConcurrencyOptions, Unset>(
    OWNER,
    options,
    {
      ...QUEUE_DEFAULTS,
      name: 'adaptive-concurrency',
      algorithm,
      minLimit,
      shouldHandle: isOverload,
      random: systemRandom,
    },
    {
      ...QUEUE_RULES,
      algorithm: oneOfRule(['gradient', 'aimd']),
      initialLimit: numberRule(),
      minLimit: numberRule({ min: 1, infinite: false }),
      maxLimit: numberRule({ min: 1, infinite: false }),
      tolerance: numberRule({ min: 1, infinite: false }),
      windowMs: numberRule({ min: 0, aboveMin: true, infinite: false }),
      minSamples: numberRule({ min: 1, integer: true, infinite: false }),
      probeIntervalMs: numberRule({ min: 0, aboveMin: true }),
      latencyThresholdMs: numberRule({ min: 0, aboveMin: true }),
      backoffRatio: numberRule({ min: 0.1, max: 0.99 }),
      shouldHandle: callback,
      onLimitChange: callback,
      random: callback,
    },
  );
  refuseOthers(all);
  const bounds = boundsOf(all);
  const { shouldHandle, onLimitChange, random } = all;
  return {
    adaptive: {
      ...bounds,
      algorithm:
        all.algorithm === 'gradient'
          ? new Gradient({ ...GRADIENT_DEFAULTS, ...all, ...bounds, random })
          : new Aimd({ ...AIMD_DEFAULTS, ...all, ...bounds }),
      shouldHandle,
      onLimitChange,
    },
    queue: all,
  };
}

/** Refuses the options of the other algorithm. */
function refuseOthers(all: Resolved<AdaptiveConcurrencyOptions, Unset>): void {
  const others = all.algorithm === 'gradient' ? AIMD_DEFAULTS : GRADIENT_DEFAULTS;
  for (const option in others) {
    if (option in all) {
      throw new TypeError(
        `${OWNER}: ${option} has no meaning for the algorithm '${all.algorithm}'.`,
      );
    }
  }
}

function boundsOf(all: Resolved<AdaptiveConcurrencyOptions, Unset>): LimitBounds {
  const { minLimit } = all;
  const maxLimit = all.maxLimit ?? Math.max(ADAPTIVE_DEFAULTS.maxLimit, minLimit);
  checkNumber(OWNER, 'maxLimit', maxLimit, { min: minLimit, infinite: false });
  const initialLimit =
    all.initialLimit ?? Math.min(maxLimit, Math.max(minLimit, ADAPTIVE_DEFAULTS.initialLimit));
  checkNumber(OWNER, 'initialLimit', initialLimit, { min: minLimit, max: maxLimit });
  return { initialLimit, minLimit, maxLimit };
}
