import {
  checkType,
  methodsRule,
  numberRule,
  type OptionRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  typeRule,
} from '@temper/core/policy';
import type { PermitPlan, PlanOf } from '../changes/rate-plans.ts';
import { DEFAULT_CONCURRENCY } from '../limiters/concurrency.ts';
import {
  type BurstOptions,
  DEFAULT_BURST,
  RATE_DEFAULTS,
  RATE_RULES,
} from '../limiters/options.ts';
import { DEFAULT_SEGMENTS } from '../limiters/sliding-window.ts';
import type { RuleKind } from '../rules/rule.ts';
import { sharedQueueRule } from '../wait/line-order.ts';
import {
  QUEUE_DEFAULTS,
  QUEUE_RULES,
  type QueueOptions,
  type QueueUnset,
} from '../wait/options.ts';
import type { RateLimitStore, StoreRule } from './store.ts';

/**
 * What a limiter does while its store is unavailable: `local` enforces this process's share of the
 * limit, `open` lets every call pass, `closed` fails with {@link StoreUnavailableError}.
 */
export type StoreFailureMode = 'local' | 'open' | 'closed';

/** Options of every limiter that several processes share. */
export interface SharedLimiterOptions extends QueueOptions {
  /**
   * Names the limit in the store, the same in every process, and the limiter in errors, spans and
   * metrics. Limits of one name are one limit.
   *
   * @throws {TypeError} at construction, unless a non-empty string
   */
  readonly name: string;
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
   * @defaultValue counted through the store
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly nodes?: number;
  /**
   * How many processes are assumed at least until they have been counted for ten seconds: after a start
   * others may start too. Ignored when {@link nodes} is given.
   *
   * @defaultValue 8
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly expectedNodes?: number;
  /**
   * How many processes are assumed at least, however few are counted. Ignored when {@link nodes} is
   * given.
   *
   * @defaultValue 1
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly minNodes?: number;
  /**
   * Most keys that have a local limit while the store is unavailable. The key used longest ago makes
   * room for a new one, unless a call waits for it or holds one of its permits.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless an integer from 1 to 2 ** 30
   */
  readonly maxLocalKeys?: number;
  /**
   * Longest time for one request to the store, in milliseconds. After it the store counts as unavailable, and
   * what it grants later is given back. It is for stores that may not answer at all, and should be longer than a
   * timeout of the store's own, such as `commandTimeoutMs` of `redisStore`.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly timeoutMs?: number;
}

/** Options of {@link sharedRateLimit}. */
export interface SharedRateLimitOptions extends SharedLimiterOptions, Omit<BurstOptions, 'name'> {
  /**
   * The limit of a key, where it is not the limiter's. Called for each request, so that a plan can change
   * at any time: units in use stay in use, more is available at once, and never more than the new limit.
   * What it throws, and a plan that is not allowed, is logged and has no effect.
   *
   * @defaultValue none
   */
  readonly plan?: PlanOf;
  /**
   * The kind of limit. With `token-bucket` and `gcra`, the calls of all processes wait in one schedule,
   * in the order in which they reach the store, and each asks once. With a window, each process asks
   * again when units are expected.
   *
   * @defaultValue 'token-bucket'
   */
  readonly algorithm?: RuleKind;
  /**
   * `exact` asks the store about each call. With `leased`, each process takes small, expiring shares of
   * the limit in advance, so that a busy key costs a small part of a request per call, and one that is
   * used up none. All processes together hold at most half of what can be taken at once, so that in any
   * span by at most that much more passes than the limit allows; and `remaining` is what is left of the
   * share.
   *
   * @defaultValue 'exact'
   */
  readonly mode?: 'exact' | 'leased';
  /**
   * How long a share is kept, in milliseconds; what is not used by then is given back. For `leased` only.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless finite and >= 10
   */
  readonly budgetMs?: number;
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
   * The limit of a key, where it is not the limiter's. Called for each request, so that it can change at
   * any time; permits in use stay in use. What it throws, and a plan that is not allowed, is logged and has
   * no effect.
   *
   * @defaultValue none
   */
  readonly plan?: PlanOf<PermitPlan>;
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

/** Permits are whole. */
export const LIMIT_RULE: OptionRule = numberRule({ min: 1, integer: true, infinite: false });

/** The options that may stay unset. */
type Unset = 'store' | QueueUnset | 'nodes' | 'name' | 'plan';

const SHARED_LIMITER_DEFAULTS = {
  onStoreFailure: 'local',
  maxLocalKeys: 10_000,
  expectedNodes: 8,
  minNodes: 1,
  timeoutMs: 1000,
} as const;

/** The defaults of {@link sharedRateLimit}, as the README's table shows them. */
export const SHARED_RATE_LIMIT_DEFAULTS: Omit<
  Required<SharedRateLimitOptions>,
  Unset | 'burst' | 'segments'
> = {
  ...RATE_DEFAULTS,
  ...SHARED_LIMITER_DEFAULTS,
  algorithm: 'token-bucket',
  mode: 'exact',
  budgetMs: 1000,
};

/** The defaults of {@link sharedConcurrency}, as the README's table shows them. */
export const SHARED_CONCURRENCY_DEFAULTS: Omit<Required<SharedConcurrencyOptions>, Unset> = {
  ...QUEUE_DEFAULTS,
  ...SHARED_LIMITER_DEFAULTS,
  limit: DEFAULT_CONCURRENCY,
  leaseMs: 30_000,
  pollIntervalMs: 50,
};

const STORE_METHODS: readonly (keyof RateLimitStore)[] = [
  'take',
  'giveBack',
  'change',
  'takePermits',
  'renewPermits',
  'returnPermits',
  'announce',
];

const SHARED_LIMITER_RULES: { readonly [K in keyof Required<SharedLimiterOptions>]: OptionRule } = {
  ...QUEUE_RULES,
  queue: sharedQueueRule,
  store: methodsRule(...STORE_METHODS),
  onStoreFailure: oneOfRule(['local', 'open', 'closed']),
  nodes: numberRule({ min: 1, integer: true, infinite: false }),
  expectedNodes: numberRule({ min: 1, integer: true, infinite: false }),
  minNodes: numberRule({ min: 1, integer: true, infinite: false }),
  maxLocalKeys: numberRule({ min: 1, max: 2 ** 30, integer: true }),
  timeoutMs: numberRule({ min: 0, aboveMin: true, infinite: false }),
};

const KINDS: readonly RuleKind[] = ['token-bucket', 'gcra', 'sliding-window', 'fixed-window'];
const BUCKETS: ReadonlySet<RuleKind> = new Set(['token-bucket', 'gcra']);

/** {@link SharedLimiterOptions} that were checked, with their defaults filled in. */
export type ResolvedSharedOptions = Resolved<SharedLimiterOptions, QueueUnset | 'nodes'>;

/** The options of {@link sharedRateLimit} that were checked, with their defaults filled in. */
export type ResolvedSharedRateLimit = ResolvedSharedOptions & {
  readonly rule: StoreRule;
  readonly plan?: PlanOf;
  readonly mode: 'exact' | 'leased';
  readonly budgetMs: number;
};

/** Holds the options of a shared rate limit to their ranges and fills in the defaults. */
export function resolveSharedRateLimit(options: SharedRateLimitOptions): ResolvedSharedRateLimit {
  const owner = 'sharedRateLimit';
  const { algorithm = 'token-bucket' } = options ?? {};
  const bucket = BUCKETS.has(algorithm);
  const all = resolveOptions<SharedRateLimitOptions, Unset | 'burst' | 'segments'>(
    owner,
    options,
    SHARED_RATE_LIMIT_DEFAULTS,
    {
      ...SHARED_LIMITER_RULES,
      ...RATE_RULES,
      algorithm: oneOfRule(KINDS),
      plan: typeRule('function'),
      mode: oneOfRule(['exact', 'leased']),
      budgetMs: numberRule({ min: 10, infinite: false }),
      limit: bucket ? numberRule({ min: 0, aboveMin: true, infinite: false }) : RATE_RULES.limit,
      burst: bucket ? numberRule({ min: 1, infinite: false }) : meaningless(algorithm),
      segments:
        algorithm === 'sliding-window'
          ? numberRule({ min: 1, max: 100, integer: true })
          : meaningless(algorithm),
    },
  );
  return { ...all, ...required(owner, all), rule: ruleOf(all) };
}

function ruleOf(options: Omit<SharedRateLimitOptions, 'store' | 'name'>): StoreRule {
  const {
    algorithm: kind,
    limit,
    windowMs,
    segments = DEFAULT_SEGMENTS,
  } = options as Required<Omit<SharedRateLimitOptions, 'store' | 'name'>>;
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
  Required<Pick<SharedConcurrencyOptions, 'limit' | 'leaseMs' | 'pollIntervalMs'>> & {
    readonly plan?: PlanOf<PermitPlan>;
  };

/** Holds the options of a shared concurrency limit to their ranges and fills in the defaults. */
export function resolveSharedConcurrency(
  options: SharedConcurrencyOptions,
): ResolvedSharedConcurrency {
  const owner = 'sharedConcurrency';
  const all = resolveOptions<SharedConcurrencyOptions, Unset>(
    owner,
    options,
    SHARED_CONCURRENCY_DEFAULTS,
    {
      ...SHARED_LIMITER_RULES,
      limit: LIMIT_RULE,
      plan: typeRule('function'),
      leaseMs: numberRule({ min: 30, infinite: false }),
      pollIntervalMs: numberRule({ min: 1, infinite: false }),
    },
  );
  return { ...all, ...required(owner, all) };
}

/** The options without a default. @throws {TypeError} when one is missing */
function required(
  owner: string,
  {
    name,
    store,
  }: { readonly name?: string | undefined; readonly store?: RateLimitStore | undefined },
): { readonly name: string; readonly store: RateLimitStore } {
  if (name === undefined) {
    throw new TypeError(
      `${owner}: name must be given: limits of one name in a store are one limit.`,
    );
  }
  checkType(owner, 'store', store, 'object');
  return { name, store: store as RateLimitStore };
}
