import { InMemoryTelemetry } from '@temper/testkit/repository';
import { expect, it } from 'vitest';
import { circuitBreaker } from './circuit-breaker.ts';

/** In its own file, because it needs a process without a provider. */
it('records no duration for a call that began before a provider was registered', async () => {
  const breaker = circuitBreaker();
  const end = Promise.withResolvers<never>();
  const running = breaker.execute(() => end.promise);
  const telemetry = new InMemoryTelemetry();
  end.reject(new Error('boom'));
  await running.catch(() => undefined);
  expect(await telemetry.value('temper.breaker.calls', { 'temper.outcome': 'failure' })).toBe(1);
  expect(await telemetry.points('temper.breaker.call.duration')).toEqual([]);
  await breaker.execute(() => 'ok');
  expect(await telemetry.points('temper.breaker.call.duration')).toHaveLength(1);
  await telemetry.close();
});
