import { DiagLogLevel, diag } from '@opentelemetry/api';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
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

const logged = vi.fn();
beforeEach(() => {
  const quiet = (): void => {};
  const logger = { error: logged, warn: logged, info: quiet, debug: quiet, verbose: quiet };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
});
afterEach(() => {
  diag.disable();
  logged.mockClear();
});

describe('an open duration', () => {
  it('lies between openDurationMs and the cap, whatever the openings and Retry-After', () => {
    fc.assert(
      fc.property(options, fc.integer({ min: 1, max: 5000 }), asked, (given, openings, askedMs) => {
        const ms = openDuration(given, event(openings, askedMs));
        expect(ms).toBeGreaterThanOrEqual(given.openDurationMs);
        expect(ms).toBeLessThanOrEqual(given.maxOpenDurationMs);
        expect(ms).toBeGreaterThanOrEqual(Math.min(askedMs ?? 0, given.maxOpenDurationMs));
      }),
    );
  });

  it('never shrinks from one opening to the next', () => {
    fc.assert(
      fc.property(options, fc.integer({ min: 1, max: 2000 }), (given, openings) => {
        expect(openDuration(given, event(openings + 1))).toBeGreaterThanOrEqual(
          openDuration(given, event(openings)),
        );
      }),
    );
  });

  it.each([
    ['NaN', () => Number.NaN],
    ['a negative number', () => -1],
    ['a promise', async () => 5],
    [
      'an error',
      () => {
        throw new Error('broken');
      },
    ],
  ])('is 60 s when the function yields %s, which is logged', (_what, compute) => {
    const given = {
      openDurationMs: compute as () => number,
      openDurationMultiplier: 1,
      maxOpenDurationMs: 600_000,
    };
    expect(openDuration(given, event(1))).toBe(60_000);
    expect(logged).toHaveBeenCalledOnce();
    expect(String(logged.mock.lastCall)).toContain('openDurationMs');
  });

  it('is capped when a function computes it', () => {
    const given = {
      openDurationMs: () => Number.POSITIVE_INFINITY,
      openDurationMultiplier: 1,
      maxOpenDurationMs: 5000,
    };
    expect(openDuration(given, event(1))).toBe(5000);
  });
});
