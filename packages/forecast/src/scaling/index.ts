export type { SeasonModel } from './holt-winters.ts';
export { limiterSources } from './limiter-sources.ts';
export type { ScalingMode } from './modes.ts';
export type { ScalingOptions, ScalingSources } from './options.ts';
export type { Recommendation } from './recommendation.ts';
export { type ScalingSignal, scalingSignal } from './scaling.ts';
export type { ScalingState } from './state.ts';
