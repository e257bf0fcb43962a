import { errorType, messageOf } from '@temper/core/policy';
import type { Degradation, Guarded } from '@temper/parsercraft-handlers';
import { withoutInnerPlacesInText } from './inner-places.ts';

/** Why and how an answer is degraded, as responses include it. */
export interface DegradationView {
  readonly by: Degradation['by'];
  readonly ageMs: number | undefined;
  readonly reason: string;
  readonly errorType: string;
}

/** Maximum length of a reason. */
const MAX_REASON = 500;

export function degradationView({ by, ageMs, error }: Degradation): DegradationView {
  return {
    by,
    ageMs: ageMs === undefined ? undefined : Math.round(ageMs),
    reason: withoutInnerPlacesInText(messageOf(error, MAX_REASON)),
    errorType: errorType(error),
  };
}

/** The `degraded` member of a response body; empty for an answer that is not degraded. */
export function degradedMember({ degraded }: Guarded<unknown>): {
  readonly degraded?: DegradationView;
} {
  return degraded === undefined ? {} : { degraded: degradationView(degraded) };
}
