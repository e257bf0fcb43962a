import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, expect, it } from 'vitest';
import { EVENT_MODE } from '../semconv.ts';
import { scalingSignal } from './index.ts';
import { MODES } from './modes.ts';

let telemetry: InMemoryTelemetry;
afterEach(() => telemetry?.close());

it('reports the replicas, the interval and the mode, and learns by being collected', async () => {
  telemetry = new InMemoryTelemetry();
  const clock = new ManualClock();
  let arrivals = 0;
  let answers = true;
  const signal = scalingSignal({
    name: 'collected',
    scope: 'service',
    season: 'none',
    concurrency: 5,
    targetUtilization: 1,
    clock,
    sources: { arrivals: () => (answers ? arrivals : Number.NaN), serviceTimeMs: () => 100 },
  });
  const read = async () => {
    const points = [
      ...(await telemetry.points('temper.forecast.replicas.desired')),
      ...(await telemetry.points('temper.forecast.replicas.lower')),
      ...(await telemetry.points('temper.forecast.replicas.upper')),
    ].filter(({ attributes }) => attributes['temper.policy.name'] === 'collected');
    const modes = (await telemetry.points('temper.forecast.scaling.mode')).filter(
      ({ attributes }) => attributes['temper.policy.name'] === 'collected',
    );
    const mode = modes.filter(({ value }) => value === 1);
    expect(modes).toHaveLength(MODES.length);
    expect(mode).toHaveLength(1);
    return [
      mode[0]?.attributes['temper.forecast.scaling.mode'],
      ...points.map(({ value }) => value),
    ];
  };
  expect(await read()).toEqual(['no-season']);
  arrivals += 6000;
  await clock.advance(60_000);
  expect(await read()).toEqual(['no-season', 2, 2, 2]);
  answers = false;
  await clock.advance(660_000);
  expect(await read()).toContain('no-data');
  expect(telemetry.logs.map(({ eventName, body }) => [eventName, body])).toContainEqual([
    EVENT_MODE,
    "Scaling signal 'collected' is no-data, after no-season",
  ]);
  signal[Symbol.dispose]();
});
