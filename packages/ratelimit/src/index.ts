export {
  type AdaptiveConcurrencyLimiter,
  type AdaptiveLease,
  adaptiveConcurrency,
} from './adaptive/adaptive-concurrency.ts';
export {
  ADAPTIVE_DEFAULTS,
  type AdaptiveConcurrencyOptions,
  type LimitChange,
} from './adaptive/options.ts';
export {
  type ConcurrencyLimiter,
  type ConcurrencyStats,
  concurrency,
} from './concurrency-limiter.ts';
export {
  type RateLimitExceeded,
  RateLimitExceededError,
  type RejectionReason,
  StoreUnavailableError,
} from './errors.ts';
export { keyed } from './keyed.ts';
export {
  KEYED_DEFAULTS,
  type Keyable,
  type KeyedLimiter,
  type KeyedOptions,
  type KeyedStats,
} from './keyed-options.ts';
export type {
  AcquireOptions,
  CostedExecuteOptions,
  Lease,
  Limiter,
  Quota,
  RequestCounts,
  Verdict,
} from './limiter.ts';
export {
  type BurstOptions,
  CONCURRENCY_DEFAULTS,
  type ConcurrencyOptions,
  type QueueOptions,
  RATELIMIT_DEFAULTS,
  type RateOptions,
  type SlidingWindowOptions,
} from './options.ts';
export type { RateLimiter, RateLimiterStats } from './rate-limiter.ts';
export { fixedWindow, gcra, slidingWindow, tokenBucket } from './rate-limits.ts';
export type { RuleKind, Rules } from './rules.ts';
export { RATELIMIT_METRICS, RATELIMIT_SPANS, type RequestOutcome } from './semconv.ts';
export { MemoryRateLimitStore } from './shared/memory-store.ts';
export {
  SHARED_DEFAULTS,
  type SharedConcurrencyOptions,
  type SharedOptions,
  type SharedRateLimitOptions,
  type StoreFailureMode,
} from './shared/options.ts';
export type { SharedStats } from './shared/shared-books.ts';
export { type SharedConcurrencyLimiter, sharedConcurrency } from './shared/shared-concurrency.ts';
export type {
  SharedAcquireOptions,
  SharedExecuteOptions,
  SharedLimiter,
} from './shared/shared-policy.ts';
export { type SharedRateLimiter, sharedRateLimit } from './shared/shared-rate-limit.ts';
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
} from './shared/store.ts';
export {
  type PrioritizedExecuteOptions,
  THROTTLE_DEFAULTS,
  type Throttle,
  type ThrottleOptions,
  type ThrottleStats,
  type ThrottleTicket,
  throttle,
} from './throttle.ts';
export { PRIORITIES, type Priority } from './throttle-rules.ts';
