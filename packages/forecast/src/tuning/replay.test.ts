import { describe, expect, it } from 'vitest';
import {
  type RecordedCall,
  replay,
  type Trace,
  type TryResult,
  type TuningSettings,
} from './index.ts';

type Short = readonly [
  attempt: number,
  hedge: number,
  atMs: number,
  tookMs: number,
  result: TryResult,
];

/** So many calls of each kind. */
function traceOf(
  settings: TuningSettings,
  ...kinds: readonly (readonly [calls: number, ok: boolean, ...tries: Short[]])[]
): Trace {
  const calls = kinds.flatMap(([count, ok, ...shorts]) => {
    const tries = shorts.map(([attempt, hedge, atMs, tookMs, result]) => ({
      attempt,
      hedge,
      atMs,
      tookMs,
      result,
    }));
    const tookMs = Math.max(
      0,
      ...tries.filter(({ result }) => result !== 'lost').map((one) => one.atMs + one.tookMs),
    );
    const call: RecordedCall = { at: 0, tookMs, ok, refused: tries.length === 0, tries };
    return Array.from({ length: count }, () => call);
  });
  return { name: 'trace', settings, calls };
}

const THREE = { maxAttempts: 3, initialDelayMs: 100, attemptTimeoutMs: 1000 };
const answered: Short = [1, 1, 0, 50, 'answered'];

describe('a replay', () => {
  it('of fewer attempts is exact: what came after them did not happen', () => {
    const trace = traceOf(
      THREE,
      [900, true, answered],
      [60, true, [1, 1, 0, 50, 'failed'], [2, 1, 150, 50, 'answered']],
      [40, false, [1, 1, 0, 50, 'failed'], [2, 1, 150, 50, 'failed'], [3, 1, 400, 50, 'failed']],
    );
    const { failureRatio, load, p99Ms, unseen } = replay(trace, { maxAttempts: 2 });
    expect([failureRatio.value, load.value, unseen]).toEqual([0.04, 1.1, 0]);
    expect(p99Ms).toMatchObject({ value: 200, high: 200 });
    expect(replay(trace, { maxAttempts: 1 })).toMatchObject({
      failureRatio: { value: 0.1 },
      load: { value: 1 },
    });
  });

  it('of more attempts goes from useless to as good as the last one', () => {
    const trace = traceOf(
      { ...THREE, maxAttempts: 2 },
      [800, true, answered],
      [100, true, [1, 1, 0, 50, 'failed'], [2, 1, 150, 50, 'answered']],
      [100, false, [1, 1, 0, 50, 'failed'], [2, 1, 150, 50, 'failed']],
    );
    const { failureRatio, load, unseen } = replay(trace, { maxAttempts: 3 });
    expect(failureRatio.value).toBeCloseTo(0.05, 1);
    expect(failureRatio.low).toBeLessThan(0.05);
    expect(failureRatio.high).toBeGreaterThan(0.1);
    expect([load.value, unseen]).toEqual([1.3, 0.1]);
  });

  it('of a shorter timeout is exact, and of a longer one goes from at once to never', () => {
    const trace = traceOf(
      { maxAttempts: 1, attemptTimeoutMs: 1000 },
      [900, true, answered],
      [50, true, [1, 1, 0, 600, 'answered']],
      [50, false, [1, 1, 0, 1000, 'timeout']],
    );
    expect(replay(trace, { attemptTimeoutMs: 500 })).toMatchObject({
      failureRatio: { value: 0.1 },
      p99Ms: { value: 500 },
      unseen: 0,
    });
    const longer = replay(trace, { attemptTimeoutMs: 2000 });
    expect(longer).toMatchObject({ failureRatio: { value: 0.05 }, unseen: 0.05 });
    expect(longer.failureRatio.low).toBeLessThan(0.005);
    expect(longer.p99Ms.high).toBe(2000);
  });

  it('of a shorter delay of the hedge draws the tries that were not made', () => {
    const trace = traceOf(
      { maxAttempts: 1, hedgeDelayMs: 2000 },
      [950, true, answered],
      [50, true, [1, 1, 0, 800, 'answered']],
    );
    const { p99Ms, load, unseen } = replay(trace, { hedgeDelayMs: 100 });
    expect(p99Ms.value).toBe(150);
    expect(load.value).toBeCloseTo(1.05);
    expect(unseen).toBeCloseTo(0.05);
  });

  it('of a longer delay of the hedge says how long tries that were outrun might have taken', () => {
    const trace = traceOf(
      { maxAttempts: 1, hedgeDelayMs: 100 },
      [940, true, answered],
      [20, true, [1, 1, 0, 900, 'answered'], [1, 2, 100, 900, 'lost']],
      [40, true, [1, 1, 0, 150, 'lost'], [1, 2, 100, 50, 'answered']],
    );
    const { p99Ms, load } = replay(trace, { hedgeDelayMs: 5000 });
    expect(p99Ms.value).toBe(900);
    expect(load.value).toBe(1);
  });

  it('of a longer first delay moves what comes after it', () => {
    const trace = traceOf(THREE, [
      1000,
      true,
      [1, 1, 0, 50, 'failed'],
      [2, 1, 150, 50, 'answered'],
    ]);
    expect(replay(trace, { initialDelayMs: 300 }).p50Ms.value).toBe(400);
  });

  it('leaves calls alone that had no try, that their deadline ended, or that a budget stopped', () => {
    const trace = traceOf(
      THREE,
      [10, false],
      [10, false, [1, 1, 0, 400, 'lost']],
      [10, false, [1, 1, 0, 50, 'failed']],
    );
    const same = replay(trace, { maxAttempts: 3 });
    expect(same).toMatchObject({ failureRatio: { value: 1 }, load: { value: 2 / 3 }, unseen: 0 });
    expect(replay(trace, { attemptTimeoutMs: 30 }).load.value).toBeGreaterThanOrEqual(2 / 3);
  });

  it('names the settings that it cannot replay', () => {
    const trace = traceOf({ ...THREE, openDurationMs: 1000 }, [10, true, answered]);
    expect(replay(trace, { openDurationMs: 1000, maxAttempts: 2 }).notReplayed).toEqual([]);
    expect(replay(trace, { openDurationMs: 2000, minimumThroughput: 5 }).notReplayed).toEqual([
      'openDurationMs',
      'minimumThroughput',
    ]);
  });

  it('is the same with the same seed', () => {
    const trace = traceOf(
      { maxAttempts: 1, hedgeDelayMs: 2000 },
      [90, true, answered],
      [10, true, [1, 1, 0, 800, 'answered']],
    );
    const say = (seed?: number) =>
      replay(trace, { hedgeDelayMs: 100, maxAttempts: 2 }, seed === undefined ? {} : { seed });
    expect(say()).toEqual(say(1));
    expect(say(7)).toEqual(say(7));
  });

  it('refuses a trace without calls, settings and options that are none', () => {
    const trace = traceOf(THREE, [1, true, answered]);
    expect(() => replay({ ...trace, calls: [] }, {})).toThrow('the trace has no calls');
    expect(() => replay(trace, { maxAttempts: 0 })).toThrow(RangeError);
    expect(() => replay(trace, {}, { seed: 0 })).toThrow(RangeError);
    expect(() => replay(trace, {}, { runs: 5 } as never)).toThrow(TypeError);
  });
});
