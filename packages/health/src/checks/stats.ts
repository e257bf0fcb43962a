import { checkType } from '@temper/core';
import type { HealthCheck } from '../check-options.ts';
import type { CheckReturn } from '../outcome.ts';
import { type BuiltInCheckOptions, builtIn } from './built-in.ts';

/** Anything with a name and a plain snapshot: every policy of this family. */
export interface HasStats<S> {
  readonly name?: string;
  stats(): S;
}

/** Options of {@link statsCheck}. */
export interface StatsCheckOptions<S> extends BuiltInCheckOptions {
  /** What to take snapshots of. */
  readonly of: HasStats<S>;
  /**
   * Judges a snapshot. `before` is the one of the previous probe, undefined at the first, so that
   * totals can be turned into what happened since.
   */
  readonly judge: (now: S, before: S | undefined) => CheckReturn;
}

const OWNER = 'statsCheck';

/**
 * A check of anything that has `stats()`. Named after what it looks at, unless told otherwise.
 *
 * @throws {TypeError} when an option is missing, unknown or wrong
 */
export function statsCheck<S>(options: StatsCheckOptions<S>): HealthCheck {
  const { of, judge } = options;
  checkType(OWNER, 'of', of, 'object');
  checkType(OWNER, 'of.stats', of.stats, 'function');
  checkType(OWNER, 'judge', judge, 'function');
  let before: S | undefined;
  return builtIn(OWNER, options, ['of', 'judge'], {
    name: of.name ?? 'stats',
    check: () => {
      const now = of.stats();
      const verdict = judge(now, before);
      before = now;
      return verdict;
    },
  });
}
