import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { steadyStatus } from './flapping.ts';
import { HEALTH_STATUSES, severity } from './status.ts';

const statuses = fc.array(fc.constantFrom(...HEALTH_STATUSES), { maxLength: 30 });
const rule = fc
  .integer({ min: 1, max: 10 })
  .chain((of) => fc.record({ of: fc.constant(of), failures: fc.integer({ min: 1, max: of }) }));

describe('steadyStatus', () => {
  it('reports a status exactly if at least N of the last M probes were that bad', () => {
    fc.assert(
      fc.property(statuses, rule, (recent, { failures, of }) => {
        const window = recent.slice(-of);
        // Counts by the definition. With fewer than N probes all of them must agree.
        const needed = Math.min(failures, window.length);
        const asBadAs = (level: number) => window.filter((s) => severity(s) >= level).length;
        const expected =
          needed > 0 && asBadAs(2) >= needed
            ? 'unhealthy'
            : needed > 0 && asBadAs(1) >= needed
              ? 'degraded'
              : 'healthy';
        expect(steadyStatus(recent, { failures, of })).toBe(expected);
      }),
    );
  });

  it('reports the status of the last probe with the rule 1 of 1', () => {
    fc.assert(
      fc.property(statuses, (recent) => {
        expect(steadyStatus(recent, { failures: 1, of: 1 })).toBe(recent.at(-1) ?? 'healthy');
      }),
    );
  });

  it('never reports healthy for a check that has always failed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), rule, (count, given) => {
        const recent = new Array<'unhealthy'>(count).fill('unhealthy');
        expect(steadyStatus(recent, given)).toBe('unhealthy');
      }),
    );
  });

  it('does not modify the list of statuses', () => {
    const recent = ['healthy', 'unhealthy', 'degraded'] as const;
    steadyStatus(recent, { failures: 2, of: 3 });
    expect(recent).toEqual(['healthy', 'unhealthy', 'degraded']);
  });
});
