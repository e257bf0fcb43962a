/** Status of a check or of a report. */
export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy';

/** Every status, from best to worst. */
export const HEALTH_STATUSES: readonly HealthStatus[] = ['healthy', 'degraded', 'unhealthy'];

/** 0 for healthy, 1 for degraded, 2 for unhealthy. */
export function severity(status: HealthStatus): number {
  return HEALTH_STATUSES.indexOf(status);
}

/** The worst of several statuses; healthy if there are none. */
export function worst(statuses: Iterable<HealthStatus>): HealthStatus {
  let found: HealthStatus = 'healthy';
  for (const status of statuses) {
    if (severity(status) > severity(found)) found = status;
  }
  return found;
}

/** The status that a check contributes to a report: at most degraded if it is not critical. */
export function contribution(status: HealthStatus, critical: boolean): HealthStatus {
  return status === 'unhealthy' && !critical ? 'degraded' : status;
}

/** Compares a value with two thresholds. Higher is worse; a value equal to a threshold reaches it. */
export function judge(value: number, degraded: number, unhealthy: number): HealthStatus {
  if (value >= unhealthy) return 'unhealthy';
  return value >= degraded ? 'degraded' : 'healthy';
}
