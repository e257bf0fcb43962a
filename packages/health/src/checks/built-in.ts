import {
  checkNumber,
  type Defaults,
  numberRule,
  type OptionRule,
  resolveOptions,
  show,
} from '@temper/core/policy';
import { CHECK_RULES, type HealthCheck } from '../check-options.ts';

/** Options that every built-in check accepts. */
export interface BuiltInCheckOptions
  extends Partial<Omit<HealthCheck, 'check' | 'dependency' | 'componentType' | 'dispose'>> {}

type Common = keyof BuiltInCheckOptions;

const COMMON_RULES: { readonly [K in Common]-?: OptionRule } = {
  name: CHECK_RULES.name,
  timeoutMs: CHECK_RULES.timeoutMs,
  ttlMs: CHECK_RULES.ttlMs,
  refreshMs: CHECK_RULES.refreshMs,
  groups: CHECK_RULES.groups,
  critical: CHECK_RULES.critical,
  failureStatus: CHECK_RULES.failureStatus,
  flapping: CHECK_RULES.flapping,
};

/** The options that only one built-in check accepts and that have a default. */
type Own<O extends BuiltInCheckOptions, Unset extends keyof O> = Defaults<Omit<O, Common | Unset>>;

/**
 * Validates the options of a built-in check.
 *
 * @typeParam Unset - its options without a default, which the caller checks if they are required
 * @param defaults - of the options that only this check accepts
 * @param rules - of the same options, and of those without a default
 * @returns its own options with their defaults, the common ones where they were given
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function resolveCheckOptions<O extends BuiltInCheckOptions, Unset extends keyof O = never>(
  owner: string,
  options: O,
  defaults: Own<O, Unset>,
  rules: { readonly [K in Exclude<keyof O, Common>]-?: OptionRule },
): Own<O, Unset> & Pick<O, Unset> & BuiltInCheckOptions {
  const all = { ...COMMON_RULES, ...rules };
  return resolveOptions<object>(owner, options, defaults, all) as never;
}

/** A non-empty string. */
export const textRule: OptionRule = (owner, option, value) => {
  if (typeof value !== 'string' || value === '') {
    throw new TypeError(`${owner}: ${option} must be a non-empty string, got ${show(value)}.`);
  }
};

/** A threshold of a value for which higher is worse. `Infinity` disables it. */
export const thresholdRule: OptionRule = numberRule({ min: 0 });

/** @throws {RangeError} unless the threshold of the status `unhealthy` is the higher one */
export function checkOrder(
  owner: string,
  option: string,
  degraded: number,
  unhealthy: number,
): void {
  checkNumber(owner, option, unhealthy, { min: degraded });
}
