import { checkName, checkType, numberRule } from '@temper/core/policy';
import type { HealthCheck } from '../check-options.ts';
import type { HealthStatus } from '../status.ts';
import { type BuiltInCheckOptions, resolveCheckOptions } from './built-in.ts';
import { snapshotOf } from './snapshot.ts';

/** Anything with the shape of an audit log of `@temper/audit`. */
export interface AuditLogLike {
  readonly name: string;
  stats(): AuditLogLevels;
}

/** Event counts of an audit log since its start. */
interface AuditLogCounts {
  /** Events that were rejected because they could not be stored. */
  readonly refused: number;
  /** Events that were accepted but not stored durably. */
  readonly degraded: number;
  /** Events that were lost. */
  readonly dropped: number;
}

/** The part of an audit log's `stats()` that is read. The counts may also be in `events`. */
type AuditLogLevels = (AuditLogCounts | { readonly events: AuditLogCounts }) & {
  /** Events waiting to be stored. */
  readonly pending: number;
  /** `unavailable` and `closed` mean that nothing is stored; any other value is healthy. */
  readonly state?: string;
  /** The sinks, each with the message of its last failure, which is in the message of the check. */
  readonly sinks?: readonly { readonly name: string; readonly error?: string | undefined }[];
};

/** Options of {@link auditLogCheck}. */
export interface AuditLogCheckOptions extends BuiltInCheckOptions {
  /**
   * Number of pending events from which the log is degraded.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless >= 1
   */
  readonly maxPending?: number;
}

const OWNER = 'auditLogCheck';
const LEVELS = ['refused', 'degraded', 'dropped', 'pending'] as const;

/**
 * Checks whether an audit log stores its events. Unhealthy if it stores nothing, or has rejected or
 * lost events since the previous probe. Degraded if it has accepted events that are not durable, or if
 * too many are pending. The message says why a sink does not store.
 *
 * @throws {TypeError | RangeError} when `watched` is no audit log, or an option is unknown or out of range
 */
export function auditLogCheck(
  watched: AuditLogLike,
  options: AuditLogCheckOptions = {},
): HealthCheck {
  checkType(OWNER, 'log', watched, 'object');
  checkType(OWNER, 'log.stats', watched.stats, 'function');
  levelsOf(watched);
  const { maxPending, ...common } = resolveCheckOptions<AuditLogCheckOptions>(
    OWNER,
    options,
    { maxPending: 1000 },
    { maxPending: numberRule({ min: 1 }) },
  );
  let before: AuditLogCounts = { refused: 0, degraded: 0, dropped: 0 };
  return {
    name: common.name ?? checkName(OWNER, watched.name),
    componentType: 'datastore',
    check: () => {
      const { pending, state, counts: now, reasons } = levelsOf(watched);
      const refused = now.refused - before.refused;
      const dropped = now.dropped - before.dropped;
      const degraded = now.degraded - before.degraded;
      before = now;
      const storesNothing = state === 'unavailable' || state === 'closed';
      const prefix = storesNothing ? `log is ${state}; ` : '';
      return {
        status: judgeLog(
          storesNothing || refused + dropped > 0,
          degraded > 0 || pending >= maxPending,
        ),
        message: `${prefix}since the last probe ${refused} events rejected, ${dropped} lost, ${degraded} not durable; ${pending} pending${reasons}`,
        observed: { name: 'pending', value: pending },
      };
    },
    ...common,
  };
}

function judgeLog(loses: boolean, lags: boolean): HealthStatus {
  if (loses) return 'unhealthy';
  return lags ? 'degraded' : 'healthy';
}

function levelsOf(watched: AuditLogLike): {
  readonly counts: AuditLogCounts;
  readonly pending: number;
  readonly state: string | undefined;
  /** Why sinks do not store, each after a semicolon; empty when all do. */
  readonly reasons: string;
} {
  const stats = snapshotOf(OWNER, watched);
  const { pending, state, sinks = [] } = stats;
  const { refused, degraded, dropped } = 'events' in stats ? stats.events : stats;
  const levels = { refused, degraded, dropped, pending };
  if (LEVELS.some((level) => typeof levels[level] !== 'number')) {
    throw new TypeError(
      `${OWNER}: '${watched.name}' must return ${LEVELS.join(', ')} from stats().`,
    );
  }
  const reasons = sinks
    .filter(({ error }) => error !== undefined)
    .map(({ name, error }) => `; sink '${name}': ${error}`)
    .join('');
  return { counts: { refused, degraded, dropped }, pending, state, reasons };
}
