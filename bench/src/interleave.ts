import type { Bench } from './types.ts';

/** Duration and number of the batches. */
export interface Turns {
  /** Target duration of a batch, in milliseconds. */
  readonly batchMs: number;
  /** Number of measured batches per row. */
  readonly turns: number;
  /** Warm-up time of each row, in milliseconds, also interleaved. */
  readonly warmUpMs: number;
  /** Monotonic time, in milliseconds. */
  readonly now: () => number;
  /** Skips figures that take seconds. */
  readonly short?: boolean;
}

/** Calls `fn` the given number of times, one after the other. */
export type Run = (fn: () => unknown, times: number) => unknown;

/** The measured batches of one row, in nanoseconds per operation. */
export interface Timed {
  readonly row: Bench;
  readonly run: Run;
  readonly samples: readonly number[];
}

let made = 0;
/**
 * Compiles a separate loop for each row, so that V8's type feedback is specific to the row. Returns the
 * last value, so that the work cannot be optimised away.
 */
function loop(isAsync: boolean): Run {
  made++; // functions with equal sources would share type feedback
  const [head, wait] = isAsync ? ['async ', 'await '] : ['', ''];
  return new Function(
    `return ${head}function run${made}(fn, times) {
      let last;
      for (let i = 0; i < times; i++) last = ${wait}fn();
      return last;
    }`,
  )() as Run;
}

const isPromise = (value: unknown): boolean =>
  typeof (value as { then?: unknown } | null | undefined)?.then === 'function';

interface Lane extends Timed {
  times: number;
  readonly samples: number[];
}

/**
 * Runs batches of all rows alternately, so that interference by other processes, temperature or garbage
 * collection affects all rows equally.
 */
export async function interleave(rows: readonly Bench[], turns: Turns): Promise<Timed[]> {
  const lanes: Lane[] = [];
  for (const row of rows) {
    const first = row.fn();
    await first;
    lanes.push({ row, run: loop(isPromise(first)), times: 1, samples: [] });
  }
  for (let spent = 0; spent < turns.warmUpMs; spent += turns.batchMs) {
    for (const lane of lanes) await batch(lane, turns);
  }
  for (let turn = 0; turn < turns.turns; turn++) {
    // The first row rotates, because the first batch after a pause may be slower.
    for (let i = 0; i < lanes.length; i++) {
      const lane = lanes[(turn + i) % lanes.length] as Lane;
      lane.samples.push(await batch(lane, turns));
    }
  }
  return lanes;
}

/** Measures one batch and adjusts the size of the next one. */
async function batch(lane: Lane, { batchMs, now }: Turns): Promise<number> {
  const { row, run, times } = lane;
  const start = now();
  await run(row.fn, times);
  const took = now() - start;
  const factor = took > 0 ? batchMs / took : 10;
  if (factor < 0.5 || factor > 1.5) {
    lane.times = Math.max(1, Math.round(times * Math.min(10, Math.max(0.1, factor))));
  }
  return (took * 1e6) / (times * (row.operations ?? 1));
}
