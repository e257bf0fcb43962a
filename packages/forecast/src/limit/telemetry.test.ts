import { tokenBucket } from '@temper/ratelimit';
import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, expect, it } from 'vitest';
import { EVENT_LIMIT_MODE } from '../semconv.ts';
import { predictiveLimit } from './index.ts';
import { LIMIT_MODES } from './modes.ts';

const HOUR = 3_600_000;

let telemetry: InMemoryTelemetry;
afterEach(() => telemetry?.close());

it('reports the limit, the forecast, its error and the mode, and writes a record of a new mode', async () => {
  telemetry = new InMemoryTelemetry();
  const clock = new ManualClock(Date.UTC(2024, 0, 1));
  const limiter = tokenBucket({ name: 'search', limit: 600, windowMs: 60_000, burst: 60, clock });
  const limit = predictiveLimit({ limiter, season: 'day', clock });
  const pass = (hours: number, perMinute: number): void => {
    for (let minute = 0; minute < hours * 60; minute++) {
      for (let i = 0; i < perMinute; i++) limit.tryAcquire();
      clock.jump(60_000);
    }
  };
  const read = async (name: string) =>
    (await telemetry.points(`temper.forecast.limit.${name}`)).filter(
      ({ attributes }) => attributes['temper.policy.name'] === 'search',
    );
  const mode = async (): Promise<unknown> => {
    const points = await read('mode');
    expect(points).toHaveLength(LIMIT_MODES.length);
    const [now, ...others] = points.filter(({ value }) => value === 1);
    expect(others).toEqual([]);
    return now?.attributes['temper.forecast.limit.mode'];
  };
  const value = async (name: string): Promise<unknown> => (await read(name))[0]?.value;

  expect(await mode()).toBe('learning');
  expect([await value('value'), await value('expected')]).toEqual([600, undefined]);
  pass(26, 100);
  expect(await mode()).toBe('predictive');
  expect(await value('expected')).toBeCloseTo(100, 0);
  // Two standard deviations of 10 calls, one and a half times.
  expect(await value('value')).toBeCloseTo(180, 0);
  expect(await value('error')).toBeCloseTo(0, 2);
  pass(8, 400);
  expect(await mode()).toBe('inaccurate');
  expect(await value('value')).toBe(600);
  expect(telemetry.logs.map(({ eventName, body }) => [eventName, body])).toEqual([
    [
      EVENT_LIMIT_MODE,
      "Predictive limit 'search' is predictive, after learning, with a mean error of 0 %",
    ],
    [
      EVENT_LIMIT_MODE,
      "Predictive limit 'search' is inaccurate, after predictive, with a mean error of 31 %",
    ],
  ]);
  limit[Symbol.dispose]();
  clock.jump(HOUR);
  expect(await value('value')).toBe(0);
});
