import {
  type CallContext,
  type ExecuteOptions,
  type ExecutionContext,
  enterCall,
  isTemperError,
  type Operation,
} from '@temper/core';
import { FallbackFailedError } from '../errors.ts';
import { ask } from '../predicate.ts';
import type { RecoveryOutcomeName } from '../semconv.ts';
import { type TimeoutPolicy, timeout } from '../timeout/timeout.ts';
import { DegradedResultError, FailedResultError } from './errors.ts';
import { FailureTrend, type Forecast } from './forecast.ts';
import { type Guard, guardOf } from './guard.ts';
import { type HistoryQuery, inWords, RecoveryHistory, type RecoveryRecord } from './history.ts';
import {
  type PlanEnvironment,
  type RecoveryHandler,
  type RecoveryPlan,
  type RecoveryStrategy,
  type ResolvedPlan,
  resolvePlan,
} from './plan.ts';
import { PlanMeter } from './plan-telemetry.ts';
import { type Suggestion, Tuning } from './tuning.ts';

/** What came of an execution. */
export type RecoveryResult<T> =
  | {
      readonly ok: true;
      readonly value: T;
      /** The strategy that saved it; absent when the first call succeeded. */
      readonly recoveredBy?: 'retry' | 'fallback';
    }
  | {
      readonly ok: false;
      readonly error: unknown;
      /** The partial result of `graceful_degrade`; absent without one. */
      readonly degraded?: unknown;
    };

/** What a caller may say about one execution. */
export interface RecoverOptions extends Omit<ExecuteOptions, 'operation'> {
  /** What the operation is called with, for its handlers to know. @defaultValue [] */
  readonly args?: readonly unknown[];
}

/** What a plan has done since it was made. */
export interface RecoveryStats {
  readonly operation: string;
  readonly strategies: readonly RecoveryStrategy[];
  readonly executions: Readonly<Record<RecoveryOutcomeName, number>>;
  readonly inFlight: number;
  /** The state of the plan's circuit; `undefined` without `circuit_break`. */
  readonly circuit: string | undefined;
}

/** One operation under its plan. */
export interface Recovery extends Disposable {
  readonly operation: string;
  readonly plan: RecoveryPlan;
  /** Runs `fn` under the plan. Never rejects. */
  execute<T>(fn: Operation<T>, options?: RecoverOptions): Promise<RecoveryResult<Awaited<T>>>;
  /**
   * As {@link execute}, but resolves to the value, and rejects with the error; with
   * `DegradedResultError` where there is a partial result.
   */
  run<T>(fn: Operation<T>, options?: RecoverOptions): Promise<Awaited<T>>;
  /** The last executions, those that the query asks for. */
  history(query?: HistoryQuery): readonly RecoveryRecord[];
  stats(): RecoveryStats;
  /** How the operation fares, and how it will if things go on as they do; see {@link Forecast}. */
  forecast(threshold?: number): Forecast;
  /** What the latencies observed suggest for the plan; `undefined` before there are enough of them. */
  suggest(): Suggestion | undefined;
}

/** What happens in one execution, as far as it has come. */
interface Run {
  attempts: number;
  readonly args: readonly unknown[];
  context: CallContext | undefined;
  /** What the operation itself failed with for good. */
  failure: { readonly error: unknown } | undefined;
  recoveredBy: 'fallback' | undefined;
  degraded: { readonly value: unknown } | undefined;
}

/** @internal Also made by {@link recoveries}, with a history that all plans share. */
export class PlannedRecovery implements Recovery {
  readonly operation: string;
  readonly plan: RecoveryPlan;
  readonly #plan: ResolvedPlan;
  readonly #guard: Guard;
  readonly #handlerTimeout: TimeoutPolicy;
  readonly #history: RecoveryHistory;
  readonly #meter: PlanMeter;
  readonly #tuning: Tuning;
  readonly #trend: FailureTrend;
  readonly #executions: Record<RecoveryOutcomeName, number> = {
    success: 0,
    recovered: 0,
    degraded: 0,
    failure: 0,
    aborted: 0,
  };
  #inFlight = 0;

  constructor(
    plan: RecoveryPlan,
    environment: PlanEnvironment = {},
    history: RecoveryHistory = new RecoveryHistory(DEFAULT_HISTORY),
  ) {
    const resolved = resolvePlan(plan, environment);
    const { operation, timeoutMs, clock } = resolved;
    this.operation = operation;
    this.plan = plan;
    this.#plan = resolved;
    this.#guard = guardOf(resolved);
    this.#handlerTimeout = timeout({ name: `${operation} handler`, timeoutMs, clock });
    this.#history = history;
    this.#tuning = new Tuning(clock);
    this.#trend = new FailureTrend(clock);
    this.#meter = new PlanMeter(operation, resolved.strategies.join('+'), resolved.spans, clock);
    this.#meter.observe(this.#trend);
  }

  async execute<T>(
    fn: Operation<T>,
    options: RecoverOptions = {},
  ): Promise<RecoveryResult<Awaited<T>>> {
    const { args = [], ...call } = options;
    const run: Run = {
      attempts: 0,
      args,
      context: undefined,
      failure: undefined,
      recoveredBy: undefined,
      degraded: undefined,
    };
    const { clock } = this.#plan;
    const begun = { wall: clock.now(), at: clock.monotonic() };
    this.#inFlight++;
    const end = this.#meter.begin(call);
    const steps = {
      runInCall: <U>(operation: Operation<U>, context: CallContext): Promise<U> =>
        end.within(() => this.#steps(operation, context, run)),
    };
    let result: RecoveryResult<Awaited<T>>;
    try {
      const labelled = { ...call, operation: this.operation };
      const value = (await enterCall(steps, fn, labelled, clock)) as Awaited<T>;
      const by = run.recoveredBy ?? (run.attempts > 1 ? 'retry' : undefined);
      result = { ok: true, value, ...(by === undefined ? {} : { recoveredBy: by }) };
    } catch (error) {
      const { degraded } = run;
      result = { ok: false, error, ...(degraded && { degraded: degraded.value }) };
    }
    this.#inFlight--;
    const aborted = run.context?.aborted ?? call.signal?.aborted ?? false;
    const outcome = outcomeOf(result, aborted);
    const elapsedMs = clock.monotonic() - begun.at;
    this.#executions[outcome]++;
    const failed = run.failure !== undefined || !result.ok;
    if (outcome !== 'aborted') this.#trend.record(failed, elapsedMs);
    const error = run.failure?.error ?? (result.ok ? undefined : result.error);
    this.#history.add({
      operation: this.operation,
      strategy: this.#plan.strategies.join('+'),
      outcome,
      recoveredBy: result.ok ? result.recoveredBy : undefined,
      attempts: run.attempts,
      startedAt: begun.wall,
      elapsedMs,
      error: inWords(error),
    });
    end.ended(outcome, result, error, elapsedMs);
    return result;
  }

  async run<T>(fn: Operation<T>, options?: RecoverOptions): Promise<Awaited<T>> {
    const result = await this.execute(fn, options);
    if (result.ok) return result.value;
    if (!('degraded' in result)) throw result.error;
    throw new DegradedResultError(this.operation, result.degraded, result.error);
  }

  /** The guarded calls, and then, one after the other, what may answer in their place. */
  async #steps<T>(operation: Operation<T>, context: CallContext, run: Run): Promise<T> {
    run.context = context;
    try {
      return await this.#guard.pipeline.runInCall(
        (each) => this.#call(operation, each, run),
        context,
      );
    } catch (error) {
      run.failure = { error };
      if (context.aborted) throw error;
    }
    let { error } = run.failure;
    for (const strategy of this.#plan.strategies) {
      const handler = strategy === 'fallback' ? this.#plan.fallback : this.#plan.degrade;
      if ((strategy !== 'fallback' && strategy !== 'graceful_degrade') || handler === undefined) {
        continue;
      }
      try {
        const value = await this.#handle(handler, error, context, run);
        if (strategy === 'graceful_degrade') {
          run.degraded = { value };
          throw error;
        }
        run.recoveredBy = 'fallback';
        return value as T;
      } catch (failed) {
        if (run.degraded !== undefined || context.aborted) throw failed;
        error = new FallbackFailedError(this.operation, error, failed);
      }
    }
    throw error;
  }

  async #call<T>(operation: Operation<T>, context: ExecutionContext, run: Run): Promise<T> {
    run.attempts++;
    const { clock, isFailure } = this.#plan;
    const startedAt = clock.monotonic();
    const value = await operation(context);
    if (isFailure !== undefined && ask(isFailure, value)) {
      throw new FailedResultError(this.operation, value);
    }
    this.#tuning.took(clock.monotonic() - startedAt);
    return value;
  }

  #handle(
    handler: RecoveryHandler,
    error: unknown,
    context: CallContext,
    { attempts, args }: Run,
  ): Promise<unknown> {
    const { operation } = this;
    return this.#handlerTimeout.execute(
      (own) => handler({ operation, error, attempts, args, context: own }),
      context,
    );
  }

  history(query?: HistoryQuery): readonly RecoveryRecord[] {
    return this.#history.query({ ...query, operation: this.operation });
  }

  stats(): RecoveryStats {
    return {
      operation: this.operation,
      strategies: this.#plan.strategies,
      executions: { ...this.#executions },
      inFlight: this.#inFlight,
      circuit: this.#guard.breaker?.state,
    };
  }

  forecast(threshold = 0.5): Forecast {
    return this.#trend.forecast(threshold);
  }

  suggest(): Suggestion | undefined {
    return this.#tuning.suggest();
  }

  [Symbol.dispose](): void {
    this.#guard.dispose();
    this.#handlerTimeout[Symbol.dispose]();
    this.#meter[Symbol.dispose]();
  }
}

/** Records kept unless said otherwise. */
export const DEFAULT_HISTORY = 1000;

/** How an execution ended that had `result`. */
export function outcomeOf(result: RecoveryResult<unknown>, aborted: boolean): RecoveryOutcomeName {
  if (result.ok) return result.recoveredBy === undefined ? 'success' : 'recovered';
  if ('degraded' in result) return 'degraded';
  return aborted || isTemperError(result.error, 'DEADLINE_EXCEEDED') ? 'aborted' : 'failure';
}

/**
 * Puts a plan in force for one operation.
 *
 * ```ts
 * const fetchPackage = recover({ operation: 'fetch_package', strategy: ['retry', 'fallback'], fallback: fromCache });
 * const result = await fetchPackage.execute(({ signal }) => registry.get('std.text', signal));
 * ```
 *
 * @throws {TypeError | RangeError | PipelineOrderError} at once, when the plan does not hold: the
 * message names operation, field, what it may be and what it is
 */
export function recover(plan: RecoveryPlan, environment: PlanEnvironment = {}): Recovery {
  return new PlannedRecovery(plan, environment);
}
