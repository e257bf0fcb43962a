export type { SharedLimiter } from '../limiter.ts';
export type { RuleKind } from '../rules/rule.ts';
export { StoreUnavailableError } from './errors.ts';
export { MemoryRateLimitStore } from './memory-store.ts';
export type {
  SharedConcurrencyOptions,
  SharedLimiterOptions,
  SharedRateLimitOptions,
  StoreFailureMode,
} from './options.ts';
export {
  type SharedConcurrencyLimiter,
  type SharedConcurrencyStats,
  sharedConcurrency,
} from './shared-concurrency.ts';
export { type SharedRateLimiter, sharedRateLimit } from './shared-rate-limit.ts';
export type {
  PermitRequest,
  PermitResult,
  RateLimitStore,
  StoreKey,
  StoreRule,
  TakeAnswer,
  TakeCall,
  TakeRequest,
  TakeResult,
} from './store.ts';
export type { SharedStats } from './telemetry.ts';
