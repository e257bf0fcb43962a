import {
  checkKnown,
  checkType,
  type OptionRule,
  type Resolved,
  resolveOptions,
  show,
} from '@temper/core/policy';
import { KEYED_BY_ITSELF } from '../brands.ts';
import type { Lease } from '../limiter.ts';
import { QUEUE_DEFAULTS, QUEUE_RULES, type QueueOptions } from '../wait/options.ts';
import { isJoinable, type Joinable } from './member.ts';

/** A limiter of one process that {@link allOf} can ask: of rates, of concurrency, and `keyed` ones of them. */
export interface JoinableLimiter {
  readonly name: string;
  tryAcquire(options?: object): Lease | undefined;
}

/** One of the limits of {@link allOf}. */
export interface JointLimit {
  /**
   * The limiter. It may be in use by itself and by other groups as well.
   *
   * @throws {TypeError} at construction, unless it is made by `tokenBucket`, `gcra`, `slidingWindow`,
   * `fixedWindow`, `concurrency` or `keyed`, and given once
   */
  readonly limiter: JoinableLimiter;
  /**
   * The key of the call at this limiter, by the `key` in the options of the call. A call for which it returns
   * `undefined` is not limited by this limiter.
   *
   * @defaultValue the `key` of the call
   * @throws {TypeError} at construction, when the limiter has no keys
   */
  readonly key?: (key: string | undefined) => string | undefined;
  /**
   * Units that a call takes of this limiter, by the `cost` in its options; finite and > 0. Asked again with
   * what the call turned out to cost, and may return 0 then.
   *
   * @defaultValue the `cost` of the call
   */
  readonly cost?: (cost: number) => number;
}

/** Options of {@link allOf}. */
export interface AllOfOptions extends Omit<QueueOptions, 'queue'> {
  /**
   * The limits that every call has to pass, at least one.
   *
   * @throws {TypeError} at construction, when it is anything else
   */
  readonly limits: readonly JointLimit[];
}

type Unset = 'telemetry' | 'onReject';

/** Options that were checked, with their defaults filled in. */
export type ResolvedAllOf = Resolved<AllOfOptions, Unset>;

/** A limit that was checked. */
export interface CheckedLimit extends JointLimit {
  readonly limiter: JoinableLimiter & Joinable;
}

const { queue: _, ...RULES } = QUEUE_RULES;

/** Holds the options to their ranges and fills in the defaults. */
export function resolveAllOf(
  options: AllOfOptions,
): ResolvedAllOf & { readonly limits: readonly CheckedLimit[] } {
  const all = resolveOptions<AllOfOptions, Unset>(
    'allOf',
    options,
    { ...QUEUE_DEFAULTS, name: 'all-of', limits: [] },
    { ...RULES, limits: limitsRule },
  );
  limitsRule('allOf', 'limits', all.limits);
  // Nobody changes them afterwards.
  const limits = all.limits.map(({ limiter, key, cost }) => ({
    limiter: limiter as CheckedLimit['limiter'],
    ...(key === undefined ? {} : { key }),
    ...(cost === undefined ? {} : { cost }),
  }));
  return { ...all, limits };
}

const limitsRule: OptionRule = jointLimitsRule(
  isJoinable,
  'tokenBucket, gcra, slidingWindow, fixedWindow, concurrency or keyed; limits that processes share belong into sharedAllOf',
);

/**
 * Checks a list of limits.
 *
 * @param accepts - whether a limiter can be asked together with others
 * @param makers - what makes one, in messages
 */
export function jointLimitsRule(
  accepts: (limiter: unknown) => boolean,
  makers: string,
): OptionRule {
  return (owner, option, value) => {
    if (!Array.isArray(value) || value.length === 0) {
      throw new TypeError(`${owner}: ${option} must be a list of limits, got ${show(value)}.`);
    }
    const seen = new Set<unknown>();
    for (const [i, limit] of value.entries()) {
      const where = `${owner}: ${option}[${i}]`;
      checkKnown(where, limit, ['limiter', 'key', 'cost']);
      const { limiter, key, cost } = limit as Partial<JointLimit>;
      if (!accepts(limiter)) {
        throw new TypeError(`${where}: limiter must be made by ${makers}, got ${show(limiter)}.`);
      }
      if (seen.has(limiter)) {
        throw new TypeError(`${where}: a limiter can be given once. Create one for each limit.`);
      }
      seen.add(limiter);
      if (cost !== undefined) checkType(where, 'cost', cost, 'function');
      if (key === undefined) continue;
      checkType(where, 'key', key, 'function');
      if (!isKeyed(limiter as object)) {
        throw new TypeError(`${where}: the limiter has no keys; leave key out.`);
      }
    }
  };
}

/** Whether a limiter has a limit for each key. */
export function isKeyed(limiter: object): boolean {
  return (limiter as { [KEYED_BY_ITSELF]?: unknown })[KEYED_BY_ITSELF] === true;
}
