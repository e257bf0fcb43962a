import type { LimitMode } from './modes.ts';

/** What a predictive limit does now, and why. Limits and demands are in units per window. */
export interface LimitForecast {
  readonly name: string;
  readonly mode: LimitMode;
  /** The limit in force: from `floor` to `ceiling`. */
  readonly limit: number;
  readonly ceiling: number;
  readonly floor: number;
  /** Demand that is usual at this time; `undefined` before the first season. */
  readonly expected: number | undefined;
  /** Its upper bound, by which the limit goes. */
  readonly upper: number | undefined;
  /** Mean relative error of the forecasts, from 0 to 1; `undefined` until it is known. */
  readonly error: number | undefined;
}
