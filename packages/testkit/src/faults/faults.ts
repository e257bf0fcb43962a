/**
 * What happens to a call: it `passes`, it never ends (`hang`, until its signal aborts), it fails with an
 * `error`, it returns a `value`, or it is late.
 */
export type Fault =
  | 'pass'
  | 'hang'
  | { readonly error: unknown }
  | { readonly value: unknown }
  | { readonly delayMs: number };

/** Says what happens to the next call. */
export type FaultPlan<F = Fault> = () => F | 'pass';

/** One fault for each call, in order; all later calls pass. */
export function inSequence<const Faults extends readonly unknown[]>(
  ...faults: Faults
): FaultPlan<Faults[number]> {
  let call = 0;
  return () => faults[call++] ?? 'pass';
}

/**
 * The same fault for a share of the calls.
 *
 * @param rate - from 0 to 1
 * @param random - such as `seededRandom(1)`, so that runs are repeatable
 * @throws {RangeError} unless 0 <= `rate` <= 1
 */
export function atRate<F = Fault>(rate: number, fault: F, random: () => number): FaultPlan<F> {
  if (!(rate >= 0 && rate <= 1))
    throw new RangeError(`atRate: rate must be from 0 to 1, got ${rate}.`);
  return () => (random() < rate ? fault : 'pass');
}

/** The part of a clock that a late call needs; a `ManualClock` fits. */
export interface Sleeper {
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A function with faults. */
export interface Faulty {
  /** How often it was called. */
  readonly calls: number;
}

/** Settings of {@link faulty}. */
export interface FaultyOptions {
  /**
   * Waits for `delayMs`.
   *
   * @defaultValue real timers
   */
  readonly clock?: Sleeper;
}

/**
 * Wraps a function so that faults happen to its calls. An operation of a Temper policy fits: a fault ends with
 * the `signal` of the first argument that has one.
 *
 * ```ts
 * const down = Object.assign(new Error('connection lost'), { code: 'ECONNRESET' });
 * const load = faulty(() => 'orders', inSequence({ error: down }, { error: down }));
 * await retry({ clock }).execute(load);
 * ```
 */
export function faulty<Args extends readonly unknown[], R>(
  fn: (...args: Args) => R,
  plan: FaultPlan,
  options: FaultyOptions = {},
): ((...args: Args) => Promise<Awaited<R>>) & Faulty {
  const state = { calls: 0 };
  const wrapped = async (...args: Args): Promise<Awaited<R>> => {
    state.calls++;
    const fault = plan();
    if (fault === 'pass') return await fn(...args);
    if (fault === 'hang') return await untilAbort(signalOf(args));
    if ('error' in fault) throw fault.error;
    if ('value' in fault) return fault.value as Awaited<R>;
    await late(fault.delayMs, options.clock, signalOf(args));
    return await fn(...args);
  };
  return Object.defineProperty(wrapped as typeof wrapped & Faulty, 'calls', {
    get: () => state.calls,
  });
}

function signalOf(args: readonly unknown[]): AbortSignal | undefined {
  for (const arg of args) {
    const { signal } = (arg ?? {}) as { signal?: AbortSignal };
    if (signal !== undefined && signal !== null) return signal;
  }
  return undefined;
}

/** Never ends, but with the reason of the signal. */
export function untilAbort(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const end = (): void => reject(signal?.reason);
    if (signal?.aborted === true) end();
    else signal?.addEventListener('abort', end, { once: true });
  });
}

/** Waits on the clock, or in real time. */
export function late(
  ms: number,
  clock: Sleeper | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (clock !== undefined) return clock.sleep(ms, signal);
  return Promise.race([
    new Promise<void>((resolve) => setTimeout(resolve, ms)),
    untilAbort(signal),
  ]);
}
