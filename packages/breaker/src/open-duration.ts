import type { Opening } from './circuit.ts';

/** What a custom open duration is told. */
export interface OpenDurationEvent extends Opening {
  readonly policy: string;
  /** How long the failure asks to stay away, in milliseconds, if it does. */
  readonly retryAfterMs: number | undefined;
}

/** The part of the options that decides how long an opening lasts. */
export interface OpenDurationOptions {
  readonly openDurationMs: number | ((event: OpenDurationEvent) => number);
  readonly openDurationMultiplier: number;
  readonly maxOpenDurationMs: number;
}

/** How long an opening lasts when a custom duration has failed to say, in milliseconds. */
export const FALLBACK_OPEN_DURATION_MS = 60_000;

/**
 * How long an opening lasts, in milliseconds: as long as the options say, grown with each opening in
 * a row; at least as long as the failure asked; never longer than the cap.
 *
 * @param report - told what a custom duration threw, or that it answered with no duration
 */
export function openDuration(
  options: OpenDurationOptions,
  event: OpenDurationEvent,
  report: (error: unknown) => void,
): number {
  const { openDurationMs, openDurationMultiplier, maxOpenDurationMs } = options;
  const ownMs =
    typeof openDurationMs === 'function'
      ? ask(openDurationMs, event, report)
      : grown(openDurationMs, openDurationMultiplier, event.openings);
  return Math.min(maxOpenDurationMs, Math.max(ownMs, event.retryAfterMs ?? 0));
}

function grown(firstMs: number, multiplier: number, openings: number): number {
  return firstMs === 0 ? 0 : firstMs * multiplier ** (openings - 1); // 0 × Infinity would be NaN
}

function ask(
  custom: (event: OpenDurationEvent) => number,
  event: OpenDurationEvent,
  report: (error: unknown) => void,
): number {
  try {
    const ms = custom(event);
    if (ms >= 0) return ms;
    report(
      new RangeError(`'${event.policy}': openDurationMs must return a number >= 0, got ${ms}.`),
    );
  } catch (error) {
    report(error);
  }
  return FALLBACK_OPEN_DURATION_MS;
}
