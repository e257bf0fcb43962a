import { getEventListeners } from 'node:events';
import { audited, auditLog } from '@temper/audit';
import { memorySink } from '@temper/audit/memory';
import { circuitBreaker } from '@temper/breaker';
import { MemoryBreakerStore, sharedCircuit } from '@temper/breaker/shared';
import type { CallContext, Executor, Policy } from '@temper/core';
import {
  allOf,
  concurrency,
  fixedWindow,
  gcra,
  settled,
  slidingWindow,
  throttle,
  tokenBucket,
} from '@temper/ratelimit';
import { adaptiveConcurrency } from '@temper/ratelimit/adaptive';
import { clientRateLimit } from '@temper/ratelimit/http';
import {
  MemoryRateLimitStore,
  sharedAllOf,
  sharedConcurrency,
  sharedRateLimit,
} from '@temper/ratelimit/shared';
import { retry } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { expect } from 'vitest';
import { cached, chaos, fallback, hedge, pipeline, pipelines, timeout } from '../../src/index.ts';

/** The answer of each fallback in the suite. */
export const SECOND_BEST = 'second best';

/** The key of the call, or one for all calls that have none. */
const keyOf = ({ key }: CallContext): string => key ?? 'all';

/**
 * What makes the policies of the suite. A test holds that it is all that the packages export for that: a new
 * policy has to be added here and to {@link KINDS}, and is tried with all the others.
 */
export const FACTORIES: readonly unknown[] = [
  retry,
  circuitBreaker,
  timeout,
  hedge,
  fallback,
  cached,
  chaos,
  audited,
  tokenBucket,
  gcra,
  slidingWindow,
  fixedWindow,
  concurrency,
  adaptiveConcurrency,
  throttle,
  settled,
  allOf,
  clientRateLimit,
  sharedRateLimit,
  sharedConcurrency,
  sharedAllOf,
  pipeline,
  pipelines,
];

const RATE = { limit: 1000, windowMs: 1000 };

/** Every kind of policy, with options under which they can work in any order. */
export const KINDS = {
  retry: (clock: ManualClock) =>
    retry({ clock, maxAttempts: 3, initialDelayMs: 10, jitter: 'none' }),
  breaker: (clock: ManualClock) => circuitBreaker({ clock, failureThreshold: 100 }),
  timeout: (clock: ManualClock) => timeout({ clock, timeoutMs: 200 }),
  hedge: (clock: ManualClock) => hedge({ clock, delayMs: 500 }),
  fallback: (clock: ManualClock) => fallback({ clock, handler: () => SECOND_BEST }),
  cached: (clock: ManualClock) => cached({ clock, key: keyOf }),
  singleFlight: (clock: ManualClock) => cached({ clock, key: keyOf, singleFlight: true }),
  chaos: (clock: ManualClock) =>
    chaos({ clock, enabled: true, latency: { rate: 1, delayMs: 5 }, fault: { rate: 0 } }),
  tokenBucket: (clock: ManualClock) => tokenBucket({ clock, limit: 1000, windowMs: 1000 }),
  gcra: (clock: ManualClock) => gcra({ clock, limit: 1000, windowMs: 1000 }),
  slidingWindow: (clock: ManualClock) => slidingWindow({ clock, limit: 1000, windowMs: 1000 }),
  concurrency: (clock: ManualClock) => concurrency({ clock, limit: 10 }),
  adaptive: (clock: ManualClock) => adaptiveConcurrency({ clock }),
  pipeline: (clock: ManualClock) => pipeline({ clock }),
  fixedWindow: (clock: ManualClock) => fixedWindow({ clock, ...RATE }),
  throttle: (clock: ManualClock) => throttle({ clock, random: () => 1 - Number.EPSILON }),
  settled: (clock: ManualClock) =>
    settled({ clock, limiter: tokenBucket({ clock, ...RATE }), cost: ({ ok }) => (ok ? 1 : 2) }),
  allOf: (clock: ManualClock) =>
    allOf({
      clock,
      limits: [
        { limiter: tokenBucket({ clock, ...RATE }) },
        { limiter: concurrency({ clock, limit: 10 }) },
      ],
    }),
  client: (clock: ManualClock) => clientRateLimit({ clock }),
  sharedRate: (clock: ManualClock) =>
    sharedRateLimit({ name: 'rate', clock, store: new MemoryRateLimitStore(clock), ...RATE }),
  sharedConcurrency: (clock: ManualClock) =>
    sharedConcurrency({
      name: 'at once',
      clock,
      store: new MemoryRateLimitStore(clock),
      limit: 10,
    }),
  sharedAllOf: (clock: ManualClock) => {
    const common = { clock, store: new MemoryRateLimitStore(clock) };
    return sharedAllOf({
      clock,
      limits: [
        { limiter: sharedRateLimit({ name: 'rate', ...common, ...RATE }) },
        { limiter: sharedConcurrency({ name: 'at once', ...common, limit: 10 }) },
      ],
    });
  },
  fleet: (clock: ManualClock) =>
    circuitBreaker({
      clock,
      failureThreshold: 100,
      shared: sharedCircuit({ store: new MemoryBreakerStore(clock) }),
    }),
  slowBreaker: (clock: ManualClock) =>
    circuitBreaker({
      clock,
      window: { calls: 1000 },
      slowCallDurationMs: 10_000,
      halfOpenMaxWaitMs: 1000,
      halfOpenTrials: 5,
    }),
  audited: (clock: ManualClock) => {
    const log = auditLog({ clock, sinks: [memorySink()] });
    return audited(log, { clock, action: 'call', resource: 'dependency', write: 'around' });
  },
  named: (clock: ManualClock) =>
    pipelines({ clock, kinds: {}, define: { named: [] } }).get('named') as Policy,
} satisfies Record<string, (clock: ManualClock) => Executor>;

export type Kind = keyof typeof KINDS;
export const KIND_NAMES: readonly Kind[] = Object.keys(KINDS) as Kind[];

/** Every order of two kinds. */
export const PAIRS: readonly (readonly [Kind, Kind])[] = KIND_NAMES.flatMap((outer) =>
  KIND_NAMES.filter((inner) => inner !== outer).map((inner) => [outer, inner] as const),
);

/** Useful orders of three to seven kinds, outermost first. */
export const SENSIBLE: readonly (readonly Kind[])[] = [
  ['retry', 'breaker', 'timeout'],
  ['timeout', 'retry', 'breaker'],
  ['tokenBucket', 'retry', 'timeout'],
  ['concurrency', 'retry', 'breaker'],
  ['fallback', 'retry', 'timeout'],
  ['fallback', 'breaker', 'timeout'],
  ['fallback', 'cached', 'retry'],
  ['cached', 'retry', 'timeout'],
  ['singleFlight', 'retry', 'breaker'],
  ['timeout', 'hedge', 'breaker'],
  ['hedge', 'breaker', 'timeout'],
  ['retry', 'hedge', 'timeout'],
  ['adaptive', 'breaker', 'timeout'],
  ['retry', 'timeout', 'chaos'],
  ['tokenBucket', 'timeout', 'retry', 'breaker'],
  ['concurrency', 'retry', 'breaker', 'timeout'],
  ['fallback', 'retry', 'breaker', 'timeout'],
  ['fallback', 'cached', 'retry', 'breaker'],
  ['cached', 'timeout', 'retry', 'breaker'],
  ['fallback', 'timeout', 'hedge', 'breaker'],
  ['slidingWindow', 'retry', 'hedge', 'timeout'],
  ['gcra', 'adaptive', 'breaker', 'timeout'],
  ['retry', 'breaker', 'timeout', 'chaos'],
  ['fallback', 'singleFlight', 'tokenBucket', 'retry', 'breaker', 'timeout', 'chaos'],
];

/** A pipeline of these kinds on a clock of its own. */
export function build(kinds: readonly Kind[]) {
  const clock = new ManualClock();
  const policies = kinds.map((kind) => KINDS[kind](clock));
  return { clock, policy: pipeline({ clock, name: kinds.join(' > ') || 'empty' }, ...policies) };
}

/** A signal whose listeners are counted afterwards. */
export interface WatchedSignal {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  listeners(): number;
}

export function watchedSignal(): WatchedSignal {
  const controller = new AbortController();
  const { signal } = controller;
  return {
    signal,
    abort: (reason: unknown) => controller.abort(reason),
    listeners: () => getEventListeners(signal, 'abort').length,
  };
}

/** Expects that a call has left neither a listener nor a timer that keeps the process alive. */
export async function expectNothingLeft(
  clock: ManualClock,
  watched?: WatchedSignal,
): Promise<void> {
  await settle();
  expect(clock.pendingRefed).toBe(0);
  expect(watched?.listeners() ?? 0).toBe(0);
}

/** An error, its causes, and the errors of all its attempts. */
export function everyError(error: unknown): unknown[] {
  if (typeof error !== 'object' || error === null) return [error];
  const { cause, errors } = error as { cause?: unknown; errors?: unknown };
  const within = [
    ...(Array.isArray(errors) ? errors : []),
    ...(cause === undefined ? [] : [cause]),
  ];
  return [error, ...within.flatMap(everyError)];
}

/** A transient error, so that a retry or a hedge makes another attempt. */
export const transient = (message: string): Error =>
  Object.assign(new Error(message), { code: 'ECONNRESET' });
