import { temperMetricProducer } from '@temper/core';
import { InMemoryTelemetry, ManualClock } from '@temper/testkit';
import { expect, it } from 'vitest';
import { circuitBreaker } from './breaker.ts';

/** In a file of its own, as the producer is for the whole process and for good. */
it('measures how long calls take in buckets of our own, where a reader asks for them', async () => {
  const telemetry = new InMemoryTelemetry({ metricProducers: [temperMetricProducer()] });
  const clock = new ManualClock();
  await circuitBreaker({ name: 'payments', clock }).execute(() => clock.jump(30));
  const [point] = await telemetry.points('temper.breaker.call.duration');
  expect(point?.attributes).toEqual({
    'temper.policy.name': 'payments',
    'temper.outcome': 'success',
  });
  expect(point?.value).toMatchObject({ count: 1, sum: 0.03 });
  await telemetry.close();
});
