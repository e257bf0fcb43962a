import type { CallContext } from '@temper/core';
import { checkType } from '@temper/core/policy';
import { type RecoveryPlan, resolvePlan } from './plan.ts';

/** The property that holds a function's plan; the same for every installed copy of this package. */
const PLAN = Symbol.for('temper.recovery.plan');

/** A function that can run under a plan: its first parameter is the call's context. */
export type PlannedFunction<Args extends readonly unknown[], R> = (
  context: CallContext,
  ...args: Args
) => R;

/**
 * Attaches a plan to a function. The function itself does not change; `recoveries` applies the plan
 * when the function is registered.
 *
 * ```ts
 * export const fetchPackage = withPlan(
 *   { operation: 'fetch_package', maxRetries: 3 },
 *   ({ signal }, name: string) => registry.get(name, signal),
 * );
 * ```
 *
 * @returns the same function
 * @throws {TypeError | RangeError} when the plan is invalid. A plan that names handlers is checked when
 * the function is registered, where the names are looked up.
 */
export function withPlan<F extends PlannedFunction<never, unknown>>(plan: RecoveryPlan, fn: F): F {
  checkType('withPlan', 'fn', fn, 'function');
  const named = typeof plan.fallback === 'string' || typeof plan.degrade === 'string';
  if (!named) resolvePlan(plan);
  Object.defineProperty(fn, PLAN, { value: plan, configurable: true });
  return fn;
}

/** The plan that is attached to a function, if there is one. */
export function planOf(fn: unknown): RecoveryPlan | undefined {
  return typeof fn === 'function' ? (fn as { [PLAN]?: RecoveryPlan })[PLAN] : undefined;
}
