import { type CircuitBreaker, circuitBreaker } from '@temper/breaker';
import type { Executor } from '@temper/core';
import { retry } from '@temper/retry';
import { type PipelinePolicy, pipeline } from '../pipeline/pipeline.ts';
import { timeout } from '../timeout/timeout.ts';
import type { ResolvedPlan } from './plan.ts';

/** What an operation is called through. */
export interface Guard {
  readonly pipeline: PipelinePolicy;
  readonly breaker: CircuitBreaker | undefined;
  /** Takes what the guard shows out of telemetry. */
  dispose(): void;
}

/**
 * Builds what a plan puts around the operation: its timeout, then retry and breaker in the plan's
 * order, then the timeout of one attempt.
 *
 * @throws {TypeError | RangeError | PipelineOrderError} when an option does not hold, or a time does
 * not fit into another
 */
export function guardOf(plan: ResolvedPlan): Guard {
  const { operation: name, clock, random } = plan;
  let breaker: CircuitBreaker | undefined;
  const guards = plan.strategies.flatMap((strategy): Executor[] => {
    if (strategy === 'retry') {
      return [
        retry({
          ...plan.retry,
          name,
          maxAttempts: plan.maxRetries + 1,
          initialDelayMs: plan.retryDelayMs,
          clock,
          random,
        }),
      ];
    }
    if (strategy === 'circuit_break') {
      breaker = circuitBreaker({ ...plan.breaker, name, clock });
      return [breaker];
    }
    return [];
  });
  const total = timeout({ name, timeoutMs: plan.timeoutMs, clock });
  const attempt =
    plan.attemptTimeoutMs === undefined
      ? []
      : [timeout({ name: `${name} attempt`, timeoutMs: plan.attemptTimeoutMs, clock })];
  const disposables = [total, ...attempt, ...(breaker === undefined ? [] : [breaker])];
  return {
    pipeline: pipeline({ name, clock }, total, ...guards, ...attempt),
    breaker,
    dispose: () => {
      for (const each of disposables) each[Symbol.dispose]();
    },
  };
}
