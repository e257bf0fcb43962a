import type { Observed } from './outcome.ts';
import { HEALTH_STATUSES, type HealthStatus, weighed, worst } from './status.ts';
import type { Uptime } from './uptime.ts';

/** What is known of one check. Plain data, safe to serialise as far as its details are. */
export interface CheckReport {
  readonly name: string;
  /** What the check stands for now, the flapping rule applied. */
  readonly status: HealthStatus;
  /** What the last probe found, before the flapping rule. */
  readonly probedStatus: HealthStatus;
  readonly critical: boolean;
  readonly groups: readonly string[];
  /** When the last probe ended, in milliseconds since the Unix epoch. */
  readonly timestamp: number;
  /** How long the last probe took, in milliseconds. */
  readonly responseTimeMs: number;
  /** Probes in a row, up to now, that found anything but healthy. */
  readonly consecutiveFailures: number;
  readonly componentType: string;
  readonly message?: string;
  readonly observed?: Observed;
  readonly details?: Readonly<Record<string, unknown>>;
  /** The error's code, status or name, when the probe threw or ran out of time. */
  readonly errorType?: string;
}

/** What one run over the checks found. */
export interface HealthReport {
  /** The monitor's name. */
  readonly name: string;
  /** Worst of the checks; one that is not critical counts for degraded at most. */
  readonly status: HealthStatus;
  /** When the run ended, in milliseconds since the Unix epoch. */
  readonly timestamp: number;
  /** In order of registration. */
  readonly checks: readonly CheckReport[];
  /** Names that were excluded and exist; their checks are listed, and do not count. */
  readonly excluded: readonly string[];
  /** Why the answer does not depend on the checks, such as a shutdown in progress. */
  readonly message?: string;
}

/** What is remembered of one probe. */
export interface HistoryEntry {
  readonly status: HealthStatus;
  readonly timestamp: number;
  readonly responseTimeMs: number;
  readonly message?: string;
}

/** The whole picture, in one object. */
export interface HealthSummary {
  readonly name: string;
  /** The same as {@link HealthReport.status} of the run that the summary is made from. */
  readonly status: HealthStatus;
  readonly timestamp: number;
  /** Whether the service takes traffic as far as it says so itself; see {@link HealthMonitor.setReady}. */
  readonly ready: boolean;
  readonly started: boolean;
  /** How many checks stand where. */
  readonly counts: Readonly<Record<HealthStatus, number>>;
  readonly checks: Readonly<Record<string, CheckReport & { readonly uptime: readonly Uptime[] }>>;
}

/** Takes what the checks say together. */
export function reportOf(
  name: string,
  timestamp: number,
  checks: readonly CheckReport[],
  exclude: readonly string[] = [],
): HealthReport {
  const counted = checks.filter((check) => !exclude.includes(check.name));
  return {
    name,
    status: worst(counted.map((check) => weighed(check.status, check.critical))),
    timestamp,
    checks,
    excluded: checks.filter((check) => exclude.includes(check.name)).map((check) => check.name),
  };
}

/** Makes the summary of a report. */
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
