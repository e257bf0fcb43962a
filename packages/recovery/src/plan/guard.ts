import { type CircuitBreaker, circuitBreaker } from '@temper/breaker';
import {
  type Executor,
  isFailure,
  isTransient,
  type Policy,
  type ShouldHandle,
} from '@temper/core';
import { decide } from '@temper/core/policy';
import { retry } from '@temper/retry';
import { type PipelinePolicy, pipeline } from '../pipeline/pipeline.ts';
import { timeout } from '../timeout/timeout.ts';
import { FailedResultError } from './errors.ts';
import type { ResolvedPlan } from './plan.ts';

/** The policies around an operation. */
export interface Guard extends Disposable {
  readonly pipeline: PipelinePolicy;
  readonly breaker: CircuitBreaker | undefined;
  /** Whether an error counts as a failure: the same answer for each strategy. */
  readonly countsAsFailure: ShouldHandle;
}

/**
 * Creates what a plan puts around the operation: its timeout, then retry and breaker in the plan's
 * order, then the timeout of one attempt.
 *
 * @throws {TypeError | RangeError | PipelineOrderError} when an option is invalid, or a time does not
 * fit into another
 */
export function guardOf(plan: ResolvedPlan): Guard {
  const { operation: name, clock, within } = plan;
  const countsAsFailure = failurePredicate(plan);
  let breaker: CircuitBreaker | undefined;
  const policies: Executor[] = [];
  const disposables: Disposable[] = [];
  for (const strategy of plan.strategies) {
    if (strategy === 'retry') {
      const retries = plannedRetry(plan, countsAsFailure);
      policies.push(retries);
      disposables.push(retries);
    }
    if (strategy === 'circuit_break') {
      // Without a predicate the breaker's own default is the same, and counts timeouts by fact.
      const own = plan.shouldHandle === undefined ? {} : { shouldHandle: countsAsFailure };
      breaker = circuitBreaker({ ...within, ...plan.breaker, ...own, name, clock });
      policies.push(breaker);
      disposables.push(breaker);
    }
  }
  const total = timeout({ ...within, name, timeoutMs: plan.timeoutMs, clock });
  disposables.push(total);
  if (plan.attemptTimeoutMs !== undefined) {
    const timeoutMs = plan.attemptTimeoutMs;
    const attempt = timeout({ ...within, name: `${name} attempt`, timeoutMs, clock });
    policies.push(attempt);
    disposables.push(attempt);
  }
  return {
    pipeline: pipeline({ name, clock }, total, ...policies),
    breaker,
    countsAsFailure,
    [Symbol.dispose]: () => {
      for (const each of disposables) each[Symbol.dispose]();
    },
  };
}

function failurePredicate({ operation, shouldHandle }: ResolvedPlan): ShouldHandle {
  if (shouldHandle === undefined) return isFailure;
  return (outcome, call) => {
    // The plan has judged values before its policies see them: those that count as failed are errors.
    if (outcome.ok) return false;
    const { error } = outcome;
    // That of a plan inside is judged like any error.
    if (error instanceof FailedResultError && error.policy === operation) return true;
    return decide(operation, shouldHandle, outcome, call);
  };
}

/** Retries what counts as a failure and is transient, or what the user's own predicate picks of it. */
function plannedRetry(plan: ResolvedPlan, countsAsFailure: ShouldHandle): Policy {
  const { operation: name, clock, random } = plan;
  const { shouldHandle, ...options } = plan.retry ?? {};
  // Without any predicate, the retry's own default is left to it: it warns of unknown errors.
  const isDefault = plan.shouldHandle === undefined && shouldHandle === undefined;
  const isRetried = shouldHandle ?? isTransient;
  const own: ShouldHandle = (outcome, call) =>
    countsAsFailure(outcome, call) && decide(name, isRetried, outcome, call);
  return retry({
    ...plan.within,
    ...options,
    ...(isDefault ? {} : { shouldHandle: own }),
    name,
    maxAttempts: plan.maxRetries + 1,
    initialDelayMs: plan.retryDelayMs,
    clock,
    random,
  });
}
