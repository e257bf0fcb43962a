import { askNumber } from '@temper/core/policy';

/** What a function given as `openDurationMs` is told. */
export interface OpenDurationEvent {
  readonly policy: string;
  /** Openings in a row, this one included, with no stable close in between. */
  readonly openings: number;
  /** What opened the circuit: an error, or a value that counts as a failure. */
  readonly failure: unknown;
  /** How long the failure asks its caller to stay away, in milliseconds, if it does. */
  readonly retryAfterMs: number | undefined;
}

/** The options that decide how long an opening lasts. */
export interface OpenDurationRules {
  readonly openDurationMs: number | ((event: OpenDurationEvent) => number);
  readonly openDurationMultiplier: number;
  readonly maxOpenDurationMs: number;
}

/** Length of an opening when the user's function fails to compute one, in milliseconds. */
const FALLBACK_MS = 60_000;

/**
 * The length of an opening, in milliseconds: as configured, grown with each opening in a row; at least
 * what the failure asks for; at most `maxOpenDurationMs`.
 */
export function openDuration(rules: OpenDurationRules, event: OpenDurationEvent): number {
  const { openDurationMs, openDurationMultiplier, maxOpenDurationMs } = rules;
  const ownMs =
    typeof openDurationMs === 'function'
      ? (askNumber(event.policy, 'openDurationMs', openDurationMs, event) ?? FALLBACK_MS)
      : grown(openDurationMs, openDurationMultiplier, event.openings);
  return Math.min(maxOpenDurationMs, Math.max(ownMs, event.retryAfterMs ?? 0));
}

function grown(firstMs: number, multiplier: number, openings: number): number {
  return firstMs === 0 ? 0 : firstMs * multiplier ** (openings - 1); // 0 × Infinity would be NaN
}
