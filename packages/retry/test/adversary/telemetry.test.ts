import { diag, metrics, trace } from '@opentelemetry/api';
import { ManualClock } from '@temper/testkit/clock';
import { boundOf } from '@temper/testkit/repository/boundaries';
import { afterEach, expect, it } from 'vitest';
import { retry } from '../../src/retry.ts';

let thrown = 0;
const refuse = (): never => {
  thrown++;
  throw new Error('a back end that is down');
};
/** Each of its methods throws, and returns nothing that could be used. */
const hostile: unknown = new Proxy(() => {}, {
  get: (_, name) => (typeof name === 'symbol' || name === 'then' ? undefined : hostile),
  apply: refuse,
});
/** A provider that gives out what throws. */
const giving = (method: string) => ({ [method]: () => hostile });

afterEach(() => {
  for (const api of [trace, metrics, diag]) api.disable();
});

it('calls succeed and fail as without a back end, when all of its methods throw', async () => {
  trace.setGlobalTracerProvider(giving('getTracer') as never);
  metrics.setGlobalMeterProvider(giving('getMeter') as never);
  const [error, warn, info, debug, verbose] = Array(5).fill(refuse) as (() => never)[];
  diag.setLogger({ error, warn, info, debug, verbose } as never, { suppressOverrideMessage: true });
  const clock = new ManualClock();
  const policy = retry({ clock, maxAttempts: 2, name: 'hostile back end' });
  let failed = 0;
  for (let i = 0; i < 100; i++) {
    let calls = 0;
    const call = policy.execute(() => {
      calls++;
      if (calls === 1) throw Object.assign(new Error('no route'), { code: 'ECONNREFUSED' });
      return i;
    });
    await clock.runUntil(call.then((value) => expect(value).toBe(i)).catch(() => failed++));
  }
  expect(thrown).toBeGreaterThan(0);
  expect(failed).toBe(boundOf('telemetry.throws'));
  expect(policy.stats()).toMatchObject({ operations: { recovered: 100 } });
});
