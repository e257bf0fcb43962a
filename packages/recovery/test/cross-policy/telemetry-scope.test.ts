import { circuitBreaker } from '@temper/breaker';
import { type Clock, type Executor, type TelemetryScope, telemetryScope } from '@temper/core';
import {
  concurrency,
  fixedWindow,
  gcra,
  keyed,
  slidingWindow,
  throttle,
  tokenBucket,
} from '@temper/ratelimit';
import { adaptiveConcurrency } from '@temper/ratelimit/adaptive';
import { clientRateLimit } from '@temper/ratelimit/http';
import { MemoryRateLimitStore, sharedRateLimit } from '@temper/ratelimit/shared';
import { retry } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, describe, expect, it } from 'vitest';
import { resilientFetch } from '../../src/fetch/index.ts';
import { cached, chaos, fallback, hedge, timeout } from '../../src/index.ts';
import { pipelines } from '../../src/pipelines/pipelines.ts';
import { type Recovery, recover, recoveries } from '../../src/plan/index.ts';

interface Common {
  readonly name: string;
  readonly clock: Clock;
  readonly telemetry: TelemetryScope;
  readonly spans: 'all';
}

const RATE = { limit: 1, windowMs: 1000, maxQueue: 0 };

const POLICIES: Record<string, (common: Common) => Executor> = {
  retry: (common) => retry({ ...common, maxAttempts: 2, initialDelayMs: 0 }),
  circuitBreaker: (common) => circuitBreaker(common),
  timeout: (common) => timeout(common),
  hedge: (common) => hedge({ ...common, delayMs: 10 }),
  fallback: (common) => fallback({ ...common, handler: () => 1 }),
  cached: (common) => cached({ ...common, key: () => 'key' }),
  chaos: (common) => chaos({ ...common, enabled: true, fault: { rate: 1 } }),
  tokenBucket: (common) => tokenBucket({ ...common, ...RATE }),
  gcra: (common) => gcra({ ...common, ...RATE }),
  slidingWindow: (common) => slidingWindow({ ...common, ...RATE }),
  fixedWindow: (common) => fixedWindow({ ...common, ...RATE }),
  keyed: ({ name, ...common }) =>
    keyed({ name, template: tokenBucket({ name, ...common, ...RATE }) }),
  concurrency: (common) => concurrency({ ...common, limit: 1, maxQueue: 0 }),
  adaptiveConcurrency: (common) =>
    adaptiveConcurrency({ ...common, minLimit: 1, initialLimit: 1, maxLimit: 1, maxQueue: 0 }),
  throttle: (common) => throttle(common),
  clientRateLimit: (common) => clientRateLimit(common),
  sharedRateLimit: (common) =>
    sharedRateLimit({ ...common, store: new MemoryRateLimitStore(), ...RATE }),
  plan: ({ name, spans, ...environment }) =>
    planned(recover({ operation: name, spans, ...PLAN }, environment)),
  recoveries: ({ name, spans, ...environment }) =>
    planned(recoveries({ ...environment, plans: [{ operation: name, spans, ...PLAN }] }).get(name)),
  pipelines: ({ name, spans, ...common }) => {
    const own = { spans, maxAttempts: 2, initialDelayMs: 0 };
    const registry = pipelines({ ...common, kinds: { retry, breaker: circuitBreaker } });
    return registry.define(name, [{ retry: own }, { breaker: { spans } }, { timeout: {} }]);
  },
  resilientFetch: ({ spans: _, ...common }) => {
    const fetch = resilientFetch({
      ...common,
      fetch: async () => {
        throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
      },
      retry: { maxAttempts: 2, initialDelayMs: 0 },
      hedge: { delayMs: 10 },
    });
    return {
      execute: async (operation) => {
        await fetch('http://127.0.0.1:1/').catch(() => {});
        return (await operation({} as never)) as never;
      },
    };
  },
};

/** All that a plan may have. */
const PLAN = {
  strategy: ['retry', 'circuit_break', 'fallback'],
  retryDelayMs: 0,
  attemptTimeoutMs: 1000,
  fallback: () => 1,
} as const;

/** A plan as a policy. */
function planned(recovery: Recovery | undefined): Executor {
  return { execute: (operation, options) => (recovery as Recovery).run(operation, options) };
}

/** These refuse nothing here, and have no spans of other calls. */
const WITHOUT_SPANS: readonly string[] = ['throttle', 'clientRateLimit'];

let global: InMemoryTelemetry | undefined;
afterEach(async () => {
  await global?.close();
});

describe('the option telemetry sends metrics and spans to its providers, and none elsewhere', () => {
  it.each(Object.entries(POLICIES))('of %s', async (kind, create) => {
    const recorded = new InMemoryTelemetry();
    global = new InMemoryTelemetry();
    const name = `scoped ${kind}`;
    const startsWithName = new RegExp(`^${name}( |$)|^unplanned$`);
    const attributes = { tenant: 'acme' };
    const policy = create({
      name,
      clock: new ManualClock(),
      spans: 'all',
      telemetry: telemetryScope({ ...recorded.providers, metricAttributes: attributes }),
    });
    let finish = (): void => {};
    const running = policy.execute(
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
      { key: 'key' },
    );
    running.catch(() => {});
    await settle();
    for (let i = 0; i < 2; i++) await policy.execute(async () => 1, { key: 'key' }).catch(() => {});
    await policy.execute(() => Promise.reject(new Error('x')), { key: 'key' }).catch(() => {});

    finish();
    await running.catch(() => {});
    const pointsOf = async (telemetry: InMemoryTelemetry) =>
      (await telemetry.collect()).resourceMetrics.scopeMetrics.flatMap((scope) =>
        scope.metrics.flatMap((metric) => [...metric.dataPoints] as { attributes: object }[]),
      );
    const points = await pointsOf(recorded);
    expect(points.length).toBeGreaterThan(0);
    for (const point of points) {
      expect(point.attributes).toMatchObject({
        'temper.policy.name': expect.stringMatching(startsWithName),
        ...attributes,
      });
    }
    const elsewhere = (await pointsOf(global)).filter(({ attributes }) =>
      startsWithName.test(`${(attributes as Record<string, unknown>)['temper.policy.name']}`),
    );
    expect(elsewhere).toEqual([]);
    expect(global.spans.filter((span) => span.name.includes(name))).toEqual([]);
    const spans = recorded.spans.filter((span) => span.name.includes(name));
    expect(spans.length > 0).toBe(!WITHOUT_SPANS.includes(kind));
  });
});
