import type { CallOptions, Operation } from '@temper/core';
import type { RecoveryOutcomeName } from '../semconv.ts';
import type { HistoryQuery, RecoveryRecord } from './history.ts';
import type { RecoveryPlan, RecoveryStrategy } from './plan.ts';
import type { Suggestion } from './tuning.ts';

/** The result of an execution. */
export type RecoveryResult<T> =
  | {
      readonly ok: true;
      readonly value: T;
      /** The strategy that recovered it; absent when the first call succeeded. */
      readonly recoveredBy?: 'retry' | 'fallback';
    }
  | {
      readonly ok: false;
      readonly error: unknown;
      /** The partial result of `graceful_degrade`; absent without one. */
      readonly degraded?: unknown;
    };

/**
 * Options of one execution: those of a call, except `operation`, which is the plan's. Unknown keys,
 * `null` and wrong types are refused with a `TypeError`, numbers out of range with a `RangeError`.
 */
export interface RecoverOptions extends Omit<CallOptions, 'operation'> {
  /** The arguments of the operation, for its handlers. @defaultValue [] */
  readonly args?: readonly unknown[] | undefined;
}

/** What a plan has done since it was created. Plain data. */
export interface RecoveryStats {
  readonly operation: string;
  readonly strategies: readonly RecoveryStrategy[];
  readonly executions: Readonly<Record<RecoveryOutcomeName, number>>;
  /** Executions that have begun and not ended. */
  readonly inFlight: number;
  /** The state of the plan's circuit; `undefined` without `circuit_break`. */
  readonly circuit: string | undefined;
}

/** One operation under its plan. */
export interface Recovery extends Disposable {
  readonly operation: string;
  readonly plan: RecoveryPlan;
  /**
   * Runs `fn` under the plan. Never rejects: invalid options too are a result with `ok: false`, whose
   * `error` is the `TypeError` or `RangeError`.
   */
  execute<T>(fn: Operation<T>, options?: RecoverOptions): Promise<RecoveryResult<Awaited<T>>>;
  /**
   * As {@link execute}, but resolves to the value.
   *
   * @throws what the execution failed with, unchanged (as a rejection)
   * @throws {DegradedResultError} (as a rejection) when there is a partial result
   * @throws {TypeError | RangeError} (as a rejection) when an option is unknown or out of range
   */
  run<T>(fn: Operation<T>, options?: RecoverOptions): Promise<Awaited<T>>;
  /** The latest executions that match the query, the oldest first. */
  history(query?: HistoryQuery): readonly RecoveryRecord[];
  stats(): RecoveryStats;
  /** Durations for the plan, from observed latencies; `undefined` before 100 calls succeeded. */
  suggest(): Suggestion | undefined;
}
