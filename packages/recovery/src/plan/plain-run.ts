import { type CallContext, type Clock, enterCall, type Operation, systemClock } from '@temper/core';
import { inWords, type RecoveryHistory } from './history.ts';
import { PlanMeter } from './plan-telemetry.ts';
import { outcomeOf, type RecoverOptions, type RecoveryResult } from './recovery.ts';

/** Named on metrics in place of operations without a plan, of which there may be any number. */
const UNPLANNED = 'unplanned';

/** Runs operations that have no plan: once, as they are, but on record. */
export class PlainRun {
  readonly #history: RecoveryHistory;
  readonly #clock: Clock;
  readonly #meter: PlanMeter;

  constructor(history: RecoveryHistory, clock: Clock = systemClock) {
    this.#history = history;
    this.#clock = clock;
    this.#meter = new PlanMeter(UNPLANNED, 'none', 'none', clock);
  }

  async execute<T>(
    operation: string,
    fn: Operation<T>,
    { args: _, ...options }: RecoverOptions,
  ): Promise<RecoveryResult<Awaited<T>>> {
    const startedAt = this.#clock.now();
    const at = this.#clock.monotonic();
    const telemetry = this.#meter.begin(options);
    let call: CallContext | undefined;
    const once = {
      runInCall: async <U>(work: Operation<U>, context: CallContext): Promise<U> => {
        call = context;
        return work(context);
      },
    };
    let result: RecoveryResult<Awaited<T>>;
    try {
      const value = await enterCall(once, fn, { ...options, operation }, this.#clock);
      result = { ok: true, value: value as Awaited<T> };
    } catch (error) {
      result = { ok: false, error };
    }
    const context = call as CallContext | undefined;
    const outcome = outcomeOf(result, context?.aborted ?? options.signal?.aborted ?? false);
    const elapsedMs = this.#clock.monotonic() - at;
    const error = result.ok ? undefined : result.error;
    this.#history.add({
      operation,
      strategy: 'none',
      outcome,
      recoveredBy: undefined,
      attempts: context === undefined ? 0 : 1,
      startedAt,
      elapsedMs,
      error: inWords(error),
    });
    telemetry.ended(outcome, result, error, elapsedMs);
    return result;
  }
}
