import { CircuitOpenError } from '@temper/breaker';
import type { OperationEvent } from '@temper/parsercraft-handlers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { percentile, Tally } from './tally.ts';

const event = (over: Partial<OperationEvent>): OperationEvent => ({
  operation: 'fetch_package',
  resource: 'std.math@^1.0.0',
  status: 'success',
  durationMs: 10,
  attempts: 1,
  ...over,
});

describe('Tally', () => {
  it('counts successes, degraded answers, rejections and failures of a phase separately', () => {
    const tally = new Tally('outage');
    const open = new CircuitOpenError('registry_fetch', { state: 'open', retryAfterMs: 100 });
    tally.add(event({ durationMs: 5 }));
    tally.add(event({ status: 'failure', attempts: 3, error: new Error('gone'), durationMs: 300 }));
    tally.add(event({ status: 'degraded', attempts: 0, error: open, durationMs: 1 }));
    tally.add(event({ status: 'failure', attempts: 0, error: open, durationMs: 1 }));
    tally.add(event({ status: 'aborted' }));
    expect(tally.result(4)).toMatchObject({
      name: 'outage',
      calls: 4,
      successes: 1,
      degraded: 1,
      failures: 1,
      rejections: 2,
      attempts: 4,
      p50Ms: 1,
      p99Ms: 300,
      operations: { fetch_package: 4 },
    });
  });

  it('has no percentiles when a phase had no calls', () => {
    expect(new Tally('empty').result(1)).toMatchObject({ calls: 0, p50Ms: undefined });
  });
});

describe('percentile', () => {
  it('returns a value of the list with at most the given share of values below it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, share) => {
          const sorted = values.toSorted((a, b) => a - b);
          const found = percentile(sorted, share) as number;
          expect(sorted).toContain(found);
          const below = sorted.filter((one) => one < found).length;
          expect(below).toBeLessThanOrEqual(Math.ceil(share * sorted.length));
        },
      ),
    );
  });
});
