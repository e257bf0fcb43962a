import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, expect, it } from 'vitest';
import { EVENT_TUNING } from '../semconv.ts';
import { autotune } from './autotune.ts';

let telemetry: InMemoryTelemetry;
afterEach(() => telemetry?.close());

it('counts changes by what became of them, writes their log records, and reports proposals', async () => {
  telemetry = new InMemoryTelemetry();
  const clock = new ManualClock();
  const options = {
    name: 'registry',
    clock,
    settings: { maxAttempts: 3 },
    bounds: { maxAttempts: [1, 4] },
  } as const;
  const idle = autotune({ ...options, name: 'idle' });
  const tuner = autotune({ ...options, apply: () => {} });
  const tries = [1, 2, 3].map((attempt) => ({
    attempt,
    hedge: 1,
    atMs: attempt,
    tookMs: 1,
    result: 'failed' as const,
  }));
  for (let minute = 0; minute < 10; minute++) {
    for (let i = 0; i < 500; i++) {
      for (const one of [idle, tuner]) {
        one.record({
          at: clock.now(),
          tookMs: 3,
          ok: false,
          refused: false,
          tries: tries.slice(0, one.settings.maxAttempts),
        });
      }
    }
    await clock.advance(60_000);
  }
  const value = async (metric: string, name: string, change?: string): Promise<unknown> =>
    (await telemetry.points(metric)).find(
      ({ attributes }) =>
        attributes['temper.policy.name'] === name &&
        attributes['temper.forecast.tuning.change'] === change,
    )?.value;
  expect(await value('temper.forecast.tuning.proposals', 'idle')).toBe(1);
  expect(await value('temper.forecast.tuning.changes', 'registry', 'applied')).toBeGreaterThan(0);
  expect(await value('temper.forecast.tuning.changes', 'registry', 'undone')).toBe(0);
  expect(await value('temper.forecast.tuning.changes', 'idle', 'applied')).toBe(0);
  const record = telemetry.logs.find(({ eventName }) => eventName === EVENT_TUNING);
  expect(record).toMatchObject({
    body: "Autotune 'registry' changed maxAttempts from 3 to 2: attempt 3 rescues 0 % of the calls that it is made for",
    attributes: {
      'temper.policy.name': 'registry',
      'temper.forecast.tuning.change': 'applied',
      'temper.forecast.tuning.setting': 'maxAttempts',
    },
  });
  idle[Symbol.dispose]();
  expect(await value('temper.forecast.tuning.proposals', 'idle')).toBe(0);
});
