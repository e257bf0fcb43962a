import { type HealthStatus, severity } from './status.ts';

/** A status counts if at least `failures` of the last `of` probes were that bad or worse. */
export interface FlappingRule {
  /** N, from 1 to {@link of}. */
  readonly failures: number;
  /** M, the number of recent probes that are considered. */
  readonly of: number;
}

/**
 * The Nth worst status of the last M probes: at least N of them had this status or a worse one. With
 * fewer than N probes it is the best status so far, so that a check that has always failed is never
 * reported as healthy.
 *
 * @param recent - probed statuses, oldest first; only the last M are considered
 */
export function steadyStatus(recent: readonly HealthStatus[], rule: FlappingRule): HealthStatus {
  const worstFirst = recent.slice(-rule.of).sort((a, b) => severity(b) - severity(a));
  return worstFirst[Math.min(rule.failures, worstFirst.length) - 1] ?? 'healthy';
}
