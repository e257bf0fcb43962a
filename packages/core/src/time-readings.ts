/** Something that monotonic time can be read from. */
export interface TimeReading {
  /** Whether a test has replaced the functions that time or timers come from. */
  readonly replaced: boolean;
  /** Whether time may go back, or change its source, while the functions stay the same. */
  readonly unsteady: boolean;
  /** The first reading: what `read` returned when the functions were put in place. */
  readonly start: number;
  /** Milliseconds on a scale of its own. */
  read(): number;
  /** Only of fakes without a clock: told that a timer fired which was due at this reading. */
  fired?(at: number): void;
  /** Cancels what it needs timers for. */
  stop?(): void;
}

/** The function that arms a timer. */
export type SetTimeout = typeof globalThis.setTimeout;

/** Timers and `performance.now` of the process. */
export interface RealTime extends TimeReading {
  readonly setTimeout: SetTimeout;
  readonly now: () => number;
}

const noop = (): void => {};

const REPLACED = { replaced: true, unsteady: true } as const;

/**
 * What the present timer functions go by. Fakes are recognised by what sets them apart, since wrapped timers
 * are not fakes: monitoring agents wrap them in production, and tests spy on them.
 *
 * @param real - the process's own functions, where they have been seen
 * @param known - every `setTimeout` that was seen to be real: an agent may wrap it, and put the former one back
 */
export function presentTime(
  real: RealTime | undefined,
  known: WeakSet<SetTimeout>,
): TimeReading | RealTime {
  return (
    timeOfSinon() ??
    timeOfNodeTest() ??
    timeOfLegacyJest() ??
    (real !== undefined && !known.has(setTimeout) ? timeOfFakeDate() : undefined) ??
    timeOfPerformance(real)
  );
}

/** `@sinonjs/fake-timers`, and what stands on it: Sinon, Vitest, Jest. Its functions point to their clock. */
function timeOfSinon(): TimeReading | undefined {
  // A spy on one of them hides the property of that one.
  const clock = clockOf(setTimeout) ?? clockOf(clearTimeout);
  return clock && { ...REPLACED, start: 0, read: () => clock.performance.now() };
}

interface SinonClock {
  /** Begins with 0, and is there whether or not `performance` itself is replaced. */
  readonly performance: { now(): number };
}

function clockOf(timerFunction: unknown): SinonClock | undefined {
  const { clock } = timerFunction as { clock?: Partial<SinonClock> };
  return typeof clock?.performance?.now === 'function' ? (clock as SinonClock) : undefined;
}

/** Starts of `mock.timers` below this are a fake's own scale, and not an epoch that a test has set. */
const MAX_OWN_START_MS = 1e9;

/** `mock.timers` of `node:test`: only a pending timer shows its time, so one is armed and cancelled. */
function timeOfNodeTest(): TimeReading | undefined {
  if (setTimeout.name !== 'bound #createTimer') return undefined;
  const arm = setTimeout;
  const clear = clearTimeout;
  const read = (): number => {
    const timer = arm(noop, 0) as unknown as { readonly runAt?: number };
    clear(timer as never);
    return timer.runAt as number;
  };
  const first = read();
  if (typeof first !== 'number') return undefined;
  return { ...REPLACED, start: first < MAX_OWN_START_MS ? 0 : first, read };
}

/** Jest's legacy timers have no clock at all. */
function timeOfLegacyJest(): TimeReading | undefined {
  const replaced = [setTimeout, clearTimeout, setInterval, clearInterval].every(
    (timerFunction) => (timerFunction as { _isMockFunction?: unknown })._isMockFunction === true,
  );
  return replaced ? new TickedTime() : undefined;
}

/** Longest time that passes unread. Keeps `runAllTimers` finite. */
const MAX_UNREAD_MS = 86_400_000;

/**
 * Time of timer functions that have no clock, told by timers that fire one after another. Three digits of
 * what has passed since the last reading are exact, which takes less than 6000 timers for a day.
 */
class TickedTime implements TimeReading {
  readonly replaced = true;
  readonly unsteady = true;
  readonly start = 0;
  readonly #arm: SetTimeout = setTimeout;
  readonly #clear: typeof clearTimeout = clearTimeout;
  #now = 0;
  /** The reading, or the firing of a timer, from which ticks are counted. */
  #since = 0;
  #tick: ReturnType<SetTimeout> | undefined;

  read(): number {
    this.#restart();
    return this.#now;
  }

  fired(at: number): void {
    if (at <= this.#now) return;
    this.#now = at;
    this.#restart();
  }

  stop(): void {
    const clear = this.#clear;
    if (this.#tick !== undefined) clear(this.#tick);
    this.#tick = undefined;
  }

  #restart(): void {
    this.#since = this.#now;
    this.stop();
    this.#next();
  }

  #next(): void {
    const passed = this.#now - this.#since;
    this.#tick = undefined;
    if (passed >= MAX_UNREAD_MS) return;
    const step = passed < 1000 ? 1 : 10 ** (Math.floor(Math.log10(passed)) - 2);
    const arm = this.#arm;
    this.#tick = arm(() => {
      this.#now += step;
      this.#next();
    }, step);
  }
}

/** Fakes that are not known here, but replace `Date` as well. */
function timeOfFakeDate(): TimeReading | undefined {
  if (isNative(Date) && isNative(Date.now)) return undefined;
  const { now } = Date;
  return { ...REPLACED, start: now(), read: now };
}

function isNative(fn: unknown): boolean {
  return Function.prototype.toString.call(fn).includes('[native code]');
}

function timeOfPerformance(real: RealTime | undefined): RealTime {
  const { performance } = globalThis;
  const { now } = performance;
  const read = (): number => now.call(performance);
  if ('Bun' in globalThis) return timeOfBun(now, read);
  const replaced = real !== undefined && real.now !== now;
  return { setTimeout, now, read, replaced, unsteady: replaced, start: read() };
}

/** Bun replaces the time behind its functions, and leaves the functions as they are but for a mark. */
function timeOfBun(now: () => number, read: () => number): RealTime {
  return {
    setTimeout,
    now,
    read,
    unsteady: true,
    get replaced() {
      return Object.hasOwn(setTimeout, 'clock');
    },
    get start() {
      return this.replaced ? 0 : read();
    },
  };
}
