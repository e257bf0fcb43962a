import { mock } from 'node:test';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { TimeoutQueue } from './call/timeout-queue.ts';
import { systemClock, timerEpoch } from './clock.ts';
import { TimeSource } from './time-source.ts';

/** Ways in which test runners replace time, and how each is moved. */
interface Fakes {
  install(): void;
  advance(ms: number): void;
  restore(): void;
}

const vitestFakes = (
  toFake?: ('setTimeout' | 'clearTimeout' | 'Date' | 'performance')[],
): Fakes => ({
  install: () => void vi.useFakeTimers(toFake && { toFake }),
  advance: (ms) => void vi.advanceTimersByTime(ms),
  restore: () => void vi.useRealTimers(),
});

const nodeFakes = (apis: ('setTimeout' | 'Date')[], now?: number): Fakes => ({
  install: () => mock.timers.enable(now === undefined ? { apis } : { apis, now }),
  advance: (ms) => mock.timers.tick(ms),
  restore: () => mock.timers.reset(),
});

const KINDS: [string, Fakes][] = [
  ['all functions of @sinonjs/fake-timers', vitestFakes()],
  ['timers and Date of @sinonjs/fake-timers', vitestFakes(['setTimeout', 'clearTimeout', 'Date'])],
  ['timers alone of @sinonjs/fake-timers', vitestFakes(['setTimeout', 'clearTimeout'])],
  ['timers and Date of node:test', nodeFakes(['setTimeout', 'Date'])],
  ['timers alone of node:test', nodeFakes(['setTimeout'])],
  ['node:test with a time of its own', nodeFakes(['setTimeout', 'Date'], 1_700_000_000_000)],
  ['legacy timers of Jest', legacyJest()],
  ['an unknown fake of timers and Date', unknownFakes()],
];

const { monotonic } = systemClock;

/** Work in the background that repeats itself, as every package does it. */
function repeat(everyMs: number): { runs: number; stop(): void } {
  const work = { runs: 0, stop: () => timer.cancel() };
  const again = (): ReturnType<typeof systemClock.schedule> => {
    const next = systemClock.schedule(() => {
      work.runs++;
      timer = again();
    }, everyMs);
    next.unref();
    return next;
  };
  let timer = again();
  running.push(work);
  return work;
}
const running: { stop(): void }[] = [];

describe.each(KINDS)('work in the background under %s', (_name, fakes) => {
  afterEach(() => {
    fakes.restore();
    for (const work of running.splice(0)) work.stop();
  });
  const realTimers = { setTimeout };
  const realTime = (ms: number): Promise<void> =>
    new Promise((resolve) => realTimers.setTimeout(resolve, ms));

  it('goes on by replaced timers when it began before, with what was left of its time', () => {
    const work = repeat(60_000);
    fakes.install();
    monotonic(); // as any call of a policy does
    fakes.advance(59_000);
    expect(work.runs).toBe(0);
    fakes.advance(1000);
    expect(work.runs).toBe(1);
    for (let run = 0; run < 3; run++) fakes.advance(60_000);
    expect(work.runs).toBe(4);
    work.stop();
    fakes.advance(120_000);
    expect(work.runs).toBe(4);
  });

  it('goes on in real time when it began under replaced timers, though nothing reads the time', async () => {
    fakes.install();
    const work = repeat(10);
    fakes.advance(10);
    expect(work.runs).toBe(1);
    fakes.restore();
    await realTime(150);
    expect(work.runs).toBeGreaterThan(1);
    work.stop();
    const { runs } = work;
    await realTime(40);
    expect(work.runs).toBe(runs);
  });

  it('goes on when the timers are put back and replaced again at once, as between two tests', () => {
    const before = repeat(60_000);
    fakes.install();
    monotonic();
    const during = repeat(60_000);
    fakes.advance(90_000);
    expect([before.runs, during.runs]).toEqual([1, 1]);
    for (let test = 2; test <= 4; test++) {
      fakes.restore();
      fakes.install();
      monotonic();
      fakes.advance(60_000);
      expect([before.runs, during.runs]).toEqual([test, test]);
    }
    before.stop();
    during.stop();
    fakes.advance(120_000);
    expect([before.runs, during.runs]).toEqual([4, 4]);
  });

  it('leaves a timer that a call waits for with the functions that it began with', async () => {
    let fired = 0;
    systemClock.schedule(() => fired++, 40);
    fakes.install();
    monotonic();
    fakes.advance(1000);
    expect(fired).toBe(0);
    await realTime(80);
    expect(fired).toBe(1);
    const left = systemClock.schedule(() => fired++, 5);
    fakes.restore();
    monotonic();
    await realTime(60);
    expect(fired).toBe(1);
    left.cancel(); // node:test would fire it in the next test
  });
});

describe.each(KINDS)('monotonic time under %s', (_name, fakes) => {
  afterEach(() => fakes.restore());

  it('goes on from real time, follows the timers alone, and goes on in real time', () => {
    const real = monotonic();
    fakes.install();
    const begin = monotonic();
    expect(begin).toBeGreaterThanOrEqual(real);
    expect(begin).toBeLessThan(real + 1000);
    expect(monotonic()).toBe(begin);
    for (const ms of [1, 99, 900, 30_000, 3_600_000]) {
      const before = monotonic();
      fakes.advance(ms);
      expect(monotonic()).toBe(before + ms);
    }
    const end = monotonic();
    fakes.restore();
    const back = monotonic();
    expect(back).toBeGreaterThanOrEqual(end);
    expect(back).toBeLessThan(end + 1000);
  });

  it('never goes back, however often time is replaced', () => {
    let last = monotonic();
    for (let round = 0; round < 5; round++) {
      fakes.install();
      for (const ms of [0, 5, 0, 70]) {
        fakes.advance(ms);
        const now = monotonic();
        expect(now).toBeGreaterThanOrEqual(last);
        last = now;
      }
      fakes.restore();
      const now = monotonic();
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
  });

  it('lets a timer of a queue expire that was used before, and leaves none behind', () => {
    const queue = new TimeoutQueue(systemClock, 5000);
    queue.remove(queue.add(() => {})); // its timer is real, and still runs
    for (let round = 0; round < 2; round++) {
      fakes.install();
      queue.remove(queue.add(() => {}));
      const expired = vi.fn();
      queue.add(expired);
      fakes.advance(4999);
      expect(expired).not.toHaveBeenCalled();
      fakes.advance(1);
      expect(expired).toHaveBeenCalledTimes(1);
      queue.add(expired); // abandoned
      fakes.restore();
    }
  });

  it('does not share timers while time is replaced', () => {
    const before = timerEpoch(systemClock);
    expect(before).toEqual(expect.any(Number));
    fakes.install();
    expect(timerEpoch(systemClock)).toBeUndefined();
    fakes.restore();
    expect(timerEpoch(systemClock)).not.toBe(before);
    expect(timerEpoch(systemClock)).toEqual(expect.any(Number));
  });
});

describe('monotonic time', () => {
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
    mock.timers.reset();
  });

  it('has what was advanced before its first reading', () => {
    const real = monotonic();
    vi.useFakeTimers();
    vi.advanceTimersByTime(30_000);
    expect(monotonic()).toBeGreaterThanOrEqual(real + 30_000);
    const fake = monotonic();
    vi.advanceTimersByTime(20_000);
    vi.useRealTimers();
    expect(monotonic()).toBeGreaterThanOrEqual(fake + 20_000);
    mock.timers.enable({ apis: ['setTimeout'] });
    mock.timers.tick(10_000);
    expect(monotonic()).toBeGreaterThanOrEqual(fake + 30_000);
  });

  it('does not go back when fake timers are cleared, and goes on after', () => {
    vi.useFakeTimers();
    vi.advanceTimersByTime(5000);
    const before = monotonic();
    vi.clearAllTimers();
    expect(monotonic()).toBe(before);
    vi.advanceTimersByTime(700);
    expect(monotonic()).toBe(before + 700);
  });

  it('lets calls expire whose predecessors were cleared', () => {
    vi.useFakeTimers();
    const queue = new TimeoutQueue(systemClock, 100);
    queue.add(() => {});
    vi.clearAllTimers();
    const expired = vi.fn();
    queue.add(expired);
    vi.advanceTimersByTime(100);
    expect(expired).toHaveBeenCalledTimes(1);
  });

  it('leaves no timer behind when the last expiry is removed', () => {
    vi.useFakeTimers();
    const queue = new TimeoutQueue(systemClock, 100);
    queue.remove(queue.add(() => {}));
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ['real timers', () => {}],
    ['fake timers', () => void vi.useFakeTimers()],
    [
      'fake timers without performance',
      () => void vi.useFakeTimers({ toFake: ['setTimeout', 'Date'] }),
    ],
    ['a fake Date alone', () => void vi.useFakeTimers({ toFake: ['Date'] })],
  ])('does not follow steps of the wall clock, with %s', (_name, install) => {
    install();
    const before = monotonic();
    for (const step of [86_400_000, -86_400_000]) {
      if (vi.isFakeTimers()) vi.setSystemTime(Date.now() + step);
      else vi.spyOn(Date, 'now').mockReturnValue(Date.now() + step);
      expect(Math.abs(monotonic() - before)).toBeLessThan(1000);
    }
  });

  it('takes a spy on a timer function for what it wraps', () => {
    vi.spyOn(globalThis, 'setTimeout');
    const before = monotonic();
    expect(timerEpoch(systemClock)).toEqual(expect.any(Number));
    expect(monotonic()).toBeLessThan(before + 1000);
    vi.restoreAllMocks();

    vi.useFakeTimers();
    const spy = vi.spyOn(globalThis, 'setTimeout');
    const fake = monotonic();
    vi.advanceTimersByTime(100);
    expect(monotonic()).toBe(fake + 100);
    systemClock.schedule(() => {}, 10);
    expect(spy).toHaveBeenCalledTimes(1);
  });

  it('finds out that timers were put back after a spy that does nothing any more', async () => {
    const { setTimeout: real } = globalThis;
    const spy = ((...args: Parameters<typeof setTimeout>) =>
      isOn ? real(...args) : undefined) as typeof setTimeout;
    let isOn = true;
    globalThis.setTimeout = spy;
    monotonic();
    isOn = false;
    globalThis.setTimeout = real;
    vi.useFakeTimers();
    const work = repeat(10);
    vi.advanceTimersByTime(10);
    vi.useRealTimers();
    await new Promise((resolve) => real(resolve, 150));
    expect(work.runs).toBeGreaterThan(1);
    work.stop();
  });

  it('takes wrapped timers, such as those of a monitoring agent, for real ones', () => {
    const original = globalThis.setTimeout;
    globalThis.setTimeout = ((...args: Parameters<typeof setTimeout>) =>
      original(...args)) as typeof setTimeout;
    try {
      expect(timerEpoch(systemClock)).toEqual(expect.any(Number));
      const before = monotonic();
      expect(monotonic()).toBeLessThan(before + 1000);
    } finally {
      globalThis.setTimeout = original;
    }
    // Those that the agent has put back are real as well: a fake Date is no fake of timers then.
    vi.useFakeTimers({ toFake: ['Date'] });
    const before = monotonic();
    vi.setSystemTime(Date.now() + 86_400_000);
    expect(Math.abs(monotonic() - before)).toBeLessThan(1000);
  });

  it('follows a replaced performance.now, and its timers are real', () => {
    const before = monotonic();
    const now = vi.spyOn(performance, 'now').mockReturnValue(10);
    const replaced = monotonic();
    expect(replaced).toBeGreaterThanOrEqual(before);
    now.mockReturnValue(60);
    expect(monotonic()).toBe(replaced + 50);
    now.mockRestore();
    expect(monotonic()).toBeGreaterThanOrEqual(replaced + 50);
  });
});

describe('real timers that fire when a test runner has taken the globals away', () => {
  const { setTimeout: real } = globalThis;
  const gone = (): never => {
    throw new RangeError('Maximum call stack size exceeded');
  };
  const WAYS: Record<string, PropertyDescriptor> = {
    'by a getter that throws': { get: gone },
    'by nothing instead': { value: undefined },
  };
  /** Runs work in a world whose timers are fired by hand, and fires what was armed when they are gone. */
  const fireWithout = (how: string, work: () => void): { fired: number; armed: number } => {
    const callbacks: (() => void)[] = [];
    globalThis.setTimeout = ((callback: () => void) => {
      callbacks.push(callback);
      return { ref() {}, unref() {} };
    }) as unknown as typeof setTimeout;
    try {
      work();
      Object.defineProperty(globalThis, 'setTimeout', {
        ...(WAYS[how] as PropertyDescriptor),
        configurable: true,
      });
      const fired = [...callbacks];
      for (const fire of fired) fire();
      return { fired: fired.length, armed: callbacks.length - fired.length };
    } finally {
      const own = { value: real, configurable: true, writable: true, enumerable: true };
      Object.defineProperty(globalThis, 'setTimeout', own);
    }
  };

  it.each(Object.keys(WAYS))('do nothing: %s', (how) => {
    const callback = vi.fn();
    const { fired, armed } = fireWithout(how, () => {
      systemClock.schedule(callback, 10);
      const queue = new TimeoutQueue(systemClock, 20);
      queue.remove(queue.add(callback)); // its timer stays
    });
    expect(fired).toBeGreaterThanOrEqual(2);
    expect(armed).toBe(0);
    expect(callback).not.toHaveBeenCalled();
  });

  it('do not look whether fake timers were put back, whose clock is gone as well', () => {
    const move = vi.fn();
    const { fired, armed } = fireWithout('by nothing instead', () => {
      const source = new TimeSource();
      const arm = globalThis.setTimeout;
      const clock = { performance: { now: () => 0 } };
      globalThis.setTimeout = Object.assign(() => 0, { clock }) as unknown as typeof setTimeout;
      source.keep({ move });
      source.monotonic();
      globalThis.setTimeout = arm;
      clock.performance.now = gone;
      move.mockClear();
    });
    expect([fired, armed]).toEqual([1, 0]);
    expect(move).not.toHaveBeenCalled();
  });
});

describe('timers that are numbers', () => {
  afterEach(() => void vi.unstubAllGlobals());

  it('are armed, cancelled and shared as others', () => {
    const callbacks = new Map<number, () => void>();
    vi.stubGlobal('setTimeout', (callback: () => void) => {
      callbacks.set(callbacks.size + 1, callback);
      return callbacks.size;
    });
    vi.stubGlobal('clearTimeout', (id: number) => void callbacks.delete(id));
    const timer = systemClock.schedule(() => {}, 10);
    timer.unref();
    timer.ref();
    expect(callbacks.size).toBe(1);
    timer.cancel();
    expect(callbacks.size).toBe(0);
    const queue = new TimeoutQueue(systemClock, 10);
    queue.remove(queue.add(() => {}));
    queue.remove(queue.add(() => {}));
    expect(callbacks.size).toBe(1);
  });
});

/** As Jest makes them: mock functions over a list, and no clock. */
function legacyJest(): Fakes {
  const {
    setTimeout: arm,
    clearTimeout: clear,
    setInterval: repeat,
    clearInterval: end,
  } = globalThis;
  let now = 0;
  let id = 0;
  const timers = new Map<number, { at: number; callback: () => void }>();
  return {
    install() {
      timers.clear();
      const set = (callback: () => void, ms = 0): object => {
        const key = ++id;
        timers.set(key, { at: now + ms, callback });
        const handle = { id: key, ref: () => handle, unref: () => handle };
        return handle;
      };
      globalThis.setTimeout = vi.fn(set) as never;
      globalThis.setInterval = vi.fn() as never;
      globalThis.clearTimeout = vi.fn((handle: { id: number }) =>
        timers.delete(handle.id),
      ) as never;
      globalThis.clearInterval = vi.fn() as never;
    },
    advance(ms) {
      const until = now + ms;
      for (;;) {
        const due = [...timers]
          .filter(([, { at }]) => at <= until)
          .sort(([, a], [, b]) => a.at - b.at);
        const [first] = due;
        if (first === undefined) break;
        timers.delete(first[0]);
        now = first[1].at;
        first[1].callback();
      }
      now = until;
    },
    restore() {
      Object.assign(globalThis, {
        setTimeout: arm,
        clearTimeout: clear,
        setInterval: repeat,
        clearInterval: end,
      });
    },
  };
}

/** Such as FakeTime of Deno's standard library. */
function unknownFakes(): Fakes {
  const { setTimeout: arm, clearTimeout: clear, Date: RealDate } = globalThis;
  const timers = vitestFakes();
  return {
    install() {
      timers.install();
      const { setTimeout: set, clearTimeout: unset } = globalThis;
      const OtherDate = globalThis.Date;
      timers.restore();
      globalThis.setTimeout = ((callback: () => void, ms: number) => set(callback, ms)) as never;
      globalThis.clearTimeout = ((id: never) => unset(id)) as never;
      const now = (): number => OtherDate.now();
      globalThis.Date = Object.assign(function FakeDate() {}, { now }) as never;
      this.advance = (ms) =>
        void (set as unknown as { clock: { tick(ms: number): void } }).clock.tick(ms);
    },
    advance() {},
    restore() {
      Object.assign(globalThis, { setTimeout: arm, clearTimeout: clear, Date: RealDate });
    },
  };
}

describe('the time source', () => {
  const KEY = Symbol.for('temper.time.2');
  const shared = globalThis as { [KEY]?: unknown };

  it('is shared by all copies of core, and no global is changed at import', async () => {
    onTestFinished(() => void vi.useRealTimers());
    monotonic(); // the first to be used, whichever test is the first
    const first = shared[KEY];
    vi.resetModules();
    const copy = await import('./clock.ts');
    vi.useFakeTimers();
    vi.advanceTimersByTime(1000);
    expect(copy.systemClock.monotonic()).toBe(monotonic());
    expect(shared[KEY]).toBe(first);
    vi.useRealTimers();

    delete shared[KEY];
    vi.resetModules();
    const other = await import('./clock.ts');
    expect(shared[KEY]).toBeUndefined();
    other.systemClock.monotonic();
    expect(shared[KEY]).toBeDefined();
    shared[KEY] = first;
  });
});
