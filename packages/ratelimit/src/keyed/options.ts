import type { Clock, TelemetryScope } from '@temper/core';
import {
  checkNumber,
  clockRule,
  type Defaults,
  nameRule,
  numberRule,
  type Resolved,
  resolveOptions,
  show,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';
import type { Dumpable } from '../changes/limit-dump.ts';
import type { RateControls } from '../changes/rate-controls.ts';
import type { PlanOf } from '../changes/rate-plans.ts';
import type { Lease, Limiter, RequestCounts } from '../limiter.ts';
import { hasRule, type RateLimiter, type RuleLimiter } from '../limiters/rate-limiter.ts';
import type { Refusing } from '../refusals.ts';

interface KeyOptions {
  /**
   * Names the limiter in errors, spans and metrics, for all its keys together.
   *
   * @defaultValue the name of the template; 'keyed' without one
   */
  readonly name?: string;
  /**
   * How many keys are kept. To make room for another, one of those used longest ago is removed: one of
   * which nothing is in use, or else the one that loses least. Its limit then starts anew. A key that
   * calls wait for or hold permits of is not removed. Keys longer than 128 characters are kept as their
   * SHA-256.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless an integer from 1 to 2 ** 30
   */
  readonly maxKeys?: number;
  /**
   * How long a key is kept after its last use, in milliseconds. There is no timer: idle keys are
   * removed when others are used, and when statistics or metrics are read.
   *
   * @defaultValue 600_000, or until the limit has recovered completely when that is longer
   * @throws {RangeError} unless at least as long as the limit takes to recover completely: a key
   * removed before would get its limit twice
   */
  readonly idleMs?: number;
  /**
   * Where the telemetry of the limiter goes, and which attributes its metrics have besides; see
   * `telemetryScope` of `@temper/core`. Limiters that `limiter` makes have their own.
   *
   * @defaultValue that of the template, or the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /** @defaultValue the clock of the template, or the system clock */
  readonly clock?: Clock;
}

/** One rate limit, kept for each key by itself. */
export interface KeyedTemplateOptions extends KeyOptions {
  /**
   * The rate limit of each key: a `tokenBucket`, `gcra`, `slidingWindow` or `fixedWindow`. It is not
   * used itself: its rule and options hold for every key, and a key is a few numbers in flat arrays.
   */
  readonly template: RateLimiter;
  /**
   * The limit of a key, where it is not the template's. Called for each use of the key, so that a plan can
   * change at any time: units in use stay in use, more is available at once, and never more than the new
   * limit. A call that waits follows the change with the next use of its key. What it throws, and a plan
   * that is not allowed, is logged and has no effect. As `plan` of `sharedRateLimit`.
   *
   * @defaultValue none
   */
  readonly plan?: PlanOf;
  readonly limiter?: undefined;
}

/** A limiter of its own for each key. */
export interface KeyedFactoryOptions<L extends Lease = Lease> extends KeyOptions {
  /**
   * Creates the limiter of a key. Called for each key that is not kept yet, and must return a new
   * limiter each time. Give all of them one name: it labels their metrics.
   */
  readonly limiter: (key: string) => Limiter<L>;
  readonly template?: undefined;
  readonly plan?: undefined;
}

/** A rate limiter of its own for each key. */
export interface KeyedRateFactoryOptions extends KeyOptions {
  /** As in {@link KeyedFactoryOptions}, for rate limiters. */
  readonly limiter: (key: string) => RateLimiter;
  readonly template?: undefined;
  readonly plan?: undefined;
}

/** Options of {@link keyed}: exactly one of `template` and `limiter`. */
export type KeyedOptions<L extends Lease = Lease> = KeyedTemplateOptions | KeyedFactoryOptions<L>;

/** What a keyed limiter has done, all keys together. */
export interface KeyedStats extends RequestCounts {
  /** Keys that are kept. */
  readonly keys: number;
  /** Keys removed to make room for others. */
  readonly evictions: number;
  /** Calls that wait for their turn. */
  readonly queued: number;
}

/**
 * A limiter of its own for each key, of bounded number. A {@link Limiter} whose every call needs a key:
 * `tryAcquire({ key })`, `execute(operation, { key })`, `wrap(fn, (...args) => ({ key }))`; inside a
 * pipeline the key of the call. A call without one is refused with a `TypeError`.
 */
export interface KeyedLimiter<L extends Lease = Lease> extends Limiter<L>, Refusing {
  /** The limiter of one key, as a policy of its own. Holding it does not keep the key. */
  for(key: string): Limiter;
  /** Removes a key, unless it is in use; its limit then starts anew. @returns whether it was removed */
  forget(key: string): boolean;
  stats(): KeyedStats;
}

/**
 * A rate limit of its own for each key, with the changes that a shared one knows too. They need the key of
 * what they change.
 */
export interface KeyedRateLimiter extends KeyedLimiter, RateControls, Dumpable {
  for(key: string): Limiter & RateControls;
}

type Unset = 'name' | 'idleMs' | 'telemetry' | 'clock' | 'template' | 'limiter' | 'plan';
type AnyOptions = KeyOptions & {
  readonly template?: unknown;
  readonly limiter?: unknown;
  readonly plan?: PlanOf | undefined;
};

/** The defaults, as the README's table shows them. */
export const KEYED_DEFAULTS: Defaults<AnyOptions, Unset> & { readonly idleMs: number } = {
  maxKeys: 10_000,
  idleMs: 600_000,
};

/** Options that were checked. */
export type ResolvedKeyedOptions = Omit<
  Resolved<AnyOptions, Unset>,
  'template' | 'limiter' | 'plan'
> &
  (
    | {
        readonly template: RuleLimiter<object>;
        readonly plan?: PlanOf;
        readonly limiter?: undefined;
      }
    | { readonly limiter: (key: string) => unknown; readonly template?: undefined }
  );

/** Holds the options to their ranges, and decides between template and factory. */
export function resolveKeyedOptions(options: AnyOptions): ResolvedKeyedOptions {
  const owner = 'keyed';
  const { maxKeys } = KEYED_DEFAULTS;
  const all = resolveOptions<AnyOptions, Unset>(
    owner,
    options,
    { maxKeys },
    {
      name: nameRule,
      maxKeys: numberRule({ min: 1, max: 2 ** 30, integer: true }),
      idleMs: numberRule({ min: 0 }),
      telemetry: telemetryRule,
      clock: clockRule,
      template: checkTemplate,
      limiter: typeRule('function'),
      plan: typeRule('function'),
    },
  );
  if ((all.template === undefined) === (all.limiter === undefined)) {
    throw new TypeError(
      `${owner}: exactly one of template (one rate limit for every key) and limiter (a function that creates the limiter of a key) must be given.`,
    );
  }
  if (all.plan !== undefined && all.template === undefined) {
    throw new TypeError(
      `${owner}: plan changes the rule of a template; a limiter function decides about the rule by itself.`,
    );
  }
  return all as ResolvedKeyedOptions;
}

function checkTemplate(owner: string, _option: string, value: unknown): void {
  if (hasRule(value)) return;
  throw new TypeError(
    `${owner}: template must be a rate limiter of this package (tokenBucket, gcra, slidingWindow, fixedWindow), got ${show(value)}; only of these the state can be kept as numbers. For other limiters pass { limiter: (key) => … }, which creates one for each key.`,
  );
}

/**
 * How long a key is kept, for a limit that recovers within `freshAfterMs`.
 *
 * @throws {RangeError} when the given time is shorter than that
 */
export function idleTime(owner: string, given: number | undefined, freshAfterMs: number): number {
  if (given !== undefined) checkNumber(owner, 'idleMs', given, { min: freshAfterMs });
  return given ?? Math.max(KEYED_DEFAULTS.idleMs, freshAfterMs);
}
