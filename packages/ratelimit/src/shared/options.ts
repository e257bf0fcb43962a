import {
  checkType,
  methodsRule,
  numberRule,
  type OptionRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
} from '@temper/core/policy';
import { DEFAULT_CONCURRENCY } from '../limiters/concurrency.ts';
import {
  type BurstOptions,
  DEFAULT_BURST,
  RATE_DEFAULTS,
  RATE_RULES,
} from '../limiters/options.ts';
import { DEFAULT_SEGMENTS } from '../limiters/sliding-window.ts';
import type { RuleKind } from '../rules/rule.ts';
import { QUEUE_DEFAULTS, QUEUE_RULES, type QueueOptions } from '../wait/options.ts';
import type { RateLimitStore, StoreRule } from './store.ts';

/**
 * What a limiter does while its store is unavailable: `local` enforces this process's share of the
 * limit, `open` lets every call pass, `closed` fails with {@link StoreUnavailableError}.
 */
export type StoreFailureMode = 'local' | 'open' | 'closed';

/** Options of every limiter that several processes share. */
export interface SharedLimiterOptions extends QueueOptions {
  /** Where the limit is kept: `redisStore()` of `@temper/redis`, or another implementation. */
  readonly store: RateLimitStore;
  /**
   * What decides while the store is unavailable.
   *
   * @defaultValue 'local'
   */
  readonly onStoreFailure?: StoreFailureMode;
  /**
   * How many processes share the limit. While the store is unavailable, each enforces the limit divided
   * by it.
   *
   * @defaultValue counted through the store; 1 until it has answered
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly nodes?: number;
  /**
   * Most keys that have a local limit while the store is unavailable. The key used longest ago makes
   * room for a new one, unless a call waits for it or holds one of its permits.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless an integer from 1 to 2 ** 30
   */
  readonly maxLocalKeys?: number;
}

/** Options of {@link sharedRateLimit}. */
export interface SharedRateLimitOptions extends SharedLimiterOptions, BurstOptions {
  /**
   * The kind of limit. With `token-bucket` and `gcra`, the calls of all processes wait in one schedule,
   * in the order in which they reach the store, and each asks once. With a window, each process asks
   * again when units are expected.
   *
   * @defaultValue 'token-bucket'
   */
  readonly algorithm?: RuleKind;
  /**
   * In how many segments a sliding window is counted. For `sliding-window` only.
   *
   * @defaultValue 10
   * @throws {RangeError} at construction, unless an integer from 1 to 100
   */
  readonly segments?: number;
}

/** Options of {@link sharedConcurrency}. */
export interface SharedConcurrencyOptions extends SharedLimiterOptions {
  /**
   * Most permits in use at the same time, in all processes together.
   *
   * @defaultValue 10
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly limit?: number;
  /**
   * How long the permits of a process that has died stay in use, in milliseconds. Running processes
   * renew theirs every third of it.
   *
   * @defaultValue 30_000
   * @throws {RangeError} at construction, unless finite and >= 30
   */
  readonly leaseMs?: number;
  /**
   * How often the first call in the queue asks for a permit that another process may have given back,
   * in milliseconds. A permit that this process gives back is asked for at once.
   *
   * @defaultValue 50
   * @throws {RangeError} at construction, unless finite and >= 1
   */
  readonly pollIntervalMs?: number;
}

/** The options that may stay unset. */
type Unset = 'store' | 'onReject' | 'nodes';

const SHARED_LIMITER_DEFAULTS = {
  onStoreFailure: 'local',
  maxLocalKeys: 10_000,
} as const;

/** The defaults of {@link sharedRateLimit}, as the README's table shows them. */
export const SHARED_RATE_LIMIT_DEFAULTS: Omit<
  Required<SharedRateLimitOptions>,
  Unset | 'name' | 'burst' | 'segments'
> = {
  ...RATE_DEFAULTS,
  ...SHARED_LIMITER_DEFAULTS,
  algorithm: 'token-bucket',
};

/** The defaults of {@link sharedConcurrency}, as the README's table shows them. */
export const SHARED_CONCURRENCY_DEFAULTS: Omit<
  Required<SharedConcurrencyOptions>,
  Unset | 'name'
> = {
  ...QUEUE_DEFAULTS,
  ...SHARED_LIMITER_DEFAULTS,
  limit: DEFAULT_CONCURRENCY,
  leaseMs: 30_000,
  pollIntervalMs: 50,
};

const STORE_METHODS: readonly (keyof RateLimitStore)[] = [
  'take',
  'giveBack',
  'takePermits',
  'renewPermits',
  'returnPermits',
  'announce',
];

const SHARED_LIMITER_RULES: { readonly [K in keyof Required<SharedLimiterOptions>]: OptionRule } = {
  ...QUEUE_RULES,
  store: methodsRule(...STORE_METHODS),
  onStoreFailure: oneOfRule(['local', 'open', 'closed']),
  nodes: numberRule({ min: 1, integer: true, infinite: false }),
  maxLocalKeys: numberRule({ min: 1, max: 2 ** 30, integer: true }),
};

const KINDS: readonly RuleKind[] = ['token-bucket', 'gcra', 'sliding-window', 'fixed-window'];
const BUCKETS: ReadonlySet<RuleKind> = new Set(['token-bucket', 'gcra']);

/** {@link SharedLimiterOptions} that were checked, with their defaults filled in. */
export type ResolvedSharedOptions = Resolved<SharedLimiterOptions, 'onReject' | 'nodes'>;

/** Holds the options of a shared rate limit to their ranges and fills in the defaults. */
export function resolveSharedRateLimit(
  options: SharedRateLimitOptions,
): ResolvedSharedOptions & { readonly rule: StoreRule } {
  const owner = 'sharedRateLimit';
  const { algorithm = 'token-bucket' } = options ?? {};
  const bucket = BUCKETS.has(algorithm);
  const all = resolveOptions<SharedRateLimitOptions, Unset | 'burst' | 'segments'>(
    owner,
    options,
    { ...SHARED_RATE_LIMIT_DEFAULTS, name: algorithm },
    {
      ...SHARED_LIMITER_RULES,
      ...RATE_RULES,
      algorithm: oneOfRule(KINDS),
      limit: bucket ? numberRule({ min: 0, aboveMin: true, infinite: false }) : RATE_RULES.limit,
      burst: bucket ? numberRule({ min: 1, infinite: false }) : meaningless(algorithm),
      segments:
        algorithm === 'sliding-window'
          ? numberRule({ min: 1, max: 100, integer: true })
          : meaningless(algorithm),
    },
  );
  return { ...all, store: requireStore(owner, all.store), rule: ruleOf(all) };
}

function ruleOf(options: Omit<SharedRateLimitOptions, 'store'>): StoreRule {
  const {
    algorithm: kind,
    limit,
    windowMs,
    segments = DEFAULT_SEGMENTS,
  } = options as Required<Omit<SharedRateLimitOptions, 'store'>>;
  if (kind === 'fixed-window') return { kind, limit, windowMs };
  if (kind === 'sliding-window') return { kind, limit, windowMs, segments };
  const { burst = Math.max(1, Math.min(DEFAULT_BURST, limit)) } = options;
  return { kind, limit, windowMs, burst };
}

/** Refuses an option that the algorithm does not have. */
function meaningless(algorithm: string): OptionRule {
  return (owner, option) => {
    throw new TypeError(`${owner}: ${option} has no meaning for the algorithm '${algorithm}'.`);
  };
}

/** The options of {@link sharedConcurrency} that were checked, with their defaults filled in. */
export type ResolvedSharedConcurrency = ResolvedSharedOptions &
  Required<Pick<SharedConcurrencyOptions, 'limit' | 'leaseMs' | 'pollIntervalMs'>>;

/** Holds the options of a shared concurrency limit to their ranges and fills in the defaults. */
export function resolveSharedConcurrency(
  options: SharedConcurrencyOptions,
): ResolvedSharedConcurrency {
  const owner = 'sharedConcurrency';
  const all = resolveOptions<SharedConcurrencyOptions, Unset>(
    owner,
    options,
    { ...SHARED_CONCURRENCY_DEFAULTS, name: 'concurrency' },
    {
      ...SHARED_LIMITER_RULES,
      limit: numberRule({ min: 1, integer: true, infinite: false }),
      leaseMs: numberRule({ min: 30, infinite: false }),
      pollIntervalMs: numberRule({ min: 1, infinite: false }),
    },
  );
  return { ...all, store: requireStore(owner, all.store) };
}

function requireStore(owner: string, store: RateLimitStore | undefined): RateLimitStore {
  checkType(owner, 'store', store, 'object');
  return store as RateLimitStore;
}
