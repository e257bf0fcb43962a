import type { KindName } from './kinds.ts';
import { layersOf, type Trial, type Variant } from './liveness.ts';

const RETRIES: readonly KindName[] = ['retry', 'retryBudget'];
const TIMEOUTS: readonly KindName[] = ['timeout', 'observedTimeout'];

/** What a reason says that nobody has found yet; no pipeline may have it. */
export const UNEXPLAINED = 'Not explained.';

/** Why a pipeline does not recover in its time. */
export function reasonFor(kinds: readonly KindName[], variant: Variant, trial: Trial): string {
  const hasRetry = kinds.some((kind) => RETRIES.includes(kind));
  const hasTimeout = kinds.some((kind) => TIMEOUTS.includes(kind));
  const layers = layersOf(kinds, variant);
  const hasAttemptTimeout = layers.some(({ options }) => 'attemptTimeoutMs' in options);
  if (trial === 'overload' && hasRetry && (hasTimeout || hasAttemptTimeout)) {
    return 'A retry whose attempts time out before the queue of the dependency has answered them sends it more than one request for each call. At two thirds of its capacity that is more than it can answer, so the queue stays, and the timeouts with it. No policy in the pipeline sees that: a breaker, a throttle or a budget that is small beside the calls ends it (`retryBudget({ ratio: 0.1, minPerSecond: 1 })`; the default of ten retries a second is more than these eight calls a second).';
  }
  return UNEXPLAINED;
}
