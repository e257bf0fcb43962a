import type { AccuracyState } from './accuracy.ts';
import type { HoltWintersState } from './holt-winters.ts';

/** What a signal has learned, as plain data for JSON. */
export interface ScalingState {
  readonly version: 1;
  /** When it was dumped, in milliseconds since the epoch. */
  readonly at: number;
  readonly season: string;
  readonly model: string;
  readonly slotMs: number;
  readonly timeZone: string;
  readonly learned?: HoltWintersState | undefined;
  readonly accuracy: AccuracyState;
  /** Replicas that were recommended last, in the scope `'service'`. */
  readonly desired?: number | undefined;
}

export const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0;
export const isRecord = (value: unknown): value is { readonly [field: string]: unknown } =>
  typeof value === 'object' && value !== null;

/**
 * @param fits - the settings that a season depends on
 * @returns the state, or why it cannot be used
 */
export function readState(
  state: unknown,
  fits: Pick<ScalingState, 'season' | 'model' | 'slotMs' | 'timeZone'>,
  slots: number,
): ScalingState | string {
  if (!isRecord(state) || state['version'] !== 1) return 'it is no dump of this version.';
  for (const setting of ['season', 'model', 'slotMs', 'timeZone'] as const) {
    if (state[setting] !== fits[setting]) return `it is of another ${setting}.`;
  }
  const { at, accuracy, learned, desired } = state;
  if (!isCount(at) || !isAccuracy(accuracy)) return 'its numbers are damaged.';
  if (learned !== undefined && !isLearned(learned, slots)) return 'its season is damaged.';
  if (desired !== undefined && !isCount(desired)) return 'its replicas are damaged.';
  return state as unknown as ScalingState;
}

function isAccuracy(value: unknown): value is AccuracyState {
  const fields = ['errors', 'naive', 'squares', 'naiveSquares', 'samples'];
  return isRecord(value) && fields.every((field) => isCount(value[field]));
}

/** Whether it is a season with this number of slots. */
export function isLearned(value: unknown, slots: number): value is HoltWintersState {
  if (!isRecord(value) || typeof value['ready'] !== 'boolean') return false;
  const { level, trend, season, ready } = value;
  return (
    isCount(level) &&
    Number.isFinite(trend) &&
    Array.isArray(season) &&
    season.length === slots &&
    season.every((one) => (ready ? Number.isFinite(one) : one === null || isCount(one)))
  );
}
