import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { openDuration } from './open-duration.ts';

const options = fc
  .record({
    openDurationMs: fc.nat(100_000),
    openDurationMultiplier: fc.double({ min: 1, max: 10, noNaN: true }),
    extra: fc.nat(1_000_000),
  })
  .map(({ extra, ...rest }) => ({ ...rest, maxOpenDurationMs: rest.openDurationMs + extra }));
const asked = fc.oneof(fc.constant(undefined), fc.double({ min: 0, max: 1e12, noNaN: true }));
const event = (openings: number, retryAfterMs?: number) => ({
  policy: 'p',
  openings,
  failure: undefined,
  retryAfterMs,
});
const never = (): never => {
  throw new Error('reported');
};

describe('an open duration', () => {
  it('lies between the first duration and the cap, however often and however long was asked', () => {
    fc.assert(
      fc.property(options, fc.integer({ min: 1, max: 5000 }), asked, (given, openings, askedMs) => {
        const ms = openDuration(given, event(openings, askedMs), never);
        expect(ms).toBeGreaterThanOrEqual(given.openDurationMs);
        expect(ms).toBeLessThanOrEqual(given.maxOpenDurationMs);
        expect(ms).toBeGreaterThanOrEqual(Math.min(askedMs ?? 0, given.maxOpenDurationMs));
      }),
    );
  });

  it('never shrinks from one opening to the next', () => {
    fc.assert(
      fc.property(options, fc.integer({ min: 1, max: 2000 }), (given, openings) => {
        expect(openDuration(given, event(openings + 1), never)).toBeGreaterThanOrEqual(
          openDuration(given, event(openings), never),
        );
      }),
    );
  });

  it.each([Number.NaN, -1, undefined as unknown as number])(
    'is a minute, and a report, when the function answers %s',
    (answer) => {
      const report = vi.fn();
      const given = {
        openDurationMs: () => answer,
        openDurationMultiplier: 1,
        maxOpenDurationMs: 600_000,
      };
      expect(openDuration(given, event(1), report)).toBe(60_000);
      expect(report).toHaveBeenCalledExactlyOnceWith(
        new RangeError(`'p': openDurationMs must return a number >= 0, got ${answer}.`),
      );
    },
  );

  it('is a minute, and a report, when the function throws', () => {
    const report = vi.fn();
    const broken = new Error('broken');
    const openDurationMs = (): never => {
      throw broken;
    };
    const given = { openDurationMs, openDurationMultiplier: 1, maxOpenDurationMs: 600_000 };
    expect(openDuration(given, event(1), report)).toBe(60_000);
    expect(report).toHaveBeenCalledExactlyOnceWith(broken);
  });

  it('holds a function to the cap', () => {
    const given = {
      openDurationMs: () => Number.POSITIVE_INFINITY,
      openDurationMultiplier: 1,
      maxOpenDurationMs: 5000,
    };
    expect(openDuration(given, event(1), never)).toBe(5000);
  });
});
