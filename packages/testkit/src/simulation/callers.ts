import type { ManualClock } from '../manual-clock.ts';
import { exponential } from './chance.ts';
import type { CallerOptions, SimulatedCallOptions } from './options.ts';
import { errorLabel, type TraceEvent } from './trace.ts';

const DEFAULT_TIMEOUT_MS = 2000;
const DEFAULT_PER_SECOND = 20;

interface CallersInit {
  readonly clock: ManualClock;
  /** Milliseconds since the start. */
  readonly elapsed: () => number;
  readonly random: () => number;
  readonly options: CallerOptions;
  readonly trace: TraceEvent[];
  readonly execute: (call: number, options: SimulatedCallOptions) => Promise<unknown>;
  /** When the dependency gave a value; `undefined` if it comes from elsewhere. */
  readonly answeredAt: (value: unknown) => number | undefined;
}

/** Makes calls, and writes down how they begin and end. */
export class Callers {
  /** Calls that have not ended. */
  running = 0;
  readonly #init: CallersInit;
  readonly #timeoutMs: number;
  readonly #signals = new Set<CountedSignal>();
  #calls = 0;

  constructor(init: CallersInit) {
    this.#init = init;
    this.#timeoutMs = init.options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  }

  /** Listeners that are left on the signals of calls that have ended. */
  get listeners(): number {
    let count = 0;
    for (const signal of this.#signals) count += signal.listeners;
    return count;
  }

  /** Makes calls for so long. */
  start(durationMs: number): void {
    const { clock, elapsed, random, options } = this.#init;
    const { perSecond = DEFAULT_PER_SECOND, arrivals = 'poisson' } = options;
    const next = (): void => {
      const rate = typeof perSecond === 'number' ? perSecond : perSecond(elapsed());
      const meanMs = 1000 / rate;
      const ms = arrivals === 'even' ? meanMs : exponential(meanMs, random);
      if (elapsed() + ms >= durationMs) return;
      const arrive = (): void => {
        next();
        this.#call();
      };
      clock.schedule(arrive, ms).unref();
    };
    next();
  }

  #call(): void {
    const { clock, elapsed, random, options, trace } = this.#init;
    const call = this.#calls++;
    const startedAt = elapsed();
    const signal = new CountedSignal();
    const timeoutMs = this.#timeoutMs;
    const further = options.options?.(call, random) ?? {};
    if ((options.abortShare ?? 0) > 0 && random() < (options.abortShare ?? 0)) {
      const timer = clock.schedule(() => signal.abort(), random() * timeoutMs);
      timer.unref();
    }
    trace.push({ atMs: startedAt, type: 'call', call });
    this.running++;
    this.#signals.add(signal);
    const end = (value: unknown, error?: string): void => {
      this.running--;
      if (signal.listeners === 0) this.#signals.delete(signal);
      trace.push({
        atMs: elapsed(),
        type: 'end',
        call,
        end: this.#endOf(value, error, startedAt, signal.isAborted),
        ...(error === undefined ? {} : { error }),
      });
    };
    this.#execute(call, { ...further, signal: signal.signal, timeoutMs }).then(
      (value) => end(value),
      (error) => end(undefined, errorLabel(error)),
    );
  }

  async #execute(call: number, options: SimulatedCallOptions): Promise<unknown> {
    return this.#init.execute(call, options);
  }

  #endOf(value: unknown, error: string | undefined, startedAt: number, isAborted: boolean) {
    const { elapsed, answeredAt, options } = this.#init;
    if (isAborted) return 'aborted' as const;
    if (error !== undefined) return 'failed' as const;
    if (elapsed() - startedAt > this.#timeoutMs) return 'late' as const;
    const answered = answeredAt(value) ?? Number.NEGATIVE_INFINITY;
    return answered >= startedAt - (options.freshMs ?? 0)
      ? ('answered' as const)
      : ('degraded' as const);
  }
}

/** The signal of a caller, whose listeners are counted. */
class CountedSignal {
  readonly #controller: AbortController = new AbortController();
  readonly #listeners = new Set<unknown>();

  constructor() {
    const { signal } = this.#controller;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>): void => {
      if (!signal.aborted) this.#listeners.add(args[1]);
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>): void => {
      this.#listeners.delete(args[1]);
      removeEventListener.apply(signal, args);
    };
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get isAborted(): boolean {
    return this.signal.aborted;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  abort(): void {
    this.#listeners.clear();
    this.#controller.abort(new Error('the caller has gone'));
  }
}
