import { type CircuitBreaker, type CircuitBreakerOptions, circuitBreaker } from '@temper/breaker';
import { MemoryBreakerStore, sharedCircuit } from '@temper/breaker/shared';
import type { Policy } from '@temper/core';
import {
  allOf,
  type BurstOptions,
  type ConcurrencyOptions,
  concurrency,
  fixedWindow,
  gcra,
  keyed,
  type RateOptions,
  type RequestCounts,
  type SlidingWindowOptions,
  settled,
  slidingWindow,
  type Throttle,
  type ThrottleOptions,
  throttle,
  tokenBucket,
} from '@temper/ratelimit';
import { type AdaptiveConcurrencyOptions, adaptiveConcurrency } from '@temper/ratelimit/adaptive';
import { clientRateLimit } from '@temper/ratelimit/http';
import { MemoryRateLimitStore, sharedConcurrency, sharedRateLimit } from '@temper/ratelimit/shared';
import {
  type CachedOptions,
  type CachedPolicy,
  cached,
  chaos,
  type FallbackPolicy,
  fallback,
  type HedgeOptions,
  type HedgePolicy,
  hedge,
  type TimeoutOptions,
  type TimeoutPolicy,
  timeout,
} from '@temper/recovery';
import { type RetryOptions, type RetryPolicy, retry, retryBudget } from '@temper/retry';
import type { ManualClock } from '@temper/testkit/clock';
import type { Account } from './account.ts';
import type { Draw } from './draw.ts';
import { faultyStore, type StoreFaults } from './faulty-store.ts';

/** What a policy is made with, beside its options. */
export interface Making {
  readonly clock: ManualClock;
  readonly random: () => number;
  readonly name: string;
  /** Called by every listener and callback; throws at times. */
  readonly onEvent: () => void;
}

/** A kind of policy: how it is made, what is tried, and what must hold of it. */
export interface Kind {
  readonly make: (making: Making, options: never) => Policy;
  /** Options of a random scenario: such that the policy can let all calls through when all is well. */
  readonly draw: (draw: Draw) => object;
  /**
   * Options of the row "defaults" of the table: nothing but what the policy cannot be made without, and the
   * limits that the load needs.
   */
  readonly defaults?: object;
  /** Options that its README shows, beside the defaults. */
  readonly documented?: object;
  /** Options with which it cannot let all calls through. */
  readonly tight?: (draw: Draw) => object;
  /** Longest time that it may need after an outage, in milliseconds. */
  readonly recoveryMs?: (options: never) => number;
  /** Whether it may let a call through more than once. */
  readonly repeats?: boolean;
  /** Whether its metrics count its calls; they do for all but fault injection. */
  readonly metersCalls?: boolean;
  /** What is wrong with letting a call through now. */
  readonly onEntry?: (policy: never) => string | undefined;
  /** Whether a call that is let through now is a trial. */
  readonly isTrial?: (policy: never) => boolean;
  /** How long a trial may take before it is given up, in milliseconds. */
  readonly trialMs?: (options: never) => number;
  /** Whether calls that wait are let through in order of arrival, those of one key at least. */
  readonly fifo?: boolean;
  /** What is wrong when all calls are over. */
  readonly check?: (account: Account, options: never, policy: never) => readonly string[];
}

/** Units per second that a limit lets through, when all is well. */
const RATE = { limit: 200, windowMs: 1000 };

const keyOf = ({ key }: { readonly key: string | undefined }): string => key ?? 'all';

function most(what: string, seen: number, allowed: number): string[] {
  return seen > allowed + 1e-6 ? [`${what}: ${seen}, of at most ${allowed}`] : [];
}

function equal(what: string, counted: number, seen: number): string[] {
  return counted === seen ? [] : [`${what}: the policy counts ${counted}, the account ${seen}`];
}

const sum = (counts: object): number =>
  Object.values(counts).reduce((total: number, count: number) => total + count, 0);

/** Retries beside those of the calls that they rescued, which give back as many as they took. */
function spent(policy: RetryPolicy, maxAttempts: number, burst: number, ratio: number): string[] {
  const { operations, retries } = policy.stats();
  const { success, recovered } = operations;
  const wasted = retries - (maxAttempts - 1) * recovered;
  return most('retries that rescued no call', wasted, burst + ratio * (success + recovered));
}

/** Requests of a limiter that ended in one way or another. */
function requestsOf(account: Account, policy: Policy): string[] {
  const { allowed, delayed, rejected, aborted } = policy.stats() as RequestCounts;
  const through = allowed + delayed;
  return [
    ...equal('calls', through + rejected + aborted, account.calls),
    // One may be let through at the very moment at which its caller goes.
    ...most('calls let through', account.entries.length, through),
  ];
}

/** From one to fifteen units a second. */
const tightRate = (draw: Draw): object => {
  const windowMs = draw.pick([200, 1000, 5000]);
  return { limit: (windowMs / 1000) * draw.pick([5, 15]), windowMs };
};

const tightConcurrency = (draw: Draw): object => ({ limit: draw.integer(3, 5) });

const drawRate = (draw: Draw) => {
  const windowMs = draw.pick([100, 1000, 5000]);
  return { limit: (windowMs / 1000) * draw.pick([200, 500]), windowMs };
};

function rateLimiter(
  make: (options: BurstOptions & RateOptions & SlidingWindowOptions) => Policy,
  /** Most units in a window and in any span of one window. */
  bound: (options: Required<Pick<BurstOptions, 'limit' | 'windowMs'>> & BurstOptions) => number,
  more: (draw: Draw) => object = () => ({}),
): Kind {
  return {
    make: ({ onEvent, random, ...making }, options: object) =>
      make({ ...making, onReject: onEvent, ...options }),
    draw: (draw) => ({ ...drawRate(draw), ...more(draw) }),
    tight: tightRate,
    defaults: RATE,
    fifo: true,
    check: (account: Account, options: Required<BurstOptions>, policy: Policy) => [
      ...requestsOf(account, policy),
      ...most('units in a window', account.mostWithin(options.windowMs), bound(options)),
    ],
  };
}

const notWhileOpen = ({ state }: CircuitBreaker): string | undefined =>
  state === 'open' || state === 'isolated' ? `a call was let through while ${state}` : undefined;

function breaker(draw: (draw: Draw) => CircuitBreakerOptions, kind: Partial<Kind> = {}): Kind {
  return {
    make: ({ onEvent, random, ...making }, options: CircuitBreakerOptions) =>
      circuitBreaker({ ...making, onStateChange: onEvent, ...options }),
    draw: (d) => ({
      openDurationMs: d.pick([500, 2000, 5000]),
      halfOpenMaxCalls: d.integer(1, 3),
      halfOpenMaxDurationMs: d.pick([1000, 5000]),
      ...draw(d),
    }),
    recoveryMs: ({
      openDurationMs = 60_000,
      openDurationMultiplier = 1,
      maxOpenDurationMs = 600_000,
      halfOpenMaxDurationMs = 60_000,
    }: CircuitBreakerOptions) =>
      (openDurationMultiplier > 1 ? maxOpenDurationMs : Number(openDurationMs)) +
      Math.min(halfOpenMaxDurationMs, 5000) +
      5000,
    onEntry: notWhileOpen,
    isTrial: ({ state }: CircuitBreaker) => state === 'half-open',
    trialMs: ({ halfOpenMaxDurationMs = 60_000 }: CircuitBreakerOptions) => halfOpenMaxDurationMs,
    check: (
      account: Account,
      { halfOpenMaxCalls = 1 }: CircuitBreakerOptions,
      policy: CircuitBreaker,
    ) => {
      const { calls } = policy.stats();
      return [
        ...most('trials at the same time', account.mostTrials, halfOpenMaxCalls),
        ...equal('calls', sum(calls), account.calls),
        // Some end while they wait for a trial.
        ...most('calls let through', account.entries.length, sum(calls) - calls.rejected),
      ];
    },
    ...kind,
  };
}

/** A limiter that cannot say more of its calls than their number. */
const requests = (account: Account, _: unknown, policy: Policy): string[] =>
  requestsOf(account, policy);

const KINDS = {
  retry: {
    make: ({ onEvent, ...making }: Making, options: RetryOptions) =>
      retry({ ...making, onRetry: onEvent, onGiveUp: onEvent, ...options }),
    repeats: true,
    draw: (draw: Draw) => ({
      maxAttempts: draw.integer(1, 4),
      initialDelayMs: draw.pick([0, 10, 100]),
      backoff: draw.pick(['constant', 'linear', 'exponential']),
      jitter: draw.pick(['none', 'full', 'equal', 'decorrelated']),
      ...draw.maybe({ attemptTimeoutMs: draw.pick([500, 1000]) }),
      ...draw.maybe({ maxElapsedMs: 1500 }),
    }),
    defaults: {},
    documented: { attemptTimeoutMs: 1000 },
    check: (account: Account, { maxAttempts = 3 }: RetryOptions, policy: RetryPolicy) => {
      const { operations, attempts } = policy.stats();
      return [
        ...equal('calls', sum(operations), account.calls),
        ...equal('attempts', attempts, account.entries.length),
        ...spent(policy, maxAttempts, 25 * (maxAttempts - 1), 0.2),
        ...most('attempts of a call', account.mostPerCall, maxAttempts),
      ];
    },
  },
  retryBudget: {
    make: ({ onEvent, ...making }: Making, options: { ratio: number; burst: number }) =>
      retry({
        ...making,
        onRetry: onEvent,
        budget: retryBudget({ clock: making.clock, name: making.name, ...options }),
      }),
    repeats: true,
    draw: (draw: Draw) => ({
      ratio: draw.pick([0, 0.1, 0.5]),
      burst: draw.pick([0, 1, 10]),
    }),
    defaults: {},
    documented: { ratio: 0.1, burst: 20 },
    check: (
      account: Account,
      { ratio = 0.2, burst = 50 }: { ratio?: number; burst?: number },
      policy: RetryPolicy,
    ) => {
      const { operations, attempts } = policy.stats();
      return [
        ...equal('calls', sum(operations), account.calls),
        ...equal('attempts', attempts, account.entries.length),
        ...spent(policy, 3, burst, ratio),
      ];
    },
  },
  breaker: breaker(
    (draw) => ({
      failureThreshold: draw.integer(3, 8),
      successThreshold: draw.integer(1, 3),
      ...draw.maybe({ halfOpenMaxWaitMs: 1000 }),
    }),
    {
      defaults: {},
      documented: { openDurationMs: 5000, openDurationMultiplier: 2, maxOpenDurationMs: 20_000 },
    },
  ),
  rateBreaker: breaker(
    (draw) => ({
      window: draw.pick([{ calls: 20 }, { durationMs: 2000 }, { durationMs: 10_000, buckets: 5 }]),
      minimumThroughput: draw.integer(8, 12),
      failureRateThreshold: draw.pick([0.3, 0.5, 1]),
      ...draw.maybe({ halfOpenTrials: 5, halfOpenMaxWaitMs: 500 }),
    }),
    {
      defaults: { window: { durationMs: 10_000 } },
      documented: {
        window: { calls: 100 },
        halfOpenTrials: 20,
        halfOpenMaxCalls: 5,
        halfOpenMaxWaitMs: 500,
      },
    },
  ),
  slowBreaker: breaker(
    (draw) => ({
      window: { durationMs: 5000 },
      slowCallDurationMs: draw.pick([500, 1000]),
      slowCallRateThreshold: draw.pick([0.5, 1]),
    }),
    { defaults: { window: { durationMs: 10_000 }, slowCallDurationMs: 1000 } },
  ),
  fleetBreaker: breaker(() => ({}), {
    make: (
      { onEvent, random, ...making },
      { store, ...options }: CircuitBreakerOptions & { store?: StoreFaults },
    ) =>
      circuitBreaker({
        ...making,
        onStateChange: onEvent,
        ...options,
        shared: sharedCircuit({
          store: faultyStore(() => new MemoryBreakerStore(making.clock), making.clock, store),
          node: making.name,
          minimumNodes: 1,
        }),
      }),
    draw: (draw) => ({
      failureThreshold: draw.integer(3, 8),
      openDurationMs: draw.pick([500, 2000, 5000]),
      halfOpenMaxDurationMs: draw.pick([1000, 5000]),
      store: { lateMs: draw.pick([0, 5, 400]), forgetsMs: draw.pick([0, 0, 3000]) },
    }),
    defaults: {},
  }),
  timeout: {
    make: ({ onEvent, random, ...making }: Making, options: TimeoutOptions) =>
      timeout({ ...making, onTimeout: onEvent, ...options }),
    draw: (draw: Draw) => ({ timeoutMs: draw.pick([500, 1000, 1900]) }),
    defaults: {},
    documented: { timeoutMs: 1900 },
    check: (account: Account, _: unknown, policy: TimeoutPolicy) =>
      equal('calls', sum(policy.stats().calls), account.calls),
  },
  observedTimeout: {
    make: ({ onEvent, random, ...making }: Making, options: TimeoutOptions) =>
      timeout({ ...making, onTimeout: onEvent, ...options }),
    draw: (draw: Draw) => ({
      timeoutMs: { quantile: draw.pick([0.9, 0.99]), factor: 3, maxMs: draw.pick([1000, 1900]) },
    }),
    defaults: { timeoutMs: { quantile: 0.99, maxMs: 1900, factor: 2 } },
    check: (account: Account, _: unknown, policy: TimeoutPolicy) =>
      equal('calls', sum(policy.stats().calls), account.calls),
  },
  hedge: {
    make: ({ onEvent, random, ...making }: Making, options: HedgeOptions) =>
      hedge({ ...making, onHedge: onEvent, ...options }),
    repeats: true,
    draw: (draw: Draw) => ({
      delayMs: draw.pick([50, 200]),
      maxAttempts: draw.integer(2, 3),
      ...draw.maybe({ maxExtraLoad: 0.5 }),
    }),
    defaults: {},
    check: (account: Account, options: HedgeOptions, policy: HedgePolicy) => {
      const { calls, hedges } = policy.stats();
      const { maxAttempts = 2, maxExtraLoad = 0.1 } = options;
      const extra = Math.min(
        (maxAttempts - 1) * account.calls,
        10 + maxExtraLoad * account.calls + account.lastedMs / 10_000,
      );
      return [
        ...equal('calls', sum(calls), account.calls),
        ...most('hedges', hedges, extra),
        ...most('attempts', account.entries.length, account.calls + hedges),
        ...most('attempts of a call', account.mostPerCall, maxAttempts),
      ];
    },
  },
  fallback: {
    make: ({ onEvent, random, ...making }: Making, options: object) =>
      fallback({ ...making, onFallback: onEvent, handler: () => 'second best', ...options }),
    draw: (draw: Draw) => draw.maybe({ reserveMs: 100 }),
    defaults: {},
    documented: { reserveMs: 100 },
    check: (account: Account, _: unknown, policy: FallbackPolicy) =>
      equal('calls', sum(policy.stats().calls), account.calls),
  },
  cached: {
    make: ({ onEvent, random, ...making }: Making, options: CachedOptions) =>
      cached({ ...making, key: keyOf, onStale: onEvent, ...options }),
    draw: (draw: Draw) => ({ maxAgeMs: draw.pick([1000, 10_000]), maxKeys: draw.pick([2, 1000]) }),
    defaults: {},
    check: (account: Account, _: unknown, policy: CachedPolicy) =>
      equal('calls', sum(policy.stats().calls), account.calls),
  },
  singleFlight: {
    make: ({ onEvent, random, ...making }: Making, options: CachedOptions) =>
      cached({ ...making, key: keyOf, singleFlight: true, onStale: onEvent, ...options }),
    draw: (draw: Draw) => ({ maxAgeMs: draw.pick([1000, 10_000]), maxKeys: draw.pick([2, 1000]) }),
    defaults: {},
    check: (account: Account, _: unknown, policy: CachedPolicy) =>
      equal('calls', sum(policy.stats().calls), account.calls),
  },
  chaos: {
    make: ({ onEvent: _, ...making }: Making, options: object) => chaos({ ...making, ...options }),
    metersCalls: false,
    draw: (draw: Draw) => ({
      enabled: true,
      latency: { rate: 0.2, delayMs: draw.pick([1, 20]) },
      fault: { rate: draw.pick([0, 0.01]) },
    }),
    defaults: { enabled: true, latency: { rate: 0.1, delayMs: 20 } },
  },
  tokenBucket: rateLimiter(
    tokenBucket,
    ({ limit, burst = Math.min(10, limit) }) => limit + burst,
    (draw) => draw.maybe({ burst: draw.integer(3, 20) }),
  ),
  gcra: rateLimiter(
    gcra,
    ({ limit, burst = Math.min(10, limit) }) => limit + burst,
    (draw) => draw.maybe({ burst: draw.integer(3, 20) }),
  ),
  slidingWindow: rateLimiter(
    slidingWindow,
    ({ limit }) => limit,
    (draw) => draw.maybe({ segments: draw.integer(1, 20) }),
  ),
  fixedWindow: rateLimiter(fixedWindow, ({ limit }) => 2 * limit),
  keyedBucket: {
    fifo: true,
    make: ({ onEvent, random, ...making }: Making, options: BurstOptions) =>
      keyed({ template: tokenBucket({ ...making, onReject: onEvent, ...options }) }),
    draw: drawRate,
    tight: tightRate,
    defaults: RATE,
    check: (account: Account, { limit = 1, windowMs = 0 }: BurstOptions, policy: Policy) => [
      ...requestsOf(account, policy),
      ...most(
        'units of a key in a window',
        account.mostOfKeyWithin(windowMs),
        limit + Math.min(limit, 10),
      ),
    ],
  },
  concurrency: {
    fifo: true,
    make: ({ onEvent, random, ...making }: Making, options: ConcurrencyOptions) =>
      concurrency({ ...making, onReject: onEvent, ...options }),
    tight: tightConcurrency,
    draw: (draw: Draw) => ({
      limit: draw.integer(6, 40),
      ...draw.maybe({ maxQueue: draw.integer(0, 50) }),
    }),
    defaults: {},
    check: (account: Account, { limit = 10 }: ConcurrencyOptions, policy: Policy) => [
      ...requestsOf(account, policy),
      ...most('units at the same time', account.mostInside, limit),
    ],
  },
  keyedConcurrency: {
    fifo: true,
    make: ({ onEvent, random, ...making }: Making, options: ConcurrencyOptions) =>
      keyed({
        name: making.name,
        clock: making.clock,
        limiter: () => concurrency({ ...making, onReject: onEvent, ...options }),
      }),
    tight: tightConcurrency,
    draw: (draw: Draw) => ({ limit: draw.integer(6, 40) }),
    defaults: {},
    check: (account: Account, { limit = 10 }: ConcurrencyOptions, policy: Policy) => [
      ...requestsOf(account, policy),
      ...most('units of a key at the same time', account.mostInsideOfKey, limit),
    ],
  },
  adaptive: {
    fifo: true,
    make: ({ onEvent, ...making }: Making, options: AdaptiveConcurrencyOptions) =>
      adaptiveConcurrency({ ...making, onReject: onEvent, onLimitChange: onEvent, ...options }),
    draw: (draw: Draw) => ({
      initialLimit: draw.integer(2, 20),
      ...draw.maybe({ minSamples: 10 }),
    }),
    defaults: {},
    documented: { maxQueue: 50 },
    recoveryMs: () => 10_000,
    check: requests,
  },
  adaptiveAimd: {
    fifo: true,
    make: ({ onEvent, random: _, ...making }: Making, options: AdaptiveConcurrencyOptions) =>
      adaptiveConcurrency({ ...making, algorithm: 'aimd', onReject: onEvent, ...options }),
    draw: (draw: Draw) => ({
      initialLimit: draw.integer(2, 20),
      ...draw.maybe({ latencyThresholdMs: 1000 }),
    }),
    defaults: {},
    recoveryMs: () => 10_000,
    check: requests,
  },
  throttle: {
    make: ({ onEvent, ...making }: Making, options: ThrottleOptions) =>
      throttle({ ...making, onReject: onEvent, ...options }),
    draw: (draw: Draw) => ({ windowMs: draw.pick([2000, 5000]) }),
    defaults: {},
    documented: { slowCallDurationMs: 1000 },
    // With twenty calls in a window; see docs/adr/0014.
    recoveryMs: ({ windowMs = 20_000 }: ThrottleOptions) => 5 * windowMs,
    check: (account: Account, _: unknown, policy: Throttle) => {
      const { allowed, rejected } = policy.stats();
      return [
        ...equal('calls', allowed + rejected, account.calls),
        ...equal('allowed', allowed, account.entries.length),
      ];
    },
  },
  settled: {
    fifo: true,
    make: ({ onEvent, random, ...making }: Making, options: BurstOptions) =>
      settled({
        clock: making.clock,
        limiter: tokenBucket({ ...making, onReject: onEvent, ...options }),
        cost: ({ ok }) => (ok ? 0.5 : 1),
      }),
    draw: drawRate,
    tight: tightRate,
    defaults: RATE,
    check: requests,
  },
  allOf: {
    fifo: true,
    make: ({ onEvent, random, ...making }: Making, options: BurstOptions) =>
      allOf({
        ...making,
        onReject: onEvent,
        limits: [
          { limiter: tokenBucket({ clock: making.clock, ...options }) },
          { limiter: concurrency({ clock: making.clock, limit: 20 }) },
        ],
      }),
    draw: drawRate,
    tight: tightRate,
    defaults: RATE,
    check: (account: Account, _: unknown, policy: Policy) => [
      ...requestsOf(account, policy),
      ...most('units at the same time', account.mostInside, 20),
    ],
  },
  client: {
    make: ({ onEvent: _, random, ...making }: Making) => clientRateLimit(making),
    draw: () => ({}),
    defaults: {},
  },
  sharedRate: {
    make: (
      { onEvent, random, ...making }: Making,
      { store, ...options }: BurstOptions & { store?: StoreFaults },
    ) =>
      sharedRateLimit({
        ...making,
        onReject: onEvent,
        store: faultyStore(() => new MemoryRateLimitStore(making.clock), making.clock, store),
        ...options,
      }),
    tight: tightRate,
    draw: (draw: Draw) => ({
      ...drawRate(draw),
      store: { lateMs: draw.pick([0, 5, 50]), forgetsMs: draw.pick([0, 0, 3000]) },
    }),
    defaults: RATE,
    check: (
      account: Account,
      { limit = 1, windowMs = 0, store }: BurstOptions & { store?: StoreFaults },
      policy: Policy,
    ) => [
      ...requestsOf(account, policy),
      // One that has forgotten everything begins anew.
      ...most(
        'units of a key in a window',
        store?.forgetsMs ? 0 : account.mostOfKeyWithin(windowMs),
        limit + Math.min(limit, 10),
      ),
    ],
  },
  sharedConcurrency: {
    make: (
      { onEvent, random, ...making }: Making,
      { store, ...options }: ConcurrencyOptions & { store?: StoreFaults },
    ) =>
      sharedConcurrency({
        ...making,
        onReject: onEvent,
        store: faultyStore(() => new MemoryRateLimitStore(making.clock), making.clock, store),
        ...options,
      }),
    tight: tightConcurrency,
    draw: (draw: Draw) => ({
      limit: draw.integer(10, 40),
      store: { lateMs: draw.pick([0, 5, 50]), forgetsMs: draw.pick([0, 0, 3000]) },
    }),
    defaults: {},
    check: (
      account: Account,
      { limit = 10, store }: ConcurrencyOptions & { store?: StoreFaults },
      policy: Policy,
    ) => [
      ...requestsOf(account, policy),
      ...most(
        'units at the same time',
        account.mostInsideOfKey,
        store?.forgetsMs ? 2 * limit : limit,
      ),
    ],
  },
} satisfies Record<string, Kind>;

export type KindName = keyof typeof KINDS;
export const KIND_NAMES: readonly KindName[] = Object.keys(KINDS) as KindName[];

/** A kind by its name. */
export function kindOf(name: KindName): Kind {
  return KINDS[name];
}
