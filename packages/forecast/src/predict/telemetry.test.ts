import { trace } from '@opentelemetry/api';
import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, expect, it } from 'vitest';
import { EVENT_CLEARED, EVENT_WARNING, FORECAST_METRICS } from '../semconv.ts';
import { predictFailure } from './predictor.ts';

let telemetry: InMemoryTelemetry;
afterEach(() => telemetry?.close());

let made = 0;
function setUp() {
  telemetry = new InMemoryTelemetry();
  const clock = new ManualClock();
  const name = `dependency-${++made}`;
  const predictor = predictFailure({ name, clock });
  const run = async (steps: number, failed: boolean): Promise<void> => {
    for (let step = 0; step < steps; step++) {
      for (let i = 0; i < 20; i++) predictor.record({ failed, durationMs: 10 + (i % 3) });
      await clock.advance(5000);
    }
  };
  const value = async (metric: string, signal?: string): Promise<unknown> =>
    (await telemetry.points(metric)).find(
      ({ attributes }) =>
        attributes['temper.policy.name'] === name &&
        attributes['temper.forecast.signal'] === signal,
    )?.value;
  return { name, predictor, run, value };
}

it('reports warning, probability and the score of each signal, and 0 once it is disposed of', async () => {
  const { predictor, run, value } = setUp();
  await run(10, false);
  expect(await value('temper.forecast.failure.warning')).toBe(0);
  expect(await value('temper.forecast.failure.probability')).toBeUndefined();
  await run(50, false);
  expect(await value('temper.forecast.failure.probability')).toBeLessThan(0.05);
  await run(4, true);
  expect(await value('temper.forecast.failure.warning')).toBe(1);
  expect(await value('temper.forecast.failure.probability')).toBe(
    predictor.prediction().probability,
  );
  expect(await value('temper.forecast.failure.score', 'failures')).toBe(
    predictor.prediction().scores.failures,
  );
  predictor[Symbol.dispose]();
  const own = FORECAST_METRICS.filter(({ name }) => name.includes('.failure.'));
  expect(own.length).toBe(3);
  for (const { name, attributes } of own) {
    expect(await value(name, attributes.length > 1 ? 'failures' : undefined)).toBe(0);
  }
});

it('adds an event to the active span and writes a log record when a warning begins and ends', async () => {
  const { name, predictor, run } = setUp();
  await run(60, false);
  await trace.getTracer('test').startActiveSpan('request', async (span) => {
    await run(3, true);
    await predictor.tryExecute(() => 1);
    span.end();
  });
  const span = telemetry.spans.find((one) => one.name === 'request');
  expect(span?.events).toMatchObject([
    {
      name: EVENT_WARNING,
      attributes: {
        'temper.policy.name': name,
        'temper.forecast.driver': 'failures',
        'temper.forecast.score': expect.any(Number),
        'temper.forecast.probability': expect.any(Number),
      },
    },
  ]);
  await run(60, false);
  const records = telemetry.logs.map(({ eventName, body }) => [eventName, body]);
  expect(records).toEqual([
    [EVENT_WARNING, expect.stringMatching(/warns: failed calls .* % instead of 0\.\d % \(.* σ\)/)],
    [EVENT_CLEARED, `Predictor '${name}' no longer warns`],
  ]);
});
