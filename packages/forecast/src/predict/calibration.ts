/**
 * Platt's scaling of the score to a probability, fitted to the tuning seeds of the evaluation and
 * checked on others: docs/evaluation.md shows what was predicted and what came. The probability is
 * that of the simulated mix, in which an incident is under way in about three of a hundred steps.
 */
export const CALIBRATION: { readonly slope: number; readonly offset: number } = {
  slope: 3.65,
  offset: -7.93,
};

/** The score at which the default warns: one false minute a day on the tuning seeds. */
export const DEFAULT_THRESHOLD = 8.4;

/** @returns from 0 to 1 */
export function probabilityOf(score: number): number {
  return 1 / (1 + Math.exp(-(CALIBRATION.offset + CALIBRATION.slope * Math.log1p(score))));
}
