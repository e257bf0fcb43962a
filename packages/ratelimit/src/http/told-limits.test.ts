import { describe, expect, it } from 'vitest';
import { ToldLimits } from './told-limits.ts';

const tell = (remaining: number, resetMs: number, key = 'a') => ({ key, remaining, resetMs });

describe('what a server has told', () => {
  it('lets everything go until something is told', () => {
    const told = new ToldLimits();
    for (let i = 0; i < 100; i++) expect(told.take(1, 0)).toBe(0);
    expect(told.remaining(0)).toBeUndefined();
  });

  it('lets as many go as are left, and then waits for the reset', () => {
    const told = new ToldLimits();
    told.take(1, 0);
    told.hear(1, [tell(2, 1000)], 100);
    expect(told.take(1, 100)).toBe(0);
    expect(told.take(1, 100)).toBe(0);
    expect(told.take(1, 100)).toBe(1000);
    expect(told.take(1, 600)).toBe(500);
  });

  it('takes calls that were let go later for not yet counted', () => {
    const told = new ToldLimits();
    for (let i = 0; i < 3; i++) told.take(1, 0);
    told.hear(1, [tell(5, 1000)], 10);
    expect(told.remaining(10)).toBe(3);
    told.hear(3, [tell(4, 1000)], 20);
    expect(told.remaining(20)).toBe(4);
    told.hear(2, [tell(9, 1000)], 30);
    expect(told.remaining(30)).toBe(4);
  });

  it('sends one ahead when the reset has passed, and another only after as long again', () => {
    const told = new ToldLimits();
    told.take(1, 0);
    told.hear(1, [tell(0, 1000)], 0);
    expect(told.take(1, 1000)).toBe(0);
    expect(told.take(1, 1000)).toBe(1000);
    expect(told.take(1, 1999)).toBe(1);
    expect(told.take(1, 2000)).toBe(0);
    told.hear(3, [tell(7, 1000)], 2000);
    expect(told.remaining(2000)).toBe(7);
  });

  it('forgets a limit that is told no more', () => {
    const told = new ToldLimits();
    told.take(1, 0);
    told.hear(1, [tell(0, 1000)], 0);
    told.take(1, 1000);
    told.hear(2, [], 1000);
    for (let i = 0; i < 10; i++) expect(told.take(1, 1000)).toBe(0);
  });

  it('keeps limits apart and obeys the strictest', () => {
    const told = new ToldLimits();
    told.take(1, 0);
    told.hear(1, [tell(5, 10_000, 'day'), tell(1, 100, 'second')], 0);
    expect(told.take(1, 0)).toBe(0);
    expect(told.take(1, 0)).toBe(100);
    expect(told.remaining(0)).toBe(0);
    expect(told.take(1, 100)).toBe(0);
  });
});
