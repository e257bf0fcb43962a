import type { CheckResult } from './outcome.ts';
import { contribution, HEALTH_STATUSES, type HealthStatus, worst } from './status.ts';
import type { Uptime } from './uptime.ts';

/** Report of one check. Plain data; serializable if its details are. */
export interface CheckReport {
  readonly name: string;
  /** Current status, after the flapping rule. */
  readonly status: HealthStatus;
  /** Status of the last probe, before the flapping rule. */
  readonly probedStatus: HealthStatus;
  readonly critical: boolean;
  readonly groups: readonly string[];
  /** When the last probe ended, in milliseconds since the Unix epoch. */
  readonly timestamp: number;
  /**
   * Time since then on the monotonic clock, in milliseconds. Absent if no probe has ended recently: the
   * status is then the check's `failureStatus`, because nothing better is known.
   */
  readonly ageMs?: number;
  /** Duration of the last probe, or of the probe in progress without a result, in milliseconds. */
  readonly responseTimeMs: number;
  /** Number of consecutive probes, up to the last one, that were not healthy. */
  readonly consecutiveFailures: number;
  readonly componentType: string;
  readonly message?: string;
  readonly observed?: NonNullable<CheckResult['observed']>;
  readonly details?: Readonly<Record<string, unknown>>;
  /** Code, status or name of the error, if the probe threw or timed out. */
  readonly errorType?: string;
}

/** Report of one run of the checks. */
export interface HealthReport {
  /** The monitor's name. */
  readonly name: string;
  /** Worst status of the checks. A check that is not critical counts as degraded at most. */
  readonly status: HealthStatus;
  /** When the run ended, in milliseconds since the Unix epoch. */
  readonly timestamp: number;
  /** In order of registration. */
  readonly checks: readonly CheckReport[];
  /** Names of the excluded checks. They are listed in `checks` but do not affect the status. */
  readonly excluded: readonly string[];
  /** Reason of a status that does not depend on the checks, such as a shutdown in progress. */
  readonly message?: string;
}

/** Stored result of one probe. */
export interface HistoryEntry {
  readonly status: HealthStatus;
  readonly timestamp: number;
  readonly responseTimeMs: number;
  readonly message?: string;
}

/** A change of the status of a check. */
export interface StatusChange {
  readonly monitor: string;
  readonly check: string;
  /** Undefined for the first probe, which is only reported if it is not healthy. */
  readonly from: HealthStatus | undefined;
  readonly to: HealthStatus;
  readonly message: string | undefined;
}

/** Status of all checks, with counts and uptime. */
export interface HealthSummary {
  readonly name: string;
  /** {@link HealthReport.status} of the run behind the summary. */
  readonly status: HealthStatus;
  readonly timestamp: number;
  /** The value set by {@link HealthMonitor.setReady}. */
  readonly ready: boolean;
  readonly started: boolean;
  /** Number of checks per status. */
  readonly counts: Readonly<Record<HealthStatus, number>>;
  readonly checks: Readonly<Record<string, CheckReport & { readonly uptime: readonly Uptime[] }>>;
}

/** Combines the reports of the checks. */
export function reportOf(
  name: string,
  timestamp: number,
  checks: readonly CheckReport[],
  exclude: readonly string[] = [],
): HealthReport {
  const counted = checks.filter((check) => !exclude.includes(check.name));
  return {
    name,
    status: worst(counted.map((check) => contribution(check.status, check.critical))),
    timestamp,
    checks,
    excluded: checks.filter((check) => exclude.includes(check.name)).map((check) => check.name),
  };
}

/** Creates the summary of a report. */
export function summaryOf(
  report: HealthReport,
  flags: { readonly ready: boolean; readonly started: boolean },
  uptimeOf: (check: string) => readonly Uptime[],
): HealthSummary {
  const counts = Object.fromEntries(
    HEALTH_STATUSES.map((status) => [
      status,
      report.checks.filter((check) => check.status === status).length,
    ]),
  ) as Record<HealthStatus, number>;
  const checks = Object.fromEntries(
    report.checks.map((check) => [check.name, { ...check, uptime: uptimeOf(check.name) }]),
  );
  const { name, status, timestamp } = report;
  return { name, status, timestamp, ...flags, counts, checks };
}
