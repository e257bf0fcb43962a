import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SavedCalls, Window } from './window.ts';
import { CallWindow, ConsecutiveFailures, createWindow, TimeWindow } from './windows.ts';

interface Call {
  readonly failed: boolean;
  readonly slow: boolean;
  /** Since the call before, in milliseconds. */
  readonly afterMs: number;
}

const call = fc.record<Call>({
  failed: fc.boolean(),
  slow: fc.boolean(),
  afterMs: fc.oneof(fc.constant(0), fc.nat(30), fc.nat(3000)),
});
const calls = fc.array(call, { maxLength: 200 });

interface Recorded extends Call {
  readonly at: number;
}

const sum = (list: readonly Recorded[]) => ({
  calls: list.length,
  failures: list.filter((one) => one.failed).length,
  slow: list.filter((one) => one.slow).length,
});

/** Records the calls, and compares with the list model after each. */
function follow(
  window: Window,
  list: readonly Call[],
  expected: (all: readonly Recorded[], now: number) => object,
  start = 1000.25,
): void {
  const all: Recorded[] = [];
  let now = start;
  for (const one of list) {
    now += one.afterMs;
    window.record(one.failed, one.slow, now);
    all.push({ ...one, at: now });
    expect(window.counts(now)).toEqual(expected(all, now));
  }
}

describe('a window of calls', () => {
  it('counts the last calls', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), calls, (size, list) => {
        follow(new CallWindow(size), list, (all) => sum(all.slice(-size)));
      }),
    );
  });
});

describe('failures in a row', () => {
  it('are those since the last success', () => {
    fc.assert(
      fc.property(calls, (list) => {
        follow(new ConsecutiveFailures(), list, (all) => {
          const since = all.slice(all.findLastIndex((one) => !one.failed) + 1);
          return { calls: since.length, failures: since.length, slow: 0 };
        });
      }),
    );
  });
});

describe('a window of time', () => {
  const shape = fc.record({
    buckets: fc.integer({ min: 2, max: 12 }),
    durationMs: fc.integer({ min: 10, max: 5000 }),
  });

  it('counts the calls of its buckets', () => {
    fc.assert(
      fc.property(shape, calls, ({ buckets, durationMs }, list) => {
        const bucketMs = durationMs / buckets;
        const bucketOf = (at: number): number => Math.floor(at / bucketMs);
        follow(new TimeWindow(durationMs, buckets), list, (all, now) =>
          sum(all.filter((one) => bucketOf(one.at) > bucketOf(now) - buckets)),
        );
      }),
    );
  });

  it('contains no call older than durationMs, and all younger than that less a bucket', () => {
    fc.assert(
      fc.property(shape, calls, fc.nat(6000), ({ buckets, durationMs }, list, restMs) => {
        const window = new TimeWindow(durationMs, buckets);
        const all: Recorded[] = [];
        let now = 7;
        for (const one of list) {
          now += one.afterMs;
          window.record(one.failed, one.slow, now);
          all.push({ ...one, at: now });
        }
        now += restMs;
        const { calls: counted } = window.counts(now);
        const youngerThan = (ms: number): number => all.filter((one) => now - one.at < ms).length;
        expect(counted).toBeLessThanOrEqual(youngerThan(durationMs));
        expect(counted).toBeGreaterThanOrEqual(youngerThan(durationMs - durationMs / buckets));
      }),
    );
  });
});

describe('a window of time after a long silence', () => {
  it('expires all buckets at once', () => {
    const window = new TimeWindow(10, 2);
    window.record(true, true, 0);
    window.record(true, false, 1e15);
    expect(window.counts(1e15)).toEqual({ calls: 1, failures: 1, slow: 0 });
  });
});

describe('any window', () => {
  const options = fc.oneof(
    fc.constant(undefined),
    fc.record({ calls: fc.integer({ min: 1, max: 50 }) }),
    fc.record({
      durationMs: fc.integer({ min: 10, max: 9000 }),
      buckets: fc.integer({ min: 2, max: 9 }),
    }),
  );

  it('is empty after a reset and then equals a new one', () => {
    fc.assert(
      fc.property(options, calls, calls, (option, before, after) => {
        const used = createWindow(option);
        follow(used, before, () => expect.anything() as object);
        used.reset();
        const end = 1000.25 + before.reduce((ms, one) => ms + one.afterMs, 0);
        expect(used.counts(end)).toEqual({ calls: 0, failures: 0, slow: 0 });
        const fresh = createWindow(option);
        follow(
          used,
          after,
          (all, now) => {
            const last = all.at(-1) as Recorded;
            fresh.record(last.failed, last.slow, now);
            return fresh.counts(now);
          },
          end,
        );
      }),
    );
  });

  it('is restored from its saved form in a process with another clock', () => {
    fc.assert(
      fc.property(
        options,
        calls,
        fc.double({ min: 0, max: 500, noNaN: true }),
        (option, list, at) => {
          const window = createWindow(option);
          let now = 123_456.5;
          for (const one of list) {
            now += one.afterMs;
            window.record(one.failed, one.slow, now);
          }
          const restored = createWindow(option);
          restored.load(JSON.parse(JSON.stringify(window.save(now))), at);
          expect(restored.counts(at)).toEqual(window.counts(now));
          // The restored calls expire in time.
          if (restored instanceof TimeWindow) {
            expect(restored.counts(at + 20_000)).toEqual({ calls: 0, failures: 0, slow: 0 });
          }
        },
      ),
    );
  });
});

describe('a saved window of time', () => {
  it('ages between save and load', () => {
    const window = new TimeWindow(1000, 10);
    window.record(true, false, 50);
    window.record(false, true, 950);
    const saved = window.save(950);
    const restored = new TimeWindow(1000, 10);
    const aged = (byMs: number): SavedCalls[] =>
      saved.map(([age, ...counts]) => [age + byMs, ...counts]);
    restored.load(aged(500), 5);
    expect(restored.counts(5)).toEqual({ calls: 1, failures: 0, slow: 1 });
    restored.reset();
    restored.load(aged(5000), 5);
    expect(restored.counts(5)).toEqual({ calls: 0, failures: 0, slow: 0 });
  });
});
