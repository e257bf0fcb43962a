import { createRequire } from 'node:module';
import * as breakers from '@temper/breaker';
import type { Executor, TelemetryScope } from '@temper/core';
import * as limiters from '@temper/ratelimit';
import * as adaptive from '@temper/ratelimit/adaptive';
import * as http from '@temper/ratelimit/http';
import * as shared from '@temper/ratelimit/shared';
import * as recovery from '@temper/recovery';
import * as retries from '@temper/retry';

type Copy = typeof breakers &
  typeof limiters &
  typeof adaptive &
  typeof http &
  typeof shared &
  typeof recovery &
  typeof retries;

const load = createRequire(import.meta.url);

/** Every package twice, as a process may have them: as ES modules, and as CommonJS. */
export const COPIES: readonly Copy[] = [
  { ...breakers, ...limiters, ...adaptive, ...http, ...shared, ...recovery, ...retries },
  Object.assign(
    {},
    ...[
      'breaker',
      'ratelimit',
      'ratelimit/adaptive',
      'ratelimit/http',
      'ratelimit/shared',
      'recovery',
      'retry',
    ].map((name) => load(`@temper/${name}`)),
  ),
];

/** How a call ends: it succeeds, fails, or is left by its caller while it runs. */
export type Ending = 'well' | 'ill' | 'left';
export const ENDINGS: readonly Ending[] = ['well', 'ill', 'left'];

export interface Common {
  readonly name: string;
  readonly telemetry?: TelemetryScope;
}

/** A kind of policy, and what it must have counted of each call by how the call ended. */
interface Subject {
  readonly create: (copy: Copy, common: Common) => Executor;
  readonly counter: string;
  readonly outcomes: Readonly<Record<Ending, string>>;
  /** A histogram that has one value for each call. */
  readonly durations?: string;
}

const CALLS = { well: 'success', ill: 'failure', left: 'aborted' } as const;
/** A limiter decides before the call: what becomes of it is not its matter. */
const DECISIONS = { well: 'allowed', ill: 'allowed', left: 'allowed' } as const;
const REQUESTS = { counter: 'temper.ratelimit.requests', outcomes: DECISIONS } as const;
const RATE = { limit: 1_000_000, windowMs: 1_000 };

/** Everything that counts calls. */
export const SUBJECTS: Readonly<Record<string, Subject>> = {
  retry: {
    create: ({ retry }, common) => retry({ ...common, maxAttempts: 1 }),
    counter: 'temper.retry.operations',
    outcomes: { ...CALLS, ill: 'exhausted' },
    durations: 'temper.retry.operation.duration',
  },
  breaker: {
    create: ({ circuitBreaker }, common) =>
      circuitBreaker({ ...common, failureThreshold: 1_000_000 }),
    counter: 'temper.breaker.calls',
    outcomes: CALLS,
    durations: 'temper.breaker.call.duration',
  },
  timeout: {
    create: ({ timeout }, common) => timeout({ ...common, timeoutMs: 600_000 }),
    counter: 'temper.timeout.calls',
    outcomes: CALLS,
  },
  hedge: {
    create: ({ hedge }, common) => hedge({ ...common, delayMs: 600_000 }),
    counter: 'temper.hedge.calls',
    outcomes: CALLS,
  },
  fallback: {
    create: ({ fallback }, common) => fallback({ ...common, handler: () => 'second best' }),
    counter: 'temper.fallback.calls',
    outcomes: { ...CALLS, ill: 'fallback' },
  },
  cached: {
    create: ({ cached }, common) => cached({ ...common, key: ({ key }) => key ?? '' }),
    counter: 'temper.cache.calls',
    outcomes: CALLS,
  },
  tokenBucket: {
    ...REQUESTS,
    create: ({ tokenBucket }, common) => tokenBucket({ ...common, ...RATE }),
  },
  gcra: { ...REQUESTS, create: ({ gcra }, common) => gcra({ ...common, ...RATE }) },
  slidingWindow: {
    ...REQUESTS,
    create: ({ slidingWindow }, common) => slidingWindow({ ...common, ...RATE }),
  },
  fixedWindow: {
    ...REQUESTS,
    create: ({ fixedWindow }, common) => fixedWindow({ ...common, ...RATE }),
  },
  keyed: {
    ...REQUESTS,
    create: ({ keyed, tokenBucket }, { name, ...common }) =>
      keyed({ name, template: tokenBucket({ name, ...common, ...RATE }) }),
  },
  concurrency: {
    ...REQUESTS,
    create: ({ concurrency }, common) => concurrency({ ...common, limit: 1_000 }),
  },
  adaptiveConcurrency: {
    ...REQUESTS,
    create: ({ adaptiveConcurrency }, common) =>
      adaptiveConcurrency({ ...common, minLimit: 1_000, initialLimit: 1_000, maxLimit: 1_000 }),
  },
  throttle: {
    ...REQUESTS,
    create: ({ throttle }, common) => throttle({ ...common, random: () => 1 - Number.EPSILON }),
  },
  clientRateLimit: {
    ...REQUESTS,
    create: ({ clientRateLimit }, common) => clientRateLimit(common),
  },
  sharedRateLimit: {
    ...REQUESTS,
    create: ({ sharedRateLimit, MemoryRateLimitStore }, common) =>
      sharedRateLimit({ ...common, store: new MemoryRateLimitStore(), ...RATE }),
  },
};
