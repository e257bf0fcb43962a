import { presentTime, type RealTime, type SetTimeout, type TimeReading } from './time-readings.ts';

/** A timer that goes on by other timer functions when those that it was armed with are gone. */
export interface MovableTimer {
  /**
   * The timer functions were replaced or put back.
   *
   * @param isGone - whether the same functions have forgotten the timer, and must not be told of it
   */
  move(isGone?: boolean): void;
}

/** How often it is looked, in real time, whether a test has put the timer functions back. */
const LOOK_MS = 20;

/**
 * Where monotonic time comes from. Test runners replace the timer functions, and put them back, while
 * policies live on: so the functions are compared at each reading, and time is read from whatever fires
 * the timers. It goes on from one to the other, so that what began before the timers were replaced (an open
 * circuit, an empty bucket, a cached value) ends by the new time.
 *
 * As long as nothing is replaced, the price is two comparisons of references, and time is that of
 * `performance.now()`. The wall clock is never a source of it: nothing fires when that is stepped.
 */
export class TimeSource {
  #setTimeout: typeof setTimeout;
  /** Kept, since the global is a getter in Node, which takes longer than all the rest. */
  #performance: typeof performance;
  #now: () => number;
  /** Compared while timers are replaced: `node:test` makes a new one each time. */
  #date: typeof Date = Date;
  #present: TimeReading;
  #real: RealTime | undefined;
  /** The first real one: a wrapper that was taken away since, such as a spy, may do nothing. */
  #firstSetTimeout: SetTimeout | undefined;
  /** Every `setTimeout` that was the process's own, or that of an agent around it. */
  readonly #known = new WeakSet<SetTimeout>();
  /** Added to the present readings. */
  #offset = 0;
  #last = Number.NEGATIVE_INFINITY;
  /** Real time at the last reading of replaced functions, where it can be told. */
  #realAtLast: number | undefined;
  #epoch = 0;
  readonly #movable = new Set<MovableTimer>();
  #looking = false;

  constructor() {
    this.#setTimeout = setTimeout;
    this.#performance = performance;
    this.#now = performance.now;
    this.#present = presentTime(undefined, this.#known);
    this.#rememberReal();
  }

  /** Milliseconds that never go back. */
  monotonic(): number {
    if (this.#unchanged() && !this.#present.unsteady) return this.#performance.now() + this.#offset;
    return this.#checked();
  }

  /**
   * Identifies the functions that a timer armed now belongs to; `undefined` when a test has replaced
   * them. Then timers must not be shared, as the test may drop them without a trace.
   */
  get epoch(): number | undefined {
    if (!this.#unchanged()) this.#change();
    return this.#present.replaced ? undefined : this.#epoch;
  }

  /**
   * Whether the time can be read at all. When the tests of a file are over, Jest takes away the globals, and the fake
   * clock with them: to read it ends the process. Real timers still fire then.
   */
  get isThere(): boolean {
    try {
      this.#present.read();
      return typeof setTimeout === 'function';
    } catch {
      return false;
    }
  }

  /** Whether {@link fired} must be called for every timer that fires: time has no other source. */
  get countsTimers(): boolean {
    if (!this.#unchanged()) this.#change();
    return this.#present.fired !== undefined;
  }

  /** A timer fired that was due at this monotonic time. */
  fired(at: number): void {
    this.#present.fired?.(at - this.#offset);
  }

  /** Moves this timer whenever the functions change, until {@link letGo}. */
  keep(timer: MovableTimer): void {
    this.#movable.add(timer);
    if (this.#present.replaced) this.#look();
  }

  letGo(timer: MovableTimer): void {
    this.#movable.delete(timer);
  }

  /** A process that only waits for its timers reads no time, and would wait for those of a past test. */
  #look(): void {
    const later = this.#firstSetTimeout;
    if (this.#looking || later === undefined) return;
    this.#looking = true;
    const timer = later(() => {
      this.#looking = false;
      if (!this.isThere) return;
      if (this.epoch === undefined && this.#movable.size > 0) this.#look();
    }, LOOK_MS) as { unref?(): void };
    timer.unref?.();
  }

  #unchanged(): boolean {
    return setTimeout === this.#setTimeout && this.#performance.now === this.#now;
  }

  #checked(): number {
    if (!this.#unchanged()) this.#change();
    const present = this.#present;
    let reading = present.read();
    const isSetBack = reading + this.#offset < this.#last;
    if (isSetBack) {
      // The test has set its time back to the start.
      this.#offset = this.#last - Math.min(present.start, reading);
      reading = present.read();
    }
    this.#last = reading + this.#offset;
    this.#realAtLast = this.#real?.read();
    if (present.replaced && (isSetBack || this.#date !== Date)) {
      // Put away and put in place again, as between two tests: node:test has the same functions then.
      this.#date = Date;
      for (const timer of [...this.#movable]) timer.move(true);
    }
    return this.#last;
  }

  #change(): void {
    const before = this.#present;
    this.#last = Math.max(this.#last, before.read() + this.#offset);
    before.stop?.();
    this.#setTimeout = setTimeout;
    this.#performance = performance;
    this.#now = performance.now;
    this.#present = presentTime(this.#real, this.#known);
    this.#date = Date;
    this.#epoch++;
    let { start } = this.#present;
    if (before.replaced && !this.#present.replaced) {
      // Real time has gone on since replaced time was last read.
      start = Math.min(start, this.#realAtLast ?? start);
    }
    this.#rememberReal();
    const offset = this.#last - start;
    // A test that advances by the whole duration of something must find it over: without fractions.
    this.#offset = this.#present.replaced ? Math.ceil(offset) : offset;
    for (const timer of [...this.#movable]) timer.move();
    if (this.#present.replaced && this.#movable.size > 0) this.#look();
  }

  #rememberReal(): void {
    const present = this.#present as RealTime;
    if (present.replaced || present.now === undefined) return;
    this.#real = present;
    this.#firstSetTimeout ??= present.setTimeout;
    this.#known.add(present.setTimeout);
  }
}

const KEY: unique symbol = Symbol.for('temper.time.2');

/** Made at import, where it sees the functions before a test replaces them. */
const own = new TimeSource();
let chosen: TimeSource | undefined;

/**
 * The time source of this process. All copies of core share the one that was used first, so that their
 * readings can be compared. The import itself changes no global.
 */
export function timeSource(): TimeSource {
  if (chosen === undefined) {
    const shared = globalThis as { [KEY]?: TimeSource };
    chosen = shared[KEY] ?? own;
    shared[KEY] = chosen;
  }
  return chosen;
}
