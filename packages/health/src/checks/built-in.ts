import { checkKnown, checkName, checkNumber, show } from '@temper/core';
import type { HealthCheck } from '../check-options.ts';
import { withoutUndefined } from '../options.ts';

/** Options that every built-in check accepts. */
export interface BuiltInCheckOptions
  extends Partial<Omit<HealthCheck, 'check' | 'dependency' | 'componentType' | 'dispose'>> {}

const COMMON: readonly (keyof BuiltInCheckOptions)[] = [
  'name',
  'timeoutMs',
  'ttlMs',
  'refreshMs',
  'groups',
  'critical',
  'failureStatus',
  'flapping',
];

/**
 * Creates a built-in check from the common options and its own parts.
 *
 * @param own - names of the options that only this check accepts
 * @throws {TypeError} for an option that is neither common nor `own`
 */
export function builtIn(
  owner: string,
  options: BuiltInCheckOptions,
  own: readonly string[],
  parts: Pick<
    HealthCheck,
    'name' | 'check' | 'componentType' | 'dependency' | 'dispose' | 'groups'
  >,
): HealthCheck {
  checkKnown(owner, options, [...COMMON, ...own]);
  const common = Object.fromEntries(
    Object.entries(options).filter(([key]) => (COMMON as readonly string[]).includes(key)),
  );
  const check: HealthCheck = { ...parts, ...withoutUndefined(common) };
  checkName(owner, check.name);
  return check;
}

/** @throws {TypeError} unless the option is a non-empty string */
export function checkText(owner: string, option: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') {
    throw new TypeError(`${owner}: ${option} must be a non-empty string, got ${show(value)}.`);
  }
}

/** Two thresholds of a value for which higher is worse. */
export interface Limits {
  readonly degraded: number;
  readonly unhealthy: number;
}

/**
 * Validates two thresholds. `Infinity` disables one.
 *
 * @throws {RangeError} unless 0 <= degraded <= unhealthy
 */
export function checkLimits(
  owner: string,
  names: { readonly degraded: string; readonly unhealthy: string },
  limits: Limits,
): Limits {
  checkNumber(owner, names.degraded, limits.degraded, { min: 0 });
  checkNumber(owner, names.unhealthy, limits.unhealthy, { min: limits.degraded });
  return limits;
}
