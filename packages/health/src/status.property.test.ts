import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contribution, HEALTH_STATUSES, judge, severity, worst } from './status.ts';

const status = fc.constantFrom(...HEALTH_STATUSES);

describe('worst', () => {
  it('returns the worst of the given statuses', () => {
    fc.assert(
      fc.property(fc.array(status, { minLength: 1 }), (statuses) => {
        const found = worst(statuses);
        expect(statuses).toContain(found);
        for (const each of statuses) expect(severity(each)).toBeLessThanOrEqual(severity(found));
      }),
    );
  });

  it('computes the worst status independently of order and grouping', () => {
    fc.assert(
      fc.property(fc.array(status), fc.array(status), (a, b) => {
        expect(worst([...a, ...b])).toBe(worst([worst(b), worst(a)]));
      }),
    );
  });

  it('reports healthy as the worst of no statuses', () => {
    expect(worst([])).toBe('healthy');
  });
});

describe('contribution', () => {
  it('limits a check that is not critical to degraded and changes nothing else', () => {
    expect(HEALTH_STATUSES.map((each) => contribution(each, false))).toEqual([
      'healthy',
      'degraded',
      'degraded',
    ]);
    expect(HEALTH_STATUSES.map((each) => contribution(each, true))).toEqual(HEALTH_STATUSES);
  });
});

describe('judge', () => {
  it('never improves as the value grows, and includes the threshold', () => {
    const number = fc.double({ min: 0, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(number, number, number, number, (a, b, degraded, more) => {
        const unhealthy = degraded + more;
        const [low, high] = a < b ? [a, b] : [b, a];
        expect(severity(judge(low, degraded, unhealthy))).toBeLessThanOrEqual(
          severity(judge(high, degraded, unhealthy)),
        );
        expect(judge(unhealthy, degraded, unhealthy)).toBe('unhealthy');
      }),
    );
  });
});
