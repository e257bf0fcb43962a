import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { ManualClock, settle } from './manual-clock.ts';

describe('a manual clock', () => {
  it('stands still until it is moved, and moves both its readings', async () => {
    const clock = new ManualClock(5_000_000);
    const start = clock.monotonic();
    await settle();
    expect(clock.now()).toBe(5_000_000);
    await clock.advance(250);
    expect(clock.now()).toBe(5_000_250);
    expect(clock.monotonic()).toBe(start + 250);
    clock.adjustWallClock(-1000);
    expect(clock.now()).toBe(4_999_250);
    expect(clock.monotonic()).toBe(start + 250);
  });

  it('runs what falls due in order of time, then of scheduling, each at its own time', async () => {
    const clock = new ManualClock();
    const start = clock.monotonic();
    const ran: [string, number][] = [];
    const at = (name: string) => () => void ran.push([name, clock.monotonic() - start]);
    clock.schedule(at('late'), 30);
    clock.schedule(at('first'), 10);
    clock.schedule(at('second'), 10);
    clock.schedule(() => clock.schedule(at('made on the way'), 5), 10);
    clock.schedule(at('not yet'), 31);
    await clock.advance(30);
    expect(ran).toEqual([
      ['first', 10],
      ['second', 10],
      ['made on the way', 15],
      ['late', 30],
    ]);
    expect(clock.pending).toBe(1);
  });

  it('settles promises between two timers', async () => {
    const clock = new ManualClock();
    const ran: string[] = [];
    void clock.sleep(10).then(() => ran.push('woken'));
    clock.schedule(() => ran.push('timer'), 11);
    await clock.advance(20);
    expect(ran).toEqual(['woken', 'timer']);
  });

  it('runs nothing on a jump until it is advanced', async () => {
    const clock = new ManualClock();
    let ran = false;
    clock.schedule(() => {
      ran = true;
    }, 10);
    clock.jump(50);
    await settle();
    expect(ran).toBe(false);
    await clock.advance(0);
    expect(ran).toBe(true);
  });

  it('tells pending timers, and those that would keep a process alive', () => {
    const clock = new ManualClock();
    const timer = clock.schedule(() => {}, 10);
    clock.schedule(() => {}, 20).unref();
    expect([clock.pending, clock.pendingRefed]).toEqual([2, 1]);
    timer.cancel();
    timer.cancel();
    expect([clock.pending, clock.pendingRefed]).toEqual([1, 0]);
  });

  it('ends a sleep at once when it is aborted, and leaves nothing behind', async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const sleeping = clock.sleep(10, controller.signal);
    controller.abort('enough');
    await expect(sleeping).rejects.toBe('enough');
    await expect(clock.sleep(10, controller.signal)).rejects.toBe('enough');
    expect(clock.pending).toBe(0);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it.each([-1, Number.NaN])('refuses to wait for %s ms, as the real one does', async (ms) => {
    const clock = new ManualClock();
    expect(() => clock.schedule(() => {}, ms)).toThrow(RangeError);
    await expect(clock.sleep(ms)).rejects.toThrow(RangeError);
  });

  it('runs until a promise settles, and no further', async () => {
    const clock = new ManualClock();
    const start = clock.monotonic();
    clock.schedule(() => {}, 500);
    expect(await clock.runUntil(clock.sleep(20).then(() => 'done'))).toBe('done');
    expect(clock.monotonic()).toBe(start + 20);
    await expect(clock.runUntil(Promise.reject(new Error('no')))).rejects.toThrow('no');
  });

  it('says so when nothing can ever settle the promise', async () => {
    const clock = new ManualClock();
    const never = clock.runUntil(new Promise(() => {}));
    await expect(never).rejects.toThrow('Nothing is scheduled, and the promise is pending.');
  });
});
