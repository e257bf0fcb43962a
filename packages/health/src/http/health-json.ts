import type { CheckReport, HealthReport } from '../report.ts';
import type { HealthStatus } from '../status.ts';

const JSON_STATUS: Readonly<Record<HealthStatus, 'pass' | 'warn' | 'fail'>> = {
  healthy: 'pass',
  degraded: 'warn',
  unhealthy: 'fail',
};

/**
 * Renders a report as `application/health+json` of draft-inadarei-api-health-check-06, which has expired
 * but is the version that clients implement. Without details only the status is included.
 */
export function healthJson(report: HealthReport, details: boolean): object {
  const status = JSON_STATUS[report.status];
  if (!details) return { status };
  const checks: Record<string, object[]> = {};
  for (const check of report.checks) {
    checks[`${check.name}:${check.observed?.name ?? 'status'}`] = [
      componentOf(check, report.excluded.includes(check.name)),
    ];
  }
  return {
    status,
    serviceId: report.name,
    ...(report.message === undefined ? {} : { output: report.message }),
    checks,
  };
}

function componentOf(check: CheckReport, excluded: boolean): object {
  const { observed, message, details } = check;
  return {
    componentId: check.name,
    componentType: check.componentType,
    status: JSON_STATUS[check.status],
    time: new Date(check.timestamp).toISOString(),
    ...(observed === undefined ? {} : { observedValue: observed.value }),
    ...(observed?.unit === undefined ? {} : { observedUnit: observed.unit }),
    // The draft asks to omit the output of a check that passes.
    ...(message === undefined || check.status === 'healthy' ? {} : { output: message }),
    critical: check.critical,
    responseTimeMs: check.responseTimeMs,
    ...(excluded ? { excluded } : {}),
    ...(details === undefined ? {} : { details }),
  };
}
