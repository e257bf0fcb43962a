import type { ExecutionContext } from '@temper/core';
import { type RecoveryPlan, resolvePlan } from './plan.ts';

/** Where a function carries its plan, whichever installed copy of this package put it there. */
const PLAN = Symbol.for('temper.recovery.plan');

/** A function that can be put under a plan: it is given the call's signal and deadline first. */
export type PlannedFunction<Args extends readonly unknown[], R> = (
  context: ExecutionContext,
  ...args: Args
) => R;

/**
 * Writes a plan beside the function that it is for. The function stays as it is; `recoveries`
 * puts the plan in force when the function is registered.
 *
 * ```ts
 * export const fetchPackage = withPlan(
 *   { operation: 'fetch_package', maxRetries: 3 },
 *   ({ signal }, name: string) => registry.get(name, signal),
 * );
 * ```
 *
 * @returns the same function
 * @throws {TypeError | RangeError} when the plan does not hold, unless it names handlers, which are
 * looked up when the function is registered
 */
export function withPlan<F extends PlannedFunction<never, unknown>>(plan: RecoveryPlan, fn: F): F {
  const named = typeof plan.fallback === 'string' || typeof plan.degrade === 'string';
  if (!named) resolvePlan(plan);
  Object.defineProperty(fn, PLAN, { value: plan, configurable: true });
  return fn;
}

/** The plan that stands beside a function, if one does. */
export function planOf(fn: unknown): RecoveryPlan | undefined {
  return typeof fn === 'function' ? (fn as { [PLAN]?: RecoveryPlan })[PLAN] : undefined;
}
