import { describe, expect, it } from 'vitest';
import { ServerLimits } from './server-limits.ts';

const announce = (remaining: number, resetMs: number, key = 'a') => ({ key, remaining, resetMs });

describe('ServerLimits', () => {
  it('lets every call pass until a limit is announced', () => {
    const limits = new ServerLimits();
    for (let i = 0; i < 100; i++) expect(limits.take(1, 0)).toBe(0);
    expect(limits.remaining(0)).toBeUndefined();
  });

  it('lets the remaining calls pass, then waits for the reset', () => {
    const limits = new ServerLimits();
    limits.take(1, 0);
    limits.update(1, [announce(2, 1000)], 100);
    expect(limits.take(1, 100)).toBe(0);
    expect(limits.take(1, 100)).toBe(0);
    expect(limits.take(1, 100)).toBe(1000);
    expect(limits.take(1, 600)).toBe(500);
  });

  it('subtracts calls that passed after the announcement', () => {
    const limits = new ServerLimits();
    for (let i = 0; i < 3; i++) limits.take(1, 0);
    limits.update(1, [announce(5, 1000)], 10);
    expect(limits.remaining(10)).toBe(3);
    limits.update(3, [announce(4, 1000)], 20);
    expect(limits.remaining(20)).toBe(4);
    limits.update(2, [announce(9, 1000)], 30);
    expect(limits.remaining(30)).toBe(4);
  });

  it('sends one probe after the reset, and the next one only after the same time again', () => {
    const limits = new ServerLimits();
    limits.take(1, 0);
    limits.update(1, [announce(0, 1000)], 0);
    expect(limits.take(1, 1000)).toBe(0);
    expect(limits.take(1, 1000)).toBe(1000);
    expect(limits.take(1, 1999)).toBe(1);
    expect(limits.take(1, 2000)).toBe(0);
    limits.update(3, [announce(7, 1000)], 2000);
    expect(limits.remaining(2000)).toBe(7);
  });

  it('removes a limit that is not announced any more', () => {
    const limits = new ServerLimits();
    limits.take(1, 0);
    limits.update(1, [announce(0, 1000)], 0);
    limits.take(1, 1000);
    limits.update(2, [], 1000);
    for (let i = 0; i < 10; i++) expect(limits.take(1, 1000)).toBe(0);
  });

  it('keeps limits apart and follows the strictest', () => {
    const limits = new ServerLimits();
    limits.take(1, 0);
    limits.update(1, [announce(5, 10_000, 'day'), announce(1, 100, 'second')], 0);
    expect(limits.take(1, 0)).toBe(0);
    expect(limits.take(1, 0)).toBe(100);
    expect(limits.remaining(0)).toBe(0);
    expect(limits.take(1, 100)).toBe(0);
  });

  it('keeps a bounded number of limits, the latest ones', () => {
    const limits = new ServerLimits();
    limits.take(1, 0);
    for (let i = 0; i < 10_000; i++) limits.update(1, [announce(0, i + 1, `limit-${i}`)], 0);
    // Only the 64 announced last are in force.
    expect(limits.wait(0)).toBe(10_000);
    expect(limits.wait(9999)).toBe(1);
    const names = Array.from({ length: 500 }, (_, i) => announce(5, 1000, `other-${i}`));
    limits.update(1, names, 0);
    expect(limits.take(1, 0)).toBe(0);
  });
});
