import { type TelemetryScope, telemetryScope } from '@temper/core';
import { tokenBucket } from '@temper/ratelimit';
import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, describe, expect, it } from 'vitest';
import { predictFailure } from '../src/index.ts';
import { predictiveLimit } from '../src/limit/index.ts';
import { scalingSignal } from '../src/scaling/index.ts';
import { autotune } from '../src/tuning/index.ts';

interface Common {
  readonly name: string;
  readonly clock: ManualClock;
  readonly telemetry: TelemetryScope;
}

const HOUR = 3_600_000;

/** Each makes one, and does what it writes a log record of. */
const KINDS: Record<string, (common: Common) => Promise<Disposable>> = {
  predictFailure: async (common) => {
    const predictor = predictFailure({ ...common, stepMs: 1000 });
    for (let step = 0; step < 120; step++) {
      for (let i = 0; i < 50; i++) predictor.record({ failed: step > 100, durationMs: 1 });
      await common.clock.advance(1000);
      predictor.prediction();
    }
    return predictor;
  },
  predictiveLimit: async ({ name, ...common }) => {
    const { clock } = common;
    const limiter = tokenBucket({ name, limit: 600, windowMs: 60_000, burst: 60, ...common });
    const limit = predictiveLimit({ ...common, name, limiter, season: 'day' });
    for (let minute = 0; minute < 26 * 60; minute++) {
      for (let i = 0; i < 50; i++) limit.tryAcquire();
      clock.jump(60_000);
    }
    limit.forecast();
    return limit;
  },
  scalingSignal: async (common) => {
    let arrivals = 0;
    let answers = true;
    const signal = scalingSignal({
      ...common,
      scope: 'service',
      season: 'none',
      concurrency: 5,
      sources: { arrivals: () => (answers ? arrivals : Number.NaN), serviceTimeMs: () => 100 },
    });
    for (let minute = 0; minute < 60; minute++) {
      arrivals += 1000;
      answers = minute < 30;
      await common.clock.advance(HOUR / 60);
      signal.recommendation();
    }
    return signal;
  },
  autotune: async (common) => {
    const { clock } = common;
    const bounds = { maxAttempts: [1, 4] } as const;
    const tuner = autotune({ ...common, settings: { maxAttempts: 3 }, bounds, apply: () => {} });
    const tries = [1, 2, 3].map((attempt) => ({
      attempt,
      hedge: 1,
      atMs: attempt,
      tookMs: 1,
      result: 'failed' as const,
    }));
    for (let minute = 0; minute < 10; minute++) {
      for (let i = 0; i < 500; i++) {
        const own = tries.slice(0, tuner.settings.maxAttempts);
        tuner.record({ at: clock.now(), tookMs: 3, ok: false, refused: false, tries: own });
      }
      await clock.advance(60_000);
    }
    return tuner;
  },
};

const open: InMemoryTelemetry[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

describe('the option telemetry sends metrics and log records to its providers, and none elsewhere', () => {
  it.each(Object.entries(KINDS))('of %s', async (kind, make) => {
    const [recorded, registered] = [new InMemoryTelemetry(), new InMemoryTelemetry()];
    open.push(recorded, registered);
    const name = `scoped ${kind}`;
    const telemetry = telemetryScope({ ...recorded.providers, metricAttributes: { region: 'eu' } });
    const made = await make({ name, clock: new ManualClock(Date.UTC(2024, 0, 1)), telemetry });
    const pointsOf = async (of: InMemoryTelemetry) =>
      (await of.collect()).resourceMetrics.scopeMetrics
        .flatMap(({ metrics }) => metrics.flatMap(({ dataPoints }) => [...dataPoints]))
        .filter(({ attributes }) => attributes['temper.policy.name'] === name);
    const points = await pointsOf(recorded);
    expect(points.length).toBeGreaterThan(0);
    for (const { attributes } of points) expect(attributes).toMatchObject({ region: 'eu' });
    expect(recorded.logs.length).toBeGreaterThan(0);
    expect(await pointsOf(registered)).toEqual([]);
    expect(registered.logs).toEqual([]);
    made[Symbol.dispose]();
  });
});
