import type { WindowCounts } from './window.ts';

/** Why a closed circuit opens. */
export type TripReason = 'failures' | 'failure-rate' | 'slow-call-rate';

/** The options that decide when a closed circuit opens. */
export interface TripRules {
  /** Rates are judged when there is one, failures in a row otherwise. */
  readonly window?: object | undefined;
  readonly failureThreshold: number;
  readonly failureRateThreshold: number;
  readonly slowCallRateThreshold: number;
  readonly minimumThroughput: number;
}

/** Why the circuit should open after a failed or slow call; `undefined` when it should not. */
export function tripReason(counts: WindowCounts, rules: TripRules): TripReason | undefined {
  const { calls, failures, slow } = counts;
  if (rules.window === undefined) {
    return failures >= rules.failureThreshold ? 'failures' : undefined;
  }
  if (calls < rules.minimumThroughput) return undefined;
  if (failures / calls >= rules.failureRateThreshold) return 'failure-rate';
  return slow / calls >= rules.slowCallRateThreshold ? 'slow-call-rate' : undefined;
}
