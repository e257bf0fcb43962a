import type { Bench } from './types.ts';

/** How long and how often. */
export interface Turns {
  /** Length that a batch is brought to, in milliseconds. */
  readonly batchMs: number;
  /** How many batches of each row are kept. */
  readonly turns: number;
  /** How long each row runs before anything is kept, in milliseconds, in turns as well. */
  readonly warmUpMs: number;
  /** Milliseconds that only go forward. */
  readonly now: () => number;
  /** Leaves out figures that take seconds. */
  readonly short?: boolean;
}

/** Calls `fn` so many times, one after the other. */
export type Run = (fn: () => unknown, times: number) => unknown;

/** What the batches of one row took, in nanoseconds per operation. */
export interface Timed {
  readonly row: Bench;
  readonly run: Run;
  readonly samples: readonly number[];
}

let made = 0;
/**
 * A loop of its own for each row, so that V8 learns about one row only where it is called. The last
 * value is returned, so that the work cannot be left out.
 */
function loop(isAsync: boolean): Run {
  made++; // equal sources would share what was learnt
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
 * Runs rows in turns, a batch of each, so that whatever the machine does meanwhile (another process,
 * heat, a collection of garbage) happens to all of them.
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
    // Each begins in its turn, as the first after a pause may be at a disadvantage.
    for (let i = 0; i < lanes.length; i++) {
      const lane = lanes[(turn + i) % lanes.length] as Lane;
      lane.samples.push(await batch(lane, turns));
    }
  }
  return lanes;
}

/** One batch, which also brings the next one nearer to the wanted length. */
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
