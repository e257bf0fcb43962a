import { ManualClock, settle } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { boundOf } from '@temper/testkit/repository/boundaries';
import { expect, it } from 'vitest';
import { keyed, tokenBucket } from '../../src/index.ts';
import { RATELIMIT_METRICS } from '../../src/semconv.ts';

it('keys, operations and messages of clients make no series', async () => {
  const telemetry = new InMemoryTelemetry();
  const clock = new ManualClock();
  const limiter = keyed({
    name: 'exploding',
    clock,
    maxKeys: 100,
    template: tokenBucket({ limit: 1, burst: 1 }),
  });
  for (let i = 0; i < 10_000; i++) {
    const options = { key: `key ${i}`, operation: `GET /${i}`, maxWaitMs: 0 } as const;
    await limiter
      .execute(() => {
        throw new Error(`message ${i}`);
      }, options as never)
      .catch(() => undefined);
    limiter.tryAcquire({ key: `key ${i}` });
  }
  await settle();
  let series = 0;
  for (const { name } of Object.values(RATELIMIT_METRICS)) {
    const points = (await telemetry.points(name)) ?? [];
    series += points.filter(
      ({ attributes }) => attributes['temper.policy.name'] === 'exploding',
    ).length;
  }
  expect(series).toBeGreaterThan(0);
  expect(series).toBeLessThanOrEqual(boundOf('telemetry.series'));
  limiter[Symbol.dispose]();
  telemetry.close();
});
