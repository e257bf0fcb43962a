import { describe, expect, it } from 'vitest';
import { interleave, type Turns } from './interleave.ts';

/** Rows that take virtual time and record the order in which they ran. */
function setUp(costs: Readonly<Record<string, number>>, turns: Partial<Turns> = {}) {
  let time = 0;
  const ran: string[] = [];
  const rows = Object.entries(costs).map(([name, ms]) => ({
    name,
    group: 'work',
    fn: () => {
      time += ms;
      ran.push(name);
    },
  }));
  const options = { batchMs: 2, turns: 3, warmUpMs: 20, now: () => time, ...turns };
  return { rows, options, ran };
}
const runs = (order: readonly string[]): string[] =>
  order.filter((name, i) => name !== order[i - 1]);

describe('interleave', () => {
  it('runs one batch of each row per turn, starting with another row in every turn', async () => {
    const { rows, options, ran } = setUp({ a: 0.1, b: 0.2, c: 0.5 }, { warmUpMs: 0 });
    await interleave(rows, options);
    // The first three calls detect whether a row is asynchronous.
    expect(runs(ran.slice(3))).toEqual(['a', 'b', 'c', 'b', 'c', 'a', 'c', 'a', 'b']);
  });

  it('measures nanoseconds per operation, independent of the length of a batch', async () => {
    const { rows, options } = setUp({ fast: 0.001, slow: 7 });
    const [fast, slow] = await interleave(rows, options);
    expect(fast?.samples.map((ns) => Math.round(ns))).toEqual([1000, 1000, 1000]);
    expect(slow?.samples.map((ns) => Math.round(ns))).toEqual([7e6, 7e6, 7e6]);
  });

  it('adjusts the batch size to the configured duration', async () => {
    const { rows, options, ran } = setUp({ fast: 0.01, slow: 0.4 }, { turns: 1, warmUpMs: 40 });
    await interleave(rows, options);
    const last = ran.slice(-205);
    expect(last.filter((name) => name === 'fast')).toHaveLength(200);
    expect(last.filter((name) => name === 'slow')).toHaveLength(5);
  });

  it('divides by the number of operations per call', async () => {
    const { rows, options } = setUp({ wave: 2 });
    const [wave] = await interleave(
      rows.map((row) => ({ ...row, operations: 100 })),
      options,
    );
    expect(wave?.samples.map((ns) => Math.round(ns))).toEqual([20_000, 20_000, 20_000]);
  });

  it('awaits asynchronous calls one after the other', async () => {
    let running = 0;
    let most = 0;
    const fn = async (): Promise<void> => {
      running++;
      most = Math.max(most, running);
      await Promise.resolve();
      running--;
    };
    const rows = [{ name: 'async', group: 'work', fn }];
    await interleave(rows, { batchMs: 1, turns: 2, warmUpMs: 2, now: () => performance.now() });
    expect(most).toBe(1);
  });
});
