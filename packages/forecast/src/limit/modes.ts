/**
 * Whose limit is in force: that of the forecast (`predictive`), or the plain one, because the season is
 * still learned or too few forecasts have been checked (`learning`), or their error has grown
 * (`inaccurate`).
 */
export type LimitMode = (typeof LIMIT_MODES)[number];

/** Every {@link LimitMode}, the worst first. */
export const LIMIT_MODES = ['inaccurate', 'learning', 'predictive'] as const;
