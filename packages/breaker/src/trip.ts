import type { WindowCounts } from './window.ts';

/** Why a closed circuit opens. */
export type TripReason = 'failures' | 'failure-rate' | 'slow-call-rate';

/** What a closed circuit puts up with. */
export type Tolerance =
  | { readonly kind: 'consecutive'; readonly failureThreshold: number }
  | {
      readonly kind: 'rate';
      readonly failureRateThreshold: number;
      /** Above 1 when slow calls are of no concern. */
      readonly slowCallRateThreshold: number;
      readonly minimumThroughput: number;
    };

/** Why the circuit should open, judged after a failed or slow call; `undefined` when it should not. */
export function tripReason(counts: WindowCounts, tolerance: Tolerance): TripReason | undefined {
  const { calls, failures, slow } = counts;
  if (tolerance.kind === 'consecutive') {
    return failures >= tolerance.failureThreshold ? 'failures' : undefined;
  }
  if (calls < tolerance.minimumThroughput) return undefined;
  if (failures / calls >= tolerance.failureRateThreshold) return 'failure-rate';
  return slow / calls >= tolerance.slowCallRateThreshold ? 'slow-call-rate' : undefined;
}
