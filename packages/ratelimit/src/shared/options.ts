import { checkNumber, checkOneOf, checkType } from '@temper/core';
import {
  type BurstOptions,
  CONCURRENCY_DEFAULTS,
  type QueueOptions,
  RATELIMIT_DEFAULTS,
  type ResolvedQueueOptions,
  resolveBurst,
  resolveQueueOptions,
  resolveRate,
} from '../options.ts';
import type { RuleKind } from '../rules.ts';
import type { RateLimitStore, StoreRule } from './store.ts';

/**
 * What a limiter does while its store is away: hold each process to its share by itself, let
 * everything through, or fail with {@link StoreUnavailableError}.
 */
export type StoreFailureMode = 'local' | 'open' | 'closed';

/** Options of limiters that several processes share. */
export interface SharedOptions extends QueueOptions {
  /** Where the limit is kept: `redisStore()` of `@temper/redis`, or another. */
  readonly store: RateLimitStore;
  /**
   * What to do while the store is away.
   *
   * @defaultValue 'local'
   */
  readonly onStoreFailure?: StoreFailureMode;
  /**
   * How many processes share the limit. While the store is away, each holds itself to the limit
   * divided by it.
   *
   * @defaultValue counted through the store; 1 when it has never answered
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly nodes?: number;
  /**
   * Most keys that are limited by themselves while the store is away.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly maxLocalKeys?: number;
}

/** Options of {@link sharedRateLimit}. */
export interface SharedRateLimitOptions extends SharedOptions, BurstOptions {
  /**
   * The kind of limit. With `token-bucket` and `gcra`, calls of all processes wait in one line, in
   * the order in which they asked, and ask but once; with the windows, each process asks again when
   * there is something new.
   *
   * @defaultValue 'token-bucket'
   */
  readonly algorithm?: RuleKind;
  /**
   * In how many parts a sliding window is counted. For `sliding-window` only.
   *
   * @defaultValue 10
   * @throws {RangeError} at construction, unless an integer from 1 to 100
   */
  readonly segments?: number;
}

/** Options of {@link sharedConcurrency}. */
export interface SharedConcurrencyOptions extends SharedOptions {
  /**
   * Most permits in use at a time, in all processes together.
   *
   * @defaultValue 10
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly limit?: number;
  /**
   * How long the permits of a process that has died stay taken, in milliseconds. Living ones renew
   * theirs every third of it.
   *
   * @defaultValue 30_000
   * @throws {RangeError} at construction, unless finite and >= 30
   */
  readonly leaseMs?: number;
  /**
   * How often the first call in the queue asks for a permit that another process may have given back,
   * in milliseconds. One that this process gives back is asked for at once.
   *
   * @defaultValue 50
   * @throws {RangeError} at construction, unless finite and >= 1
   */
  readonly askAgainMs?: number;
}

/** The defaults, as the README's tables show them. */
export const SHARED_DEFAULTS: {
  readonly onStoreFailure: 'local';
  readonly maxLocalKeys: 10_000;
  readonly algorithm: 'token-bucket';
  readonly leaseMs: 30_000;
  readonly askAgainMs: 50;
} = {
  onStoreFailure: 'local',
  maxLocalKeys: 10_000,
  algorithm: 'token-bucket',
  leaseMs: 30_000,
  askAgainMs: 50,
};

const COMMON = ['store', 'onStoreFailure', 'nodes', 'maxLocalKeys'];
const KINDS: readonly RuleKind[] = ['token-bucket', 'gcra', 'sliding-window', 'fixed-window'];

/** {@link SharedOptions} when they have been checked. */
export interface ResolvedSharedOptions {
  readonly queue: ResolvedQueueOptions;
  readonly store: RateLimitStore;
  readonly onStoreFailure: StoreFailureMode;
  readonly nodes: number | undefined;
  readonly maxLocalKeys: number;
}

function resolveShared(
  owner: string,
  name: string,
  options: SharedOptions,
  own: readonly string[],
): ResolvedSharedOptions {
  const queue = resolveQueueOptions(owner, name, options, [...COMMON, ...own]);
  const {
    store,
    onStoreFailure = SHARED_DEFAULTS.onStoreFailure,
    maxLocalKeys = SHARED_DEFAULTS.maxLocalKeys,
    nodes,
  } = options;
  checkType(owner, 'store', store, 'object');
  checkOneOf(owner, 'onStoreFailure', onStoreFailure, ['local', 'open', 'closed']);
  if (nodes !== undefined)
    checkNumber(owner, 'nodes', nodes, { min: 1, integer: true, infinite: false });
  checkNumber(owner, 'maxLocalKeys', maxLocalKeys, { min: 1, max: 2 ** 30, integer: true });
  return { queue, store, onStoreFailure, nodes, maxLocalKeys };
}

/** Holds the options of a shared rate limit to their ranges. */
export function resolveSharedRateLimit(
  owner: string,
  options: SharedRateLimitOptions,
): ResolvedSharedOptions & { readonly rule: StoreRule } {
  const { algorithm = SHARED_DEFAULTS.algorithm } = options;
  checkOneOf(owner, 'algorithm', algorithm, KINDS);
  const scheduled = algorithm === 'token-bucket' || algorithm === 'gcra';
  const shared = resolveShared(owner, algorithm, options, [
    'algorithm',
    'limit',
    'windowMs',
    'burst',
    'segments',
  ]);
  const useless = [
    scheduled ? undefined : ('burst' as const),
    algorithm === 'sliding-window' ? undefined : ('segments' as const),
  ];
  for (const option of useless) {
    if (option !== undefined && options[option] !== undefined) {
      throw new TypeError(`${owner}: ${option} has no meaning for the algorithm '${algorithm}'.`);
    }
  }
  const { limit, windowMs } = resolveRate(owner, options, scheduled ? 'above 0' : 'at least 1');
  if (scheduled) {
    const burst = resolveBurst(owner, options, limit);
    return { ...shared, rule: { kind: algorithm, limit, windowMs, burst } };
  }
  if (algorithm === 'fixed-window') {
    return { ...shared, rule: { kind: algorithm, limit, windowMs } };
  }
  const { segments = RATELIMIT_DEFAULTS.segments } = options;
  checkNumber(owner, 'segments', segments, { min: 1, max: 100, integer: true });
  return { ...shared, rule: { kind: 'sliding-window', limit, windowMs, segments } };
}

/** Holds the options of a shared bulkhead to their ranges. */
export function resolveSharedConcurrency(
  owner: string,
  options: SharedConcurrencyOptions,
): ResolvedSharedOptions & {
  readonly limit: number;
  readonly leaseMs: number;
  readonly askAgainMs: number;
} {
  const own = ['limit', 'leaseMs', 'askAgainMs'];
  const shared = resolveShared(owner, 'concurrency', options, own);
  const {
    limit = CONCURRENCY_DEFAULTS.limit,
    leaseMs = SHARED_DEFAULTS.leaseMs,
    askAgainMs = SHARED_DEFAULTS.askAgainMs,
  } = options;
  checkNumber(owner, 'limit', limit, { min: 1, integer: true, infinite: false });
  checkNumber(owner, 'leaseMs', leaseMs, { min: 30, infinite: false });
  checkNumber(owner, 'askAgainMs', askAgainMs, { min: 1, infinite: false });
  return { ...shared, limit, leaseMs, askAgainMs };
}
