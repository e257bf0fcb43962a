/**
 * How the demand ahead is known: `predictive` with the season; otherwise it is taken to stay as it is,
 * because the season is still learned (`learning`), its forecasts have been worse than that
 * (`inaccurate`), there is none (`no-season`), or the sources do not answer (`no-data`).
 */
export type ScalingMode = (typeof MODES)[number];

/** Every {@link ScalingMode}, the worst first. */
export const MODES = ['no-data', 'inaccurate', 'learning', 'no-season', 'predictive'] as const;
