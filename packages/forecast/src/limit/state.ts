import type { HoltWintersState } from '../scaling/holt-winters.ts';
import { isCount, isLearned, isRecord } from '../scaling/state.ts';
import type { ForecastErrorState } from './forecast-error.ts';

/** What a predictive limit has learned, as plain data for JSON. */
export interface PredictiveLimitState {
  readonly version: 1;
  /** When it was dumped, in milliseconds since the epoch. */
  readonly at: number;
  readonly season: string;
  readonly slotMs: number;
  readonly timeZone: string;
  /** Demand in units per second. */
  readonly learned: HoltWintersState;
  readonly error: ForecastErrorState;
}

/** @returns the state, or why it cannot be used */
export function readLimitState(
  state: unknown,
  fits: Pick<PredictiveLimitState, 'season' | 'slotMs' | 'timeZone'>,
  slots: number,
): PredictiveLimitState | string {
  if (!isRecord(state) || state['version'] !== 1) return 'it is no dump of this version.';
  for (const setting of ['season', 'slotMs', 'timeZone'] as const) {
    if (state[setting] !== fits[setting]) return `it is of another ${setting}.`;
  }
  const { at, error, learned } = state;
  if (!isCount(at) || !isError(error)) return 'its numbers are damaged.';
  if (!isLearned(learned, slots)) return 'its season is damaged.';
  return state as unknown as PredictiveLimitState;
}

function isError(value: unknown): value is ForecastErrorState {
  const counts = ['mean', 'square', 'checked', 'since'];
  return (
    isRecord(value) &&
    typeof value['trusted'] === 'boolean' &&
    counts.every((field) => isCount(value[field]))
  );
}
