/** What a check, or all of them together, can say. */
export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy';

/** Every status, from best to worst. */
export const HEALTH_STATUSES: readonly HealthStatus[] = ['healthy', 'degraded', 'unhealthy'];

/** 0 for healthy, 1 for degraded, 2 for unhealthy. */
export function severity(status: HealthStatus): number {
  return HEALTH_STATUSES.indexOf(status);
}

/** The worst of several; healthy when there are none, as nothing says otherwise. */
export function worst(statuses: Iterable<HealthStatus>): HealthStatus {
  let found: HealthStatus = 'healthy';
  for (const status of statuses) {
    if (severity(status) > severity(found)) found = status;
  }
  return found;
}

/** What a check weighs among others: one that is not critical never counts for more than degraded. */
export function weighed(status: HealthStatus, critical: boolean): HealthStatus {
  return status === 'unhealthy' && !critical ? 'degraded' : status;
}

/** Where a measured value stands. Larger is worse, and a limit belongs to the worse side. */
export function judge(value: number, degraded: number, unhealthy: number): HealthStatus {
  if (value >= unhealthy) return 'unhealthy';
  return value >= degraded ? 'degraded' : 'healthy';
}
