import type { KindName } from './kinds.ts';
import type { Trial, Variant } from './liveness.ts';

/** What a reason says that nobody has found yet; no pipeline may have it. */
export const UNEXPLAINED = 'Not explained.';

/** Why a pipeline does not recover in its time. All of them do. */
export function reasonFor(_kinds: readonly KindName[], _variant: Variant, _trial: Trial): string {
  return UNEXPLAINED;
}
