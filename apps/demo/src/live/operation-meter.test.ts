import type { OperationEvent, OperationName } from '@temper/parsercraft-handlers';
import { concurrency } from '@temper/ratelimit';
import { describe, expect, it } from 'vitest';
import { OperationMeter } from './operation-meter.ts';

const event = (
  over: Partial<OperationEvent<OperationName>> = {},
): OperationEvent<OperationName> => ({
  operation: 'fetch_package',
  resource: 'std.math',
  status: 'success',
  durationMs: 10,
  attempts: 1,
  ...over,
});

describe('OperationMeter', () => {
  it('computes percentiles over ten seconds, so that they differ with few calls per second', () => {
    const meter = new OperationMeter();
    for (let second = 1; second <= 10; second++) {
      meter.add(event({ durationMs: second }));
      meter.add(event({ durationMs: second * 100 }));
      meter.take();
    }
    meter.add(event({ durationMs: 5 }));
    // The calls of the first second are over ten seconds old.
    expect(meter.take().fetch_package).toMatchObject({
      calls: 1,
      p50Ms: 10,
      p90Ms: 900,
      p99Ms: 1000,
    });
  });

  it('forgets latencies after ten seconds, also of seconds without a call', () => {
    const meter = new OperationMeter();
    meter.add(event({ durationMs: 700 }));
    for (let second = 0; second < 10; second++) meter.take();
    meter.add(event({ durationMs: 5 }));
    expect(meter.take().fetch_package).toMatchObject({ p50Ms: 5, p99Ms: 5 });
  });

  it('counts every refusal by a policy as a rejection, that of a bulkhead too', async () => {
    const bulkhead = concurrency({ name: 'one', limit: 1, maxQueue: 0 });
    const held = Promise.withResolvers<void>();
    const first = bulkhead.execute(() => held.promise);
    const error: unknown = await bulkhead.execute(() => 1).catch((reason: unknown) => reason);
    held.resolve();
    await first;
    const meter = new OperationMeter();
    meter.add(event({ status: 'failure', error }));
    meter.add(event({ status: 'failure', error: new Error('gone') }));
    expect(meter.take().fetch_package).toMatchObject({ calls: 2, rejections: 1, failures: 1 });
  });

  it('counts a mistake of the caller as answered, and not as a failure', () => {
    const meter = new OperationMeter();
    const error = new SyntaxError('expected )');
    meter.add(event({ status: 'failure', error, isCallersFault: true }));
    meter.add(event({ status: 'failure', error }));
    expect(meter.totals()).toEqual({ fetch_package: { success: 1, failure: 1 } });
    expect(meter.take().fetch_package).toMatchObject({ calls: 2, successes: 1, failures: 1 });
  });
});
