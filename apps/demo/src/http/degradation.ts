import { errorType, messageOf } from '@temper/core';
import type { Degradation, Guarded } from '@temper/parsercraft-handlers';

/** Why an answer is not the real one, as an answer tells it. */
export interface DegradationView {
  readonly by: Degradation['by'];
  readonly ageMs: number | undefined;
  readonly reason: string;
  readonly errorType: string;
}

export function degradationView({ by, ageMs, error }: Degradation): DegradationView {
  return {
    by,
    ageMs: ageMs === undefined ? undefined : Math.round(ageMs),
    reason: messageOf(error).slice(0, 500),
    errorType: errorType(error),
  };
}

/** The degradation of an answer as a member of its body; nothing for a real one. */
export function degradedMember({ degraded }: Guarded<unknown>): {
  readonly degraded?: DegradationView;
} {
  return degraded === undefined ? {} : { degraded: degradationView(degraded) };
}
