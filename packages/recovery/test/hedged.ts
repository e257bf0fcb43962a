import { ManualClock } from '@temper/testkit/clock';
import { type HedgeOptions, type HedgePolicy, hedge } from '../src/index.ts';

/** A transient error. */
export const busy = (): Error => Object.assign(new Error('busy'), { code: 'ECONNRESET' });

/** A hedge with a delay of 100 ms on a clock of its own. */
export function make(options: HedgeOptions = {}): { clock: ManualClock; policy: HedgePolicy } {
  const clock = new ManualClock();
  return { clock, policy: hedge({ delayMs: 100, clock, ...options }) };
}

/** One call of an operation: how long it takes, and how it ends. */
interface Step {
  readonly ms: number;
  readonly error?: unknown;
  readonly value?: unknown;
}

/** An operation that ends call by call as the script says. */
export function scripted(clock: ManualClock, ...script: readonly Step[]) {
  const signals: AbortSignal[] = [];
  const operation = async ({ signal }: { signal: AbortSignal }): Promise<unknown> => {
    const step = script[signals.length];
    signals.push(signal);
    if (step === undefined) throw new Error('called too often');
    await clock.sleep(step.ms, signal);
    if ('error' in step) throw step.error;
    return step.value;
  };
  return { operation, signals };
}
