import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HEALTH_STATUSES, judge, severity, weighed, worst } from './status.ts';

const status = fc.constantFrom(...HEALTH_STATUSES);

describe('worst', () => {
  it('is one of them, and none is worse', () => {
    fc.assert(
      fc.property(fc.array(status, { minLength: 1 }), (statuses) => {
        const found = worst(statuses);
        expect(statuses).toContain(found);
        for (const each of statuses) expect(severity(each)).toBeLessThanOrEqual(severity(found));
      }),
    );
  });

  it('does not depend on order or grouping', () => {
    fc.assert(
      fc.property(fc.array(status), fc.array(status), (a, b) => {
        expect(worst([...a, ...b])).toBe(worst([worst(b), worst(a)]));
      }),
    );
  });

  it('is healthy for nothing at all', () => {
    expect(worst([])).toBe('healthy');
  });
});

describe('weighed', () => {
  it('caps a check that is not critical at degraded, and changes nothing else', () => {
    expect(HEALTH_STATUSES.map((each) => weighed(each, false))).toEqual([
      'healthy',
      'degraded',
      'degraded',
    ]);
    expect(HEALTH_STATUSES.map((each) => weighed(each, true))).toEqual(HEALTH_STATUSES);
  });
});

describe('judge', () => {
  it('never gets better as the value grows, and counts a limit as reached', () => {
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
