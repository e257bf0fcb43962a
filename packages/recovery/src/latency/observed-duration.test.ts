import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { DelayQueues } from './delay-queues.ts';
import { ObservedDuration, type ObservedDurationOptions } from './observed-duration.ts';

function make(options: Partial<ObservedDurationOptions> = {}) {
  const clock = new ManualClock();
  const observed = new ObservedDuration(
    'owner',
    { quantile: 0.95, maxMs: 1000, ...options },
    clock,
  );
  return { clock, observed };
}

describe('an observed duration', () => {
  it('is the initial one until there are enough observations', () => {
    const { observed } = make({ initialMs: 300, minSamples: 3 });
    observed.record(10);
    observed.record(10);
    expect(observed.current()).toBe(300);
    observed.record(10);
    expect(observed.current()).toBeLessThan(12);
  });

  it('is the longest one where no initial one is given', () => {
    expect(make().observed.current()).toBe(1000);
  });

  it('follows the quantile, times the factor, within its bounds', () => {
    const { observed } = make({ factor: 2, minMs: 50, minSamples: 1 });
    for (let i = 0; i < 100; i++) observed.record(100);
    expect(observed.current()).toBeGreaterThanOrEqual(200);
    expect(observed.current()).toBeLessThanOrEqual(221);
    for (let i = 0; i < 10_000; i++) observed.record(1);
    expect(observed.current()).toBe(50);
    for (let i = 0; i < 100_000; i++) observed.record(5000);
    expect(observed.current()).toBe(1000);
  });

  it('forgets what is old', async () => {
    const { clock, observed } = make({ minSamples: 1, initialMs: 500, windowMs: 6000 });
    observed.record(10);
    expect(observed.current()).toBeLessThan(12);
    await clock.advance(8000);
    expect(observed.current()).toBe(500);
  });

  it('takes few values, so that equal ones share a queue', () => {
    const { clock, observed } = make({ minSamples: 1 });
    const queues = new DelayQueues(clock);
    const seen = new Set<unknown>();
    for (let i = 0; i < 2000; i++) {
      observed.record(0.1 + i / 2);
      seen.add(queues.of(observed.current()));
    }
    expect(seen.size).toBeLessThan(100);
    expect(queues.of(7)).toBe(queues.of(7));
  });

  it('does not keep more queues than it may, and those it lets go still come due', async () => {
    const clock = new ManualClock();
    const queues = new DelayQueues(clock);
    const first = queues.of(1);
    let due = false;
    first.add(() => {
      due = true;
    });
    for (let ms = 2; ms < 400; ms++) queues.of(ms);
    expect(queues.of(1)).not.toBe(first);
    await clock.advance(1);
    expect(due).toBe(true);
  });

  it.each([
    [{ quantile: 0 }, 'owner: quantile must be a number > 0 and <= 1, got 0.'],
    [{ quantile: 1.1 }, 'owner: quantile must be a number > 0 and <= 1, got 1.1.'],
    [{ factor: 0 }, 'owner: factor must be a finite number > 0, got 0.'],
    [{ minMs: 0 }, 'owner: minMs must be a finite number > 0, got 0.'],
    [{ minMs: 50, maxMs: 40 }, 'owner: maxMs must be a finite number >= 50, got 40.'],
    [{ initialMs: 2000 }, 'owner: initialMs must be a number from 1 to 1000, got 2000.'],
    [{ minSamples: 1.5 }, 'owner: minSamples must be an integer >= 1, got 1.5.'],
    [{ windowMs: 99 }, 'owner: windowMs must be a finite number >= 100, got 99.'],
    [{ windowMs: Number.NaN }, 'owner: windowMs must be a finite number >= 100, got NaN.'],
  ])('refuses %o', (options, message) => {
    expect(() => make(options)).toThrow(message);
  });

  it('refuses an option that does not exist', () => {
    expect(() => make({ max: 1 } as never)).toThrow("owner: unknown option 'max'");
  });
});
