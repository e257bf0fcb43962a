import { describe, expect, it } from 'vitest';
import { retry } from './retry.ts';

describe('what a retry tells a composer', () => {
  it('is the least that it waits, whatever the jitter', () => {
    const least = (jitter: 'none' | 'full' | 'equal' | 'decorrelated' | { ratio: number }) =>
      retry({ initialDelayMs: 100, jitter }).describe().firstDelayMs;
    expect(least('none')).toBe(100);
    expect(least('full')).toBe(0);
    expect(least('equal')).toBe(50);
    expect(least('decorrelated')).toBe(100);
    expect(least({ ratio: 0.2 })).toBeCloseTo(80);
  });

  it('is whether it repeats, and how long it gives an attempt', () => {
    expect(retry({ maxAttempts: 1 }).describe()).toMatchObject({ kind: 'retry', repeats: false });
    expect(retry({ attemptTimeoutMs: 7 }).describe()).toMatchObject({
      repeats: true,
      attemptTimeoutMs: 7,
    });
  });

  it('says nothing of a delay that is computed', () => {
    expect(retry({ delay: () => 5 }).describe().firstDelayMs).toBeUndefined();
  });
});
