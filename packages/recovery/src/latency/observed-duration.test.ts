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
  it.each([
    [0.5, 20],
    [0.95, 20],
    [0.98, 50],
    [0.99, 100],
    [0.9999, 1000],
    [1, 1000],
  ])('waits for as many calls as its quantile is of, by default: %d, %d', (quantile, calls) => {
    const after = (count: number): number => {
      const { observed } = make({ quantile, maxMs: 1000 });
      for (let i = 0; i < count; i++) observed.record(50);
      return observed.current();
    };
    expect(after(calls - 1)).toBe(1000);
    expect(after(calls)).toBeLessThan(100);
  });

  it('is initialMs until there are enough observations', () => {
    const { observed } = make({ initialMs: 300, minSamples: 3 });
    observed.record(10);
    observed.record(10);
    expect(observed.current()).toBe(300);
    observed.record(10);
    expect(observed.current()).toBeLessThan(12);
  });

  it('is maxMs by default until there are enough observations', () => {
    expect(make().observed.current()).toBe(1000);
  });

  it('is the quantile times the factor, within its bounds', () => {
    const { observed } = make({ factor: 2, minMs: 50, minSamples: 1 });
    for (let i = 0; i < 100; i++) observed.record(100);
    expect(observed.current()).toBeGreaterThanOrEqual(200);
    expect(observed.current()).toBeLessThanOrEqual(221);
    for (let i = 0; i < 10_000; i++) observed.record(1);
    expect(observed.current()).toBe(50);
    for (let i = 0; i < 100_000; i++) observed.record(5000);
    expect(observed.current()).toBe(1000);
  });

  it('ignores observations older than the window', async () => {
    const { clock, observed } = make({ minSamples: 1, initialMs: 500, windowMs: 6000 });
    observed.record(10);
    expect(observed.current()).toBeLessThan(12);
    await clock.advance(8000);
    expect(observed.current()).toBe(500);
  });

  it('grows by half at a time while more calls are cut off than the quantile allows, up to maxMs', () => {
    const { observed } = make({ quantile: 0.9, minSamples: 10 });
    for (let i = 0; i < 80; i++) observed.record(100);
    const from = observed.current();
    for (let i = 0; i < 8; i++) {
      observed.recordCutOff(observed.current());
      observed.record(100);
    }
    expect(observed.current()).toBeLessThan(112); // 8 of 96: the quantile is still known
    const seen = [from];
    for (let i = 0; i < 200; i++) {
      observed.recordCutOff(observed.current());
      observed.record(100);
      const now = observed.current();
      if (now !== seen.at(-1)) seen.push(now);
    }
    for (const [i, value] of seen.slice(1).entries()) {
      expect(value).toBe(Math.min(1000, (seen[i] as number) * 1.5));
    }
    expect(seen.at(-1)).toBe(1000);
    for (let i = 0; i < 3000; i++) observed.record(100);
    expect(observed.current()).toBeLessThan(112);
  });

  it.each([
    [0.5, 10],
    [0.9, 3],
    [0.95, 3],
    [0.999, 3],
    [1, 3],
  ])('at a quantile of %d grows at once after %d calls cut off in a row', (quantile, run) => {
    const { observed } = make({ quantile, minSamples: 10 });
    for (let i = 0; i < 100_000; i++) observed.record(20);
    const from = observed.current();
    for (let i = 1; i < run; i++) observed.recordCutOff(from);
    observed.record(20);
    for (let i = 1; i < run; i++) observed.recordCutOff(from);
    if (quantile < 0.999) expect(observed.current()).toBe(from);
    observed.recordCutOff(observed.current());
    const risen = observed.current();
    expect(risen).toBeGreaterThanOrEqual(from * 1.5);
    observed.recordCutOff(risen);
    expect(observed.current()).toBe(risen * 1.5);
    for (let i = 0; i < 4; i++) observed.record(25);
    expect(observed.current()).toBe(risen * 1.5); // until there are enough observations
    for (let i = 0; i < 1000; i++) observed.record(25);
    if (quantile < 1) expect(observed.current()).toBeLessThan(28); // and the old ones do not count
  });

  it('grows once when calls that began together are cut off together, as by a stalled event loop', () => {
    const { observed } = make();
    for (let i = 0; i < 1000; i++) observed.record(20);
    const from = observed.current();
    for (let i = 0; i < 500; i++) observed.recordCutOff(from);
    expect(observed.current()).toBe(from * 1.5);
    for (let i = 0; i < 500; i++) observed.record(20);
    for (let i = 0; i < 10_000; i++) observed.record(20);
    expect(observed.current()).toBe(from);
  });

  it('tells the share of calls that were cut off', () => {
    const { observed } = make();
    expect(observed.cutOffShare).toBe(0);
    for (let i = 0; i < 3; i++) observed.record(20);
    observed.recordCutOff(1000);
    expect(observed.cutOffShare).toBe(0.25);
  });

  it.each<[Partial<ObservedDurationOptions>]>([
    [{ minMs: Number.MIN_VALUE, maxMs: Number.MAX_VALUE, factor: Number.MAX_VALUE }],
    [{ minMs: Number.MIN_VALUE, factor: Number.MIN_VALUE }],
    [{ maxMs: Number.MAX_VALUE }],
    [{ quantile: Number.MIN_VALUE }],
    [{ quantile: 1 - Number.EPSILON / 2 }],
    [{ windowMs: Number.MAX_VALUE }],
  ])('stays within its bounds and can grow with %o', (options) => {
    const { observed } = make({ minSamples: 1, ...options });
    const { minMs = 1, maxMs = 1000, quantile = 0.95 } = options;
    for (let i = 0; i < 2000; i++) {
      if (i % 2 === 0) observed.record(i % 3 === 0 ? 1e300 : 0);
      else for (let j = 0; j < 20; j++) observed.recordCutOff(observed.current());
      const now = observed.current();
      expect(now).toBeGreaterThanOrEqual(minMs);
      expect(now).toBeLessThanOrEqual(maxMs);
    }
    for (let i = 0; i < 10_000; i++) observed.recordCutOff(observed.current());
    if (quantile > 0.5) expect(observed.current()).toBeGreaterThan(500);
  });

  it('takes few distinct values, so that equal ones share a queue', () => {
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

  it('bounds the number of queues, and still expires what waits in dropped ones', async () => {
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

  it('refuses unknown options', () => {
    expect(() => make({ max: 1 } as never)).toThrow("owner: unknown option 'max'");
  });
});
