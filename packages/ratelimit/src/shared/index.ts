export type { SharedLimiter } from '../limiter.ts';
export { StoreUnavailableError } from './errors.ts';
export { MemoryRateLimitStore } from './memory-store.ts';
export type {
  SharedConcurrencyOptions,
  SharedOptions,
  SharedRateLimitOptions,
  StoreFailureMode,
} from './options.ts';
export type { SharedStats } from './shared-books.ts';
export { type SharedConcurrencyLimiter, sharedConcurrency } from './shared-concurrency.ts';
export { type SharedRateLimiter, sharedRateLimit } from './shared-rate-limit.ts';
export type {
  PermitRequest,
  PermitResult,
  RateLimitStore,
  StoreKey,
  StoreRule,
  TakeAnswer,
  TakeAsk,
  TakeRequest,
  TakeResult,
} from './store.ts';
