import type { Operation, Outcome } from '@temper/core';
import { type Call, decide } from '@temper/core/policy';
import { FallbackFailedError } from '../errors.ts';
import { type TimeoutPolicy, timeout } from '../timeout/timeout.ts';
import type { RecoverOptions, Recovery, RecoveryResult, RecoveryStats } from './contract.ts';
import { DegradedResultError, FailedResultError } from './errors.ts';
import { type Execution, Executions } from './executions.ts';
import { type Guard, guardOf } from './guard.ts';
import { type HistoryQuery, RecoveryHistory, type RecoveryRecord } from './history.ts';
import {
  type PlanEnvironment,
  type RecoveryHandler,
  type RecoveryPlan,
  type ResolvedPlan,
  resolvePlan,
} from './plan.ts';
import { PlanObserver } from './telemetry.ts';
import { type Suggestion, Tuning } from './tuning.ts';

/** Records that are kept by default. */
export const DEFAULT_HISTORY = 1000;

/** @internal Also created by {@link recoveries}, with a history that all plans share. */
export class PlannedRecovery implements Recovery {
  readonly operation: string;
  readonly plan: RecoveryPlan;
  readonly #plan: ResolvedPlan;
  readonly #guard: Guard;
  readonly #handlerTimeout: TimeoutPolicy;
  readonly #history: RecoveryHistory;
  readonly #tuning: Tuning;
  readonly #observer: PlanObserver;
  readonly #executions: Executions;

  constructor(
    plan: RecoveryPlan,
    environment: PlanEnvironment = {},
    history: RecoveryHistory = new RecoveryHistory(DEFAULT_HISTORY),
  ) {
    const resolved = resolvePlan(plan, environment);
    const { operation, timeoutMs, spans, clock, within } = resolved;
    const strategy = resolved.strategies.join('+');
    this.operation = operation;
    this.plan = plan;
    this.#plan = resolved;
    this.#guard = guardOf(resolved);
    this.#handlerTimeout = timeout({
      ...within,
      name: `${operation} handler`,
      timeoutMs,
      clock,
    });
    this.#history = history;
    this.#tuning = new Tuning(clock);
    this.#observer = new PlanObserver(operation, strategy, { spans, clock, ...within });
    this.#executions = new Executions({
      strategy,
      clock,
      history,
      observer: this.#observer,
    });
  }

  execute<T>(fn: Operation<T>, options?: RecoverOptions): Promise<RecoveryResult<Awaited<T>>> {
    return this.#executions.execute(this.operation, fn, options, (operation, call, execution) =>
      this.#steps(operation, call, execution),
    );
  }

  async run<T>(fn: Operation<T>, options?: RecoverOptions): Promise<Awaited<T>> {
    const result = await this.execute(fn, options);
    if (result.ok) return result.value;
    if (!('degraded' in result)) throw result.error;
    throw new DegradedResultError(this.operation, result.degraded, result.error);
  }

  /** The guarded calls, and then, one after the other, the handlers that answer in their place. */
  async #steps<T>(operation: Operation<T>, call: Call, execution: Execution): Promise<T> {
    let error: unknown;
    try {
      return await this.#guard.pipeline.runInCall(
        (each) => this.#call(operation, each as Call, execution),
        call,
      );
    } catch (thrown) {
      error = thrown;
    }
    const counts = this.#guard.countsAsFailure({ ok: false, error }, call);
    execution.failure = { error };
    // Facts first: nobody waits for the answer to a call that was ended from outside.
    if (call.endedBy !== undefined || !counts) throw error;
    for (const strategy of this.#plan.strategies) {
      const handler = strategy === 'fallback' ? this.#plan.fallback : this.#plan.degrade;
      if ((strategy !== 'fallback' && strategy !== 'graceful_degrade') || handler === undefined) {
        continue;
      }
      const outcome = await this.#handle(handler, error, call, execution);
      if (!outcome.ok) {
        if (call.endedBy !== undefined) throw outcome.error;
        error = new FallbackFailedError(this.operation, error, outcome.error);
      } else if (strategy === 'fallback') {
        execution.recoveredBy = 'fallback';
        return outcome.value as T;
      } else {
        execution.degraded = { value: outcome.value };
        throw error;
      }
    }
    throw error;
  }

  /** One call of the operation. A value that counts as failed becomes an error. */
  async #call<T>(operation: Operation<T>, call: Call, execution: Execution): Promise<T> {
    execution.attempts++;
    const { clock, shouldHandle } = this.#plan;
    const startedAt = clock.monotonic();
    const value = await operation(call);
    // A result that comes after the call was ended is not judged: a timeout has dropped it.
    if (shouldHandle !== undefined && call.endedBy === undefined) {
      if (decide(this.operation, shouldHandle, { ok: true, value }, call)) {
        throw new FailedResultError(this.operation, value);
      }
    }
    this.#tuning.took(clock.monotonic() - startedAt);
    return value;
  }

  async #handle(
    handler: RecoveryHandler,
    error: unknown,
    call: Call,
    { attempts, args, observed }: Execution,
  ): Promise<Outcome<unknown>> {
    const { operation } = this;
    const work = (): Promise<Outcome<unknown>> =>
      this.#handlerTimeout.tryExecute(
        (context) => handler({ operation, error, attempts, args, context }),
        { parent: call },
      );
    // Something went wrong, so there is a span for it now, and the handler's work is below it.
    observed?.span();
    return observed === undefined ? work() : observed.run(work);
  }

  history(query?: HistoryQuery): readonly RecoveryRecord[] {
    return this.#history.query({ ...query, operation: this.operation });
  }

  stats(): RecoveryStats {
    return {
      operation: this.operation,
      strategies: this.#plan.strategies,
      executions: { ...this.#observer.executions },
      inFlight: this.#executions.inFlight,
      circuit: this.#guard.breaker?.state,
    };
  }

  suggest(): Suggestion | undefined {
    return this.#tuning.suggest();
  }

  [Symbol.dispose](): void {
    this.#guard[Symbol.dispose]();
    this.#handlerTimeout[Symbol.dispose]();
    this.#observer[Symbol.dispose]();
  }
}

/**
 * Creates a recovery: one operation under its plan.
 *
 * ```ts
 * const fetchPackage = recover({ operation: 'fetch_package', strategy: ['retry', 'fallback'], fallback: fromCache });
 * const result = await fetchPackage.execute(({ signal }) => registry.get('std.text', signal));
 * ```
 *
 * @throws {TypeError | RangeError | PipelineOrderError} when the plan is invalid; the message names
 * operation, field, range and value
 */
export function recover(plan: RecoveryPlan, environment: PlanEnvironment = {}): Recovery {
  return new PlannedRecovery(plan, environment);
}
