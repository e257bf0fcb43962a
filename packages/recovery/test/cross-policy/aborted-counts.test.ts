import { type CircuitBreakerOptions, circuitBreaker } from '@temper/breaker';
import { type BreakerStore, MemoryBreakerStore, sharedCircuit } from '@temper/breaker/shared';
import type { Clock, Executor } from '@temper/core';
import { concurrency, fixedWindow, gcra, slidingWindow, tokenBucket } from '@temper/ratelimit';
import { adaptiveConcurrency } from '@temper/ratelimit/adaptive';
import { retry } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cached, fallback, hedge, pipeline, timeout } from '../../src/index.ts';

interface Common {
  readonly name: string;
  readonly clock: Clock;
}

/** Every policy that counts how calls end; limiters count how they began. */
const POLICIES: Record<string, (common: Common) => Executor> = {
  retry: (common) => retry(common),
  circuitBreaker: (common) => circuitBreaker(common),
  timeout: (common) => timeout(common),
  adaptiveTimeout: (common) => timeout({ ...common, timeoutMs: { quantile: 0.9, maxMs: 1000 } }),
  hedge: (common) => hedge({ ...common, delayMs: 10 }),
  fallback: (common) => fallback({ ...common, handler: () => 1 }),
  cached: (common) => cached({ ...common, key: () => 'key' }),
  singleFlight: (common) => cached({ ...common, key: () => 'key', singleFlight: true }),
};

/** Every policy at which calls wait. */
const ONE = { limit: 1, windowMs: 60_000, burst: 1 };
const LIMITERS: Record<string, (common: Common) => Executor> = {
  tokenBucket: (common) => tokenBucket({ ...common, ...ONE }),
  gcra: (common) => gcra({ ...common, ...ONE }),
  slidingWindow: (common) => slidingWindow({ ...common, limit: 1, windowMs: 60_000 }),
  fixedWindow: (common) => fixedWindow({ ...common, limit: 1, windowMs: 60_000 }),
  concurrency: (common) => concurrency({ ...common, limit: 1 }),
  adaptiveConcurrency: (common) =>
    adaptiveConcurrency({ ...common, minLimit: 1, initialLimit: 1, maxLimit: 1 }),
};

/** How an operation ends that hears of an abort: as it should, or as many clients do. */
const ENDINGS: Record<string, (signal: AbortSignal) => unknown> = {
  'rejects with the reason': (signal) => signal.reason,
  'rejects with an error of its own': () =>
    Object.assign(new Error('reset'), { code: 'ECONNRESET' }),
};

let telemetry: InMemoryTelemetry | undefined;
afterEach(() => telemetry?.close());

/** What was counted for a policy, by outcome, all counters together; zeros are left out. */
async function counted(name: string, from: InMemoryTelemetry): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  const { resourceMetrics } = await from.collect();
  for (const { metrics } of resourceMetrics.scopeMetrics) {
    for (const { dataPoints } of metrics) {
      for (const { attributes, value } of dataPoints) {
        if (attributes['temper.policy.name'] !== name) continue;
        const outcome = attributes['temper.outcome'] as string | undefined;
        const n = typeof value === 'number' ? value : value.count;
        if (outcome !== undefined && n !== 0) sums[outcome] = (sums[outcome] ?? 0) + (n as number);
      }
    }
  }
  return sums;
}

describe.each(Object.entries(ENDINGS))(
  "a caller's abort of a call whose operation %s",
  (how, ending) => {
    it.each(Object.entries(POLICIES))(
      'is counted as aborted by %s, and as nothing else',
      async (kind, create) => {
        telemetry = new InMemoryTelemetry();
        const name = `${kind} ${how}`;
        const policy = create({ name, clock: new ManualClock() });
        const controller = new AbortController();
        const call = policy.execute(
          ({ signal }) =>
            new Promise((_, reject) => {
              signal.addEventListener('abort', () => reject(ending(signal)));
            }),
          { signal: controller.signal },
        );
        call.catch(() => {});
        await settle();
        controller.abort(new Error('enough'));
        await expect(call).rejects.toThrow();
        await settle();
        const { aborted, started, ...others } = await counted(name, telemetry);
        expect(others).toEqual({});
        expect(aborted).toBeGreaterThanOrEqual(1);
        expect(started ?? 1).toBe(1); // attempts of a hedge
      },
    );
  },
);

describe("a caller's abort of a call that waits", () => {
  it.each(Object.entries(LIMITERS))('is counted as aborted by %s', async (kind, create) => {
    telemetry = new InMemoryTelemetry();
    const policy = create({ name: kind, clock: new ManualClock() });
    let finish = (): void => {};
    const first = policy.execute(
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
    );
    await settle();
    const controller = new AbortController();
    const waiting = policy.execute(async () => 1, { signal: controller.signal });
    waiting.catch(() => {});
    await settle();
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    finish();
    await first;
    const { allowed, aborted, ...others } = await counted(kind, telemetry);
    expect(others).toEqual({});
    expect([allowed, aborted]).toEqual([1, expect.any(Number)]);
  });
});

/** A store that does not answer a request for a trial. */
const SILENT: BreakerStore = Object.assign(new MemoryBreakerStore(), {
  takeTrial: () => new Promise<never>(() => {}),
});

/** What a call at a half-open circuit can wait for. */
const TURNS: Record<string, CircuitBreakerOptions> = {
  'its turn': { halfOpenMaxWaitMs: 10_000 },
  'its turn by rate': { halfOpenMaxWaitMs: 10_000, window: { calls: 1 }, halfOpenTrials: 3 },
  'the lease of the fleet': { shared: sharedCircuit({ store: SILENT, timeoutMs: 10_000 }) },
};

describe.each(Object.entries(TURNS))(
  'a call at a half-open circuit that waits for %s',
  (what, own) => {
    const byThreshold = own.window === undefined ? { failureThreshold: 1 } : {};
    it.each([
      ['the caller', (_: ManualClock, controller: AbortController) => controller.abort('enough')],
      [
        'the caller before',
        (_: ManualClock, controller: AbortController) => controller.abort('enough'),
      ],
      ['a timeout', (clock: ManualClock) => clock.advance(50)],
    ] as const)('is counted once, as aborted, when %s ends it', async (by, end) => {
      const clock = new ManualClock();
      const breaker = circuitBreaker({ clock, name: `${what} ${by}`, ...byThreshold, ...own });
      const around = by === 'a timeout' ? timeout({ clock, timeoutMs: 50 }) : pipeline({ clock });
      const policy = pipeline({ clock }, around, breaker);
      await policy.tryExecute(() => Promise.reject(new Error('down')));
      await clock.advance(60_000);
      const trial = Promise.withResolvers<string>();
      const begun = own.shared === undefined ? 1 : 0;
      if (begun > 0) void breaker.execute(() => trial.promise);
      const controller = new AbortController();
      const operation = vi.fn();
      if (by === 'the caller before') controller.abort('enough');
      const call = policy.tryExecute(operation, { signal: controller.signal });
      await settle();
      await end(clock, controller);
      expect(await call).toMatchObject({ ok: false });
      trial.resolve('late');
      await clock.advance(10_000);
      expect(operation).not.toHaveBeenCalled();
      // A signal that has aborted before keeps the call from being made.
      const aborted = by === 'the caller before' ? 0 : 1;
      expect(breaker.stats().calls).toEqual({
        success: begun,
        failure: 1,
        slow: 0,
        ignored: 0,
        aborted,
        rejected: 0,
      });
    });
  },
);
