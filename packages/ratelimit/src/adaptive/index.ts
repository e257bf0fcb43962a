export {
  type AdaptiveConcurrencyLimiter,
  type AdaptiveLease,
  adaptiveConcurrency,
} from './adaptive-concurrency.ts';
export type { AdaptiveConcurrencyOptions, LimitChange } from './options.ts';
