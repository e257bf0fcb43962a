import { checkNumber, checkType } from '@temper/core';
import type { HealthCheck } from '../check-options.ts';
import type { HealthStatus } from '../status.ts';
import { type BuiltInCheckOptions, builtIn } from './built-in.ts';

/** An audit log, by its shape: those of `@temper/audit`, and any like them. */
export interface AuditLogLike {
  readonly name: string;
  stats(): AuditLogLevels;
}

/** What became of the events of an audit log, as totals since the start. */
export interface AuditLogCounts {
  /** Callers that were told that their event could not be stored. */
  readonly refused: number;
  /** Callers that went on without it being durable. */
  readonly degraded: number;
  /** Events that were lost. */
  readonly dropped: number;
}

/** What is read of an audit log's `stats()`. The counts may stand under `events`, too. */
export type AuditLogLevels = (AuditLogCounts | { readonly events: AuditLogCounts }) & {
  /** Events that wait to be stored. */
  readonly pending: number;
  /** `unavailable` and `closed` mean that nothing is stored; anything else is well. */
  readonly state?: string;
};

/** Options of {@link auditLogCheck}. */
export interface AuditLogCheckOptions extends BuiltInCheckOptions {
  /**
   * Waiting events from which on the log is degraded.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless >= 1
   */
  readonly maxPending?: number;
}

const OWNER = 'auditLogCheck';
const LEVELS = ['refused', 'degraded', 'dropped', 'pending'] as const;

/**
 * Whether an audit log keeps what it is given: unhealthy when it stores nothing, or refused or lost
 * events since the probe before; degraded when it took some that are not durable, or has too many
 * waiting.
 *
 * @throws {TypeError | RangeError} when it is no audit log, or an option is unknown or out of range
 */
export function auditLogCheck(
  watched: AuditLogLike,
  options: AuditLogCheckOptions = {},
): HealthCheck {
  checkType(OWNER, 'log', watched, 'object');
  checkType(OWNER, 'log.stats', watched.stats, 'function');
  levelsOf(watched);
  const maxPending = checkNumber(OWNER, 'maxPending', options.maxPending ?? 1000, { min: 1 });
  let before: AuditLogCounts = { refused: 0, degraded: 0, dropped: 0 };
  return builtIn(OWNER, options, ['maxPending'], {
    name: watched.name,
    componentType: 'datastore',
    check: () => {
      const { pending, state, counts: now } = levelsOf(watched);
      const refused = now.refused - before.refused;
      const dropped = now.dropped - before.dropped;
      const degraded = now.degraded - before.degraded;
      before = now;
      const storesNothing = state === 'unavailable' || state === 'closed';
      const is = storesNothing ? `the log is ${state}; ` : '';
      return {
        status: judgeLog(
          storesNothing || refused + dropped > 0,
          degraded > 0 || pending >= maxPending,
        ),
        message: `${is}since the last probe ${refused} events were refused, ${dropped} lost, ${degraded} not durable; ${pending} wait`,
        observed: { name: 'pending', value: pending },
      };
    },
  });
}

function judgeLog(loses: boolean, lags: boolean): HealthStatus {
  if (loses) return 'unhealthy';
  return lags ? 'degraded' : 'healthy';
}

function levelsOf(watched: AuditLogLike): {
  readonly counts: AuditLogCounts;
  readonly pending: number;
  readonly state: string | undefined;
} {
  const stats = watched.stats();
  const { pending, state } = stats;
  const { refused, degraded, dropped } = 'events' in stats ? stats.events : stats;
  const levels = { refused, degraded, dropped, pending };
  if (LEVELS.some((level) => typeof levels[level] !== 'number')) {
    throw new TypeError(
      `${OWNER}: '${watched.name}' must tell ${LEVELS.join(', ')} in its stats().`,
    );
  }
  return { counts: { refused, degraded, dropped }, pending, state };
}
