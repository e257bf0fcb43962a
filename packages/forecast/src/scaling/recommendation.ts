import type { ScalingMode } from './modes.ts';

/** What a scaling signal says. Plain data. */
export interface Recommendation {
  readonly name: string;
  /** How the demand ahead is known; in all modes but `predictive` it is taken to stay as it is. */
  readonly mode: ScalingMode;
  /**
   * Replicas for the demand at the end of the lead time. Whole and within the bounds in the scope
   * `'service'`; this instance's share, as a fraction, in the scope `'instance'`. `undefined` until two
   * readings of the sources.
   */
  readonly desired: number | undefined;
  /** Replicas for the lower end of the interval of the demand. */
  readonly lower: number | undefined;
  /** Replicas for its upper end. */
  readonly upper: number | undefined;
  /** Replicas for the demand now, as a fraction. */
  readonly need: number | undefined;
  /** Calls per second now. */
  readonly rate: number | undefined;
  /** Calls per second that are expected at the end of the lead time: at least those of now. */
  readonly expectedRate: number | undefined;
  /** Mean error of the forecasts, in those of the forecast that all stays as it is. */
  readonly error: number | undefined;
}
