import type { BreakerStats } from '@temper/breaker';
import type { RequestCounts } from '@temper/ratelimit';
import type { CachedStats, FallbackStats, HedgeStats, TimeoutStats } from '@temper/recovery';
import type { RetryStats } from '@temper/retry';
import type { Prepared } from './scenario.ts';

/** States that a simulation can reach: a check that no scenario reaches checks nothing. */
export const STATES = [
  'a circuit opened',
  'a trial closed a circuit',
  'a circuit rejected calls',
  'a retry was made',
  'a retry gave up',
  'a call timed out',
  'a hedge was started',
  'a hedge was refused by its budget',
  'a fallback answered',
  'an old answer was served',
  'a run was shared',
  'an answer was evicted',
  'a call waited for a limit',
  'a limit refused a call',
  'a call was aborted at a limit',
] as const;

export type State = (typeof STATES)[number];
export type Reached = Readonly<Partial<Record<State, number>>>;

type Stats = Partial<
  Omit<BreakerStats & CachedStats & FallbackStats & HedgeStats & TimeoutStats, 'calls'> &
    RequestCounts &
    RetryStats
> & { readonly calls?: Readonly<Record<string, number>> };

/** The states that a simulation has reached. */
export function reachedBy({ layers }: Prepared): Set<State> {
  const reached = new Set<State>();
  for (const { policy } of layers) {
    const stats = policy.stats() as Stats;
    const calls: Readonly<Record<string, number>> = stats.calls ?? {};
    const note = (state: State, count: number | undefined): void => {
      if ((count ?? 0) > 0) reached.add(state);
    };
    note('a circuit opened', stats.openings);
    if ((stats.openings ?? 0) > 0 && stats.state === 'closed')
      reached.add('a trial closed a circuit');
    if (stats.openings !== undefined) note('a circuit rejected calls', calls.rejected);
    note('a retry was made', stats.retries);
    note('a retry gave up', stats.operations?.exhausted);
    note('a call timed out', calls.timeout);
    note('a hedge was started', stats.hedges);
    note('a hedge was refused by its budget', stats.refused);
    note('a fallback answered', calls.fallback);
    note('an old answer was served', calls.stale);
    note('a run was shared', calls.shared);
    note('an answer was evicted', stats.evictions);
    note('a call waited for a limit', stats.delayed);
    note('a limit refused a call', stats.rejected);
    note('a call was aborted at a limit', stats.aborted);
  }
  return reached;
}
