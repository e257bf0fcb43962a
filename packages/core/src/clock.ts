import { listenForAbort, stopListening } from './abort-listener.ts';
import { checkNumber, methodsRule, type OptionRule, Replaced } from './options.ts';
import { reportCallbackError } from './telemetry/diagnostics.ts';
import { type MovableTimer, timeSource } from './time-source.ts';

/** A callback that is scheduled. */
export interface Scheduled {
  /** Cancels it; does nothing when it has run. */
  cancel(): void;
  /** Lets it keep the process alive (the initial state). */
  ref(): void;
  /** Lets the process end without it. */
  unref(): void;
}

/** The source of time of every policy. Inject another one to test without waiting. */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch. For timestamps, never for durations. */
  now(): number;
  /** Milliseconds that never go back. For durations and deadlines. */
  monotonic(): number;
  /**
   * Resolves after `ms` milliseconds (any non-negative number; `Infinity` waits for the abort).
   *
   * @throws {RangeError} (as a rejection) when `ms` is negative or NaN
   * @throws `signal.reason`, at once, when the signal aborts
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Calls `callback` once after `ms` milliseconds.
   *
   * @throws {RangeError} when `ms` is negative or NaN
   */
  schedule(callback: () => void, ms: number): Scheduled;
}

/** Node stores delays in 32 bits and fires longer ones at once; they are waited for in parts. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What `setTimeout` returns: an object in Node, a number in browsers and under jsdom. */
type Timer = ReturnType<typeof setTimeout>;

/**
 * A timer that does not keep the process alive is work in the background, such as a check that is repeated. It
 * moves along when a test replaces the timer functions, or puts them back, with what is left of its time. One
 * that does is waited for by a call, and stays with the functions that the call began with.
 */
class SystemTimer implements Scheduled, MovableTimer {
  #timer: Timer | undefined;
  /** Of the functions that armed it: a timer can be cancelled by these alone. */
  #clear: typeof clearTimeout | undefined;
  #refed = true;
  /** Known from the first {@link unref} on. */
  #dueAt: number | undefined;
  /** Whether a test had replaced those functions. */
  #fake = false;
  #armed = 0;
  #partMs = 0;
  #restMs = 0;
  readonly #callback: () => void;

  constructor(callback: () => void, ms: number) {
    this.#callback = callback;
    checkNumber('clock', 'ms', ms, { min: 0 });
    // Node drops the fraction, and would fire early.
    this.#arm(Math.ceil(ms));
  }

  #arm(ms: number): void {
    const part = Math.min(ms, MAX_TIMER_MS);
    const dueAt = timeSource().countsTimers ? timeSource().monotonic() + part : undefined;
    this.#partMs = part;
    this.#restMs = ms - part;
    this.#clear = clearTimeout;
    this.#fake = timeSource().epoch === undefined;
    const armed = ++this.#armed;
    this.#timer = setTimeout(() => {
      if (armed !== this.#armed || !(this.#fake || timeSource().isThere)) return;
      if (dueAt !== undefined) timeSource().fired(dueAt);
      if (part === ms) {
        this.#over();
        this.#callback();
      } else {
        this.#arm(ms - part);
      }
    }, part);
    if (this.#dueAt !== undefined) this.#dueAt = timeSource().monotonic() + part;
    if (!this.#refed) keepAlive(this.#timer, false);
  }

  #over(): void {
    this.#timer = undefined;
    if (this.#dueAt !== undefined) timeSource().letGo(this);
  }

  #drop(): void {
    this.#armed++;
    const clear = this.#clear;
    // Fakes that were put away forget their timers, and those of node:test take a later one for it.
    if (!this.#fake || clear === clearTimeout) clear?.(this.#timer);
  }

  move(isGone = false): void {
    if (this.#refed || this.#timer === undefined || this.#dueAt === undefined) return;
    if (!isGone) this.#drop();
    this.#arm(Math.max(0, Math.ceil(this.#dueAt - timeSource().monotonic())) + this.#restMs);
  }

  cancel(): void {
    if (this.#timer === undefined) return;
    this.#drop();
    this.#over();
  }

  ref(): void {
    this.#refed = true;
    if (this.#timer !== undefined) keepAlive(this.#timer, true);
  }

  unref(): void {
    this.#refed = false;
    if (this.#timer === undefined) return;
    keepAlive(this.#timer, false);
    if (this.#dueAt !== undefined) return;
    // As background work does this at once, that the whole time is left.
    this.#dueAt = timeSource().monotonic() + this.#partMs;
    timeSource().keep(this);
  }
}

/** Does nothing where timers are numbers. Deno has numbers too, and functions for it. */
function keepAlive(timer: Timer | number, keep: boolean): void {
  if (typeof timer !== 'number') {
    if (keep) timer.ref?.();
    else timer.unref?.();
    return;
  }
  const { Deno } = globalThis as { Deno?: DenoTimers };
  if (keep) Deno?.refTimer?.(timer);
  else Deno?.unrefTimer?.(timer);
}

interface DenoTimers {
  refTimer?(timer: number): void;
  unrefTimer?(timer: number): void;
}

/** The system clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => timeSource().monotonic(),
  schedule: (callback, ms) => new SystemTimer(callback, ms),
  sleep: (ms, signal) => sleepOn(systemClock, ms, signal),
};

/**
 * Identifies the timer functions that a timer armed now belongs to. A timer that several calls share must
 * be armed anew when it changes: test runners replace the functions, and the timer stays with the old ones.
 *
 * @returns `undefined` while a test has replaced them: no timer may be shared then
 */
export function timerEpoch(clock: Clock): number | undefined {
  return clock.schedule === systemClock.schedule ? timeSource().epoch : 0;
}

/** {@link Clock.sleep} for any clock that can schedule. */
export function sleepOn(
  clock: Pick<Clock, 'schedule'>,
  ms: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    if (signal === undefined) {
      clock.schedule(resolve, ms);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal.reason);
    };
    const timer = clock.schedule(() => {
      stopListening(signal, onAbort);
      resolve();
    }, ms);
    listenForAbort(signal, onAbort);
  });
}

/**
 * A clock of the user's, of which no error can take the place of the result of a call: an error of a
 * reading is logged, and the last reading stays; an error of a timer that is cancelled is logged. What
 * `schedule` and `sleep` throw is thrown: nothing would happen later.
 */
class GuardedClock implements Clock {
  readonly schedule: Clock['schedule'];
  readonly #clock: Clock;
  #now = 0;
  #monotonic = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.schedule =
      clock.schedule === systemClock.schedule
        ? systemClock.schedule // whose timers throw nothing
        : (callback, ms) => new GuardedTimer(clock.schedule(callback, ms));
  }

  now(): number {
    try {
      this.#now = this.#clock.now();
    } catch (error) {
      reportCallbackError('clock', 'now', error);
    }
    return this.#now;
  }

  monotonic(): number {
    try {
      this.#monotonic = this.#clock.monotonic();
    } catch (error) {
      reportCallbackError('clock', 'monotonic', error);
    }
    return this.#monotonic;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal);
  }
}

class GuardedTimer implements Scheduled {
  readonly #timer: Scheduled;

  constructor(timer: Scheduled) {
    this.#timer = timer;
  }

  cancel(): void {
    this.#try('cancel');
  }

  ref(): void {
    this.#try('ref');
  }

  unref(): void {
    this.#try('unref');
  }

  #try(method: 'cancel' | 'ref' | 'unref'): void {
    try {
      this.#timer[method]();
    } catch (error) {
      reportCallbackError('clock', method, error);
    }
  }
}

const methods = methodsRule('now', 'monotonic', 'sleep', 'schedule');

/** Holds an option to the methods of a {@link Clock}, whose errors are then kept from the calls. */
export const clockRule: OptionRule = (owner, option, value) => {
  methods(owner, option, value);
  const clock = value as Clock;
  if (clock === systemClock || clock instanceof GuardedClock) return undefined;
  return new Replaced(new GuardedClock(clock));
};
