export type { LimitForecast } from './limit-forecast.ts';
export type { LimitMode } from './modes.ts';
export type {
  ChangeableLimiter,
  LimiterCallOptions,
  PredictiveLimitOptions,
} from './options.ts';
export { type PredictiveLimit, predictiveLimit } from './predictive-limit.ts';
export type { PredictiveLimitState } from './state.ts';
