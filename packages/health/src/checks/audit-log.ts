import { checkNumber, checkType } from '@temper/core';
import type { HealthCheck } from '../check-options.ts';
import type { HealthStatus } from '../status.ts';
import { type BuiltInCheckOptions, builtIn } from './built-in.ts';

/** An audit log, by its shape: those of `@temper/audit`, and any like them. */
export interface AuditLogLike {
  readonly name: string;
  stats(): AuditLogLevels;
}

/** What is read of an audit log's `stats()`. */
export interface AuditLogLevels {
  /** Events since the start, by what became of them. */
  readonly events: {
    /** The caller was told that the event could not be stored. */
    readonly refused: number;
    /** The caller went on without it being durable. */
    readonly degraded: number;
    /** Lost. */
    readonly dropped: number;
  };
  /** Events that wait to be stored. */
  readonly pending: number;
}

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
const NONE = { refused: 0, degraded: 0, dropped: 0 } as const;

/**
 * Whether an audit log keeps what it is given: unhealthy when it refused or lost events since the
 * probe before, degraded when it took some that are not durable, or has too many waiting.
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
  let before: AuditLogLevels['events'] = NONE;
  return builtIn(OWNER, options, ['maxPending'], {
    name: watched.name,
    componentType: 'datastore',
    check: () => {
      const { events, pending } = levelsOf(watched);
      const refused = events.refused - before.refused;
      const dropped = events.dropped - before.dropped;
      const degraded = events.degraded - before.degraded;
      before = events;
      const status: HealthStatus =
        refused + dropped > 0
          ? 'unhealthy'
          : degraded > 0 || pending >= maxPending
            ? 'degraded'
            : 'healthy';
      return {
        status,
        message: `since the last probe ${refused} events were refused, ${dropped} lost, ${degraded} not durable; ${pending} wait`,
        observed: { name: 'pending', value: pending },
      };
    },
  });
}

function levelsOf(watched: AuditLogLike): AuditLogLevels {
  const { events, pending } = watched.stats();
  const fine =
    typeof pending === 'number' &&
    (['refused', 'degraded', 'dropped'] as const).every(
      (outcome) => typeof events?.[outcome] === 'number',
    );
  if (!fine) {
    throw new TypeError(
      `${OWNER}: '${watched.name}' must tell events.refused, .degraded, .dropped and pending in its stats().`,
    );
  }
  return { events: { ...events }, pending };
}
