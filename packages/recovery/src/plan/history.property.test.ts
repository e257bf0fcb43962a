import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RECOVERY_OUTCOMES } from '../semconv.ts';
import { errorRecord, type HistoryQuery, RecoveryHistory, type RecoveryRecord } from './history.ts';

const record = fc.record({
  operation: fc.constantFrom('a', 'b', 'c'),
  strategy: fc.constantFrom('retry', 'none'),
  outcome: fc.constantFrom(...RECOVERY_OUTCOMES),
  recoveredBy: fc.constant(undefined),
  attempts: fc.nat(5),
  startedAt: fc.nat(50),
  elapsedMs: fc.nat(50),
  error: fc.constant(undefined),
});

const query = fc.record(
  {
    operation: fc.constantFrom('a', 'b'),
    strategy: fc.constantFrom('retry', 'none'),
    outcome: fc.oneof(fc.constantFrom(...RECOVERY_OUTCOMES), fc.subarray([...RECOVERY_OUTCOMES])),
    since: fc.nat(50),
    after: fc.nat(40),
    limit: fc.nat(12),
  },
  { requiredKeys: [] },
);

describe('a recovery history', () => {
  it('returns the same records as an array that is sliced and filtered', () => {
    fc.assert(
      fc.property(fc.nat(10), fc.array(record, { maxLength: 40 }), query, (size, added, asked) => {
        const history = new RecoveryHistory(size);
        for (const one of added) history.add(one);
        const kept: RecoveryRecord[] = added
          .map((one, index) => ({ ...one, sequence: index + 1 }))
          .slice(Math.max(0, added.length - size));
        const { operation, strategy, outcome, since, after, limit } = asked as HistoryQuery;
        const found = kept
          .filter((one) => operation === undefined || one.operation === operation)
          .filter((one) => strategy === undefined || one.strategy === strategy)
          .filter((one) => outcome === undefined || [outcome].flat().includes(one.outcome))
          .filter((one) => since === undefined || one.startedAt >= since)
          .filter((one) => after === undefined || one.sequence > after);
        const last = limit === undefined ? found : found.slice(Math.max(0, found.length - limit));
        expect(history.query(asked as HistoryQuery)).toEqual(last);
      }),
    );
  });

  it.each([-1, 1.5, Number.NaN])('refuses the limit %d', (limit) => {
    expect(() => new RecoveryHistory(3).query({ limit })).toThrow(RangeError);
  });

  it.each([null, { operatoin: 'a' }])('refuses the query %o', (query) => {
    expect(() => new RecoveryHistory(3).query(query as never)).toThrow(TypeError);
  });

  it('keeps errors as text of bounded length', () => {
    expect(errorRecord(new TypeError('x'.repeat(1000)))).toEqual({
      type: 'TypeError',
      message: `${'x'.repeat(499)}…`,
    });
    expect(errorRecord('a string')).toEqual({ type: '_OTHER', message: 'a string' });
    expect(errorRecord(undefined)).toBeUndefined();
  });
});
