import { safeText } from '@temper/core/policy';
import type { CheckReport, HealthReport } from '../report.ts';
import type { HealthStatus } from '../status.ts';
import { safeDetails } from './safe-details.ts';

const JSON_STATUS: Readonly<Record<HealthStatus, 'pass' | 'warn' | 'fail'>> = {
  healthy: 'pass',
  degraded: 'warn',
  unhealthy: 'fail',
};

/**
 * Renders a report as `application/health+json` of draft-inadarei-api-health-check-06, which has expired
 * but is the version that clients implement. Without details only the status is included. All text is
 * bounded and scrubbed.
 *
 * @throws what a getter or a `toJSON` of a check's details throws
 */
export function healthJson(report: HealthReport, details: boolean): object {
  const status = JSON_STATUS[report.status];
  if (!details) return { status };
  const checks: [string, object[]][] = report.checks.map((check) => [
    safeText(`${check.name}:${check.observed?.name ?? 'status'}`),
    [componentOf(check, report.excluded.includes(check.name))],
  ]);
  return {
    status,
    serviceId: safeText(report.name),
    ...(report.message === undefined ? {} : { output: safeText(report.message) }),
    checks: Object.fromEntries(checks),
  };
}

function componentOf(check: CheckReport, excluded: boolean): object {
  const { observed, message, details } = check;
  return {
    componentId: safeText(check.name),
    componentType: safeText(check.componentType),
    status: JSON_STATUS[check.status],
    time: new Date(check.timestamp).toISOString(),
    ...(observed === undefined ? {} : { observedValue: safeDetails(observed.value) }),
    ...(observed?.unit === undefined ? {} : { observedUnit: safeText(observed.unit) }),
    // The draft asks to omit the output of a check that passes.
    ...(message === undefined || check.status === 'healthy' ? {} : { output: safeText(message) }),
    critical: check.critical,
    responseTimeMs: check.responseTimeMs,
    ...(excluded ? { excluded } : {}),
    ...(details === undefined ? {} : { details: safeDetails(details) }),
  };
}
