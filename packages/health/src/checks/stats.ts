import { checkName, checkType, typeRule } from '@temper/core/policy';
import type { HealthCheck } from '../check-options.ts';
import type { CheckReturn } from '../outcome.ts';
import { type BuiltInCheckOptions, resolveCheckOptions } from './built-in.ts';

/** Anything with `stats()`, such as every policy of Temper. A returned promise is awaited. */
interface HasStats<S> {
  readonly name?: string;
  stats(): S | PromiseLike<S>;
}

/** Options of {@link statsCheck}. */
export interface StatsCheckOptions<S> extends BuiltInCheckOptions {
  /** The object to take snapshots of. */
  readonly of: HasStats<S>;
  /**
   * Evaluates a snapshot. `before` is the snapshot of the previous probe, or undefined at the first, so
   * that totals can be turned into differences. An error is a failure of the probe.
   */
  readonly judge: (now: S, before: S | undefined) => CheckReturn;
}

const OWNER = 'statsCheck';

/**
 * Checks any object that has `stats()`. Its name is that of the object by default.
 *
 * @throws {TypeError} when an option is missing, unknown or invalid
 */
export function statsCheck<S>(options: StatsCheckOptions<S>): HealthCheck {
  const { of, judge, ...common } = resolveCheckOptions<StatsCheckOptions<S>, 'of' | 'judge'>(
    OWNER,
    options,
    {},
    { of: typeRule('object'), judge: typeRule('function') },
  );
  checkType(OWNER, 'of', of, 'object');
  checkType(OWNER, 'of.stats', of.stats, 'function');
  checkType(OWNER, 'judge', judge, 'function');
  let before: S | undefined;
  return {
    name: common.name ?? checkName(OWNER, of.name ?? 'stats'),
    check: async () => {
      const now = await of.stats();
      const result = judge(now, before);
      before = now;
      return result;
    },
    ...common,
  };
}
