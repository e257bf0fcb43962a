export type { Dumpable, KeyDump, LimitDump } from './changes/limit-dump.ts';
export type { KeyOptions, RateControls } from './changes/rate-controls.ts';
export type { PlanOf, RatePlan } from './changes/rate-plans.ts';
export {
  type RateLimitExceeded,
  RateLimitExceededError,
  type RejectionReason,
} from './errors.ts';
export { type AllOfLimiter, type AllOfStats, allOf, type JointDecision } from './joint/all-of.ts';
export type { AllOfOptions, JoinableLimiter, JointLimit } from './joint/options.ts';
export { keyed } from './keyed/keyed.ts';
export type {
  KeyedFactoryOptions,
  KeyedLimiter,
  KeyedRateFactoryOptions,
  KeyedRateLimiter,
  KeyedStats,
  KeyedTemplateOptions,
} from './keyed/options.ts';
export type {
  AcquireOptions,
  Decision,
  Lease,
  Limiter,
  LimitState,
  RequestCounts,
} from './limiter.ts';
export {
  type ConcurrencyLimiter,
  type ConcurrencyOptions,
  concurrency,
} from './limiters/concurrency.ts';
export { fixedWindow, type WindowStats } from './limiters/fixed-window.ts';
export { gcra } from './limiters/gcra.ts';
export type { BurstOptions, RateOptions } from './limiters/options.ts';
export type { ConcurrencyStats } from './limiters/permit-gate.ts';
export type { RateLimiter, TokenBucketStats } from './limiters/rate-limiter.ts';
export { type SlidingWindowOptions, slidingWindow } from './limiters/sliding-window.ts';
export { tokenBucket } from './limiters/token-bucket.ts';
export type { RefusalListener, Refusing } from './refusals.ts';
export {
  type SettleableLimiter,
  type SettledLimiter,
  type SettledOptions,
  settled,
} from './settled.ts';
export type { ThrottleOptions } from './throttle/options.ts';
export {
  type Throttle,
  type ThrottleLease,
  type ThrottleStats,
  throttle,
} from './throttle/throttle.ts';
export { type FairQueueOptions, fairQueue } from './wait/fair-queue.ts';
export { priorityQueue } from './wait/priority-queue.ts';
export type { QueueOrder } from './wait/queue-order.ts';
