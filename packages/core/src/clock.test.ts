import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Clock, clockRule, sleepOn, systemClock } from './clock.ts';
import { resolveOptions } from './options.ts';

const MAX_TIMER_MS = 2 ** 31 - 1;

describe('systemClock', () => {
  it('has wall-clock time and monotonic time', () => {
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(50);
    const first = systemClock.monotonic();
    expect(systemClock.monotonic()).toBeGreaterThanOrEqual(first);
    expect(first).toBeLessThan(systemClock.now());
  });

  it('sleeps at least as long as asked, within the precision of Node timers', async () => {
    const start = systemClock.monotonic();
    await systemClock.sleep(1.5);
    // Node's timers may be up to a millisecond early by the monotonic clock, but not by more.
    expect(systemClock.monotonic() - start).toBeGreaterThan(1);
  });

  it.each([-1, Number.NaN])('refuses to wait for %s ms', async (ms) => {
    expect(() => systemClock.schedule(() => {}, ms)).toThrow(
      new RangeError(`clock: ms must be a number >= 0, got ${ms}.`),
    );
    await expect(systemClock.sleep(ms)).rejects.toThrow(RangeError);
  });
});

describe('systemClock.schedule', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('calls the callback once', () => {
    const callback = vi.fn();
    systemClock.schedule(callback, 100);
    vi.advanceTimersByTime(99);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1000);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it('rounds fractions of a millisecond up', () => {
    const callback = vi.fn();
    systemClock.schedule(callback, 10.2);
    vi.advanceTimersByTime(10);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  it.each([MAX_TIMER_MS, MAX_TIMER_MS + 1, 2 * MAX_TIMER_MS, 30 * 86_400_000])(
    'waits %s ms in full, beyond the 32 bits of Node timers',
    (ms) => {
      const callback = vi.fn();
      systemClock.schedule(callback, ms);
      vi.advanceTimersByTime(ms - 1);
      expect(callback).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      expect(callback).toHaveBeenCalledTimes(1);
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  it('never passes more than 2^31 - 1 ms to setTimeout', () => {
    const asked = vi.spyOn(globalThis, 'setTimeout');
    systemClock.schedule(() => {}, Number.POSITIVE_INFINITY);
    vi.advanceTimersByTime(3 * MAX_TIMER_MS);
    expect(asked.mock.calls.map(([, ms]) => ms)).toEqual(Array(4).fill(MAX_TIMER_MS));
  });

  it('can be cancelled during a long wait', () => {
    const callback = vi.fn();
    const timer = systemClock.schedule(callback, 2.5 * MAX_TIMER_MS);
    vi.advanceTimersByTime(2 * MAX_TIMER_MS);
    timer.cancel();
    timer.cancel();
    vi.advanceTimersByTime(2 * MAX_TIMER_MS);
    expect(callback).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('keeps ref and unref through a long wait', () => {
    const handles: { hasRef(): boolean }[] = [];
    const real = globalThis.setTimeout;
    vi.spyOn(globalThis, 'setTimeout').mockImplementation(((callback: () => void, ms: number) => {
      const handle = real(callback, ms);
      handles.push(handle);
      return handle;
    }) as typeof setTimeout);
    const timer = systemClock.schedule(() => {}, 3 * MAX_TIMER_MS);
    expect(handles.at(-1)?.hasRef()).toBe(true);
    timer.unref();
    expect(handles.at(-1)?.hasRef()).toBe(false);
    vi.advanceTimersByTime(MAX_TIMER_MS);
    expect(handles).toHaveLength(2);
    expect(handles.at(-1)?.hasRef()).toBe(false);
    timer.ref();
    expect(handles.at(-1)?.hasRef()).toBe(true);
    vi.advanceTimersByTime(MAX_TIMER_MS);
    expect(handles).toHaveLength(3);
    expect(handles.at(-1)?.hasRef()).toBe(true);
    timer.cancel();
  });
});

describe('systemClock.sleep', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('leaves no timer and no listener when it has ended', async () => {
    const { signal } = new AbortController();
    const sleeping = systemClock.sleep(50, signal);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(50);
    await expect(sleeping).resolves.toBeUndefined();
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([50, Number.POSITIVE_INFINITY])(
    'of %s ms rejects with the reason when it is aborted',
    async (ms) => {
      const controller = new AbortController();
      const reason = { why: 'enough' };
      const sleeping = systemClock.sleep(ms, controller.signal);
      controller.abort(reason);
      await expect(sleeping).rejects.toBe(reason);
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  it('schedules nothing when the signal has aborted already', async () => {
    const schedule = vi.fn();
    const sleeping = sleepOn({ schedule }, 50, AbortSignal.abort('done'));
    await expect(sleeping).rejects.toBe('done');
    expect(schedule).not.toHaveBeenCalled();
  });
});

describe('clockRule', () => {
  const reads = { now: 0, monotonic: 0 };
  const fails = (): never => {
    throw new Error('broken');
  };
  const resolve = (clock: Clock): Clock =>
    resolveOptions<{ clock: Clock }>(
      'test',
      { clock },
      { clock: systemClock },
      { clock: clockRule },
    ).clock;

  it('keeps the errors of readings and timers of a foreign clock from calls', () => {
    const foreign = {
      ...systemClock,
      now: () => ++reads.now,
      monotonic: () => ++reads.monotonic,
      schedule: () => ({ cancel: fails, ref: fails, unref: fails }),
    };
    const clock = resolve(foreign);
    expect([clock.now(), clock.monotonic()]).toEqual([1, 1]);
    foreign.now = fails;
    foreign.monotonic = fails;
    expect([clock.now(), clock.monotonic()]).toEqual([1, 1]);
    const timer = clock.schedule(() => {}, 1);
    for (const method of ['cancel', 'ref', 'unref'] as const)
      expect(() => timer[method]()).not.toThrow();
  });

  it('passes on that a foreign clock cannot wait', async () => {
    const clock = resolve({ ...systemClock, schedule: fails, sleep: () => Promise.reject(fails) });
    expect(() => clock.schedule(() => {}, 1)).toThrow('broken');
    await expect(clock.sleep(1)).rejects.toBe(fails);
  });

  it('leaves the system clock, and what is guarded already, as they are', () => {
    expect(resolve(systemClock)).toBe(systemClock);
    const guarded = resolve({ ...systemClock });
    expect(resolve(guarded)).toBe(guarded);
    expect(guarded.schedule).toBe(systemClock.schedule);
  });
});
