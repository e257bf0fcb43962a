import { type HealthStatus, severity } from './status.ts';

/** A check has to be bad `failures` times among its last `of` probes before that counts. */
export interface FlappingRule {
  /** N, from 1 to {@link of}. */
  readonly failures: number;
  /** M, how many of the last probes are looked at. */
  readonly of: number;
}

/**
 * The worst status that at least N of the last M probes were no better than: their Nth worst.
 * While there are fewer than N probes, all of them have to agree, so that a check that has only ever
 * failed is never called healthy.
 *
 * @param recent - statuses as probed, oldest first; only the last M are looked at
 */
export function steadyStatus(recent: readonly HealthStatus[], rule: FlappingRule): HealthStatus {
  const worstFirst = recent.slice(-rule.of).sort((a, b) => severity(b) - severity(a));
  return worstFirst[Math.min(rule.failures, worstFirst.length) - 1] ?? 'healthy';
}
