import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { Call } from './context.ts';
import { runWithTimeout } from './timeout.ts';
import { TimeoutQueue } from './timeout-queue.ts';

const timedOut = (): Error => new Error('too long');

describe('the scope of runWithTimeout', () => {
  it('has the moment of the timeout as its deadline', async () => {
    const clock = new ManualClock();
    const queue = new TimeoutQueue(clock, 50);
    const seen = await runWithTimeout((c) => c.deadline, new Call(), queue, timedOut);
    expect(seen).toBe(clock.monotonic() + 50);
  });

  it('keeps the deadline of the call where that is nearer', async () => {
    const clock = new ManualClock();
    const queue = new TimeoutQueue(clock, 50);
    const context = new Call(1, clock.monotonic() + 20);
    const seen = await runWithTimeout((c) => c.deadline, context, queue, timedOut);
    expect(seen).toBe(clock.monotonic() + 20);
  });

  it('reports to the observer what ends in time, and nothing that ends later', async () => {
    const clock = new ManualClock();
    const queue = new TimeoutQueue(clock, 50);
    const heard: boolean[] = [];
    const observer = { inTime: (ok: boolean) => heard.push(ok) };
    const run = <T>(operation: () => T | PromiseLike<T>): Promise<T> =>
      runWithTimeout(operation, new Call(), queue, timedOut, observer);

    await run(() => 1);
    await run(async () => 1);
    await expect(run(() => Promise.reject(new Error('own')))).rejects.toThrow('own');
    const throws = (): never => {
      throw new Error('at once');
    };
    await expect(run(throws)).rejects.toThrow('at once');
    expect(heard).toEqual([true, true, false, false]);

    const late = run(() => clock.sleep(80));
    const outcome = expect(late).rejects.toThrow('too long');
    await clock.advance(100);
    await outcome;
    expect(heard).toEqual([true, true, false, false]);
    expect(clock.pendingRefed).toBe(0);
  });
});
