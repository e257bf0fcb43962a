import { temperMetricProducer } from '@temper/core';
import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { expect, it } from 'vitest';
import { circuitBreaker } from './circuit-breaker.ts';

/** In its own file, because a producer is installed for the whole process. */
it('records durations in own buckets where a metric producer reads them', async () => {
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
