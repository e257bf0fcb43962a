export type { KeyOptions, RateControls } from '../changes/rate-controls.ts';
export type { PermitPlan, PlanOf, RatePlan } from '../changes/rate-plans.ts';
export type { RuleKind } from '../rules/rule.ts';
export type { QueueOrder } from '../wait/queue-order.ts';
export type { SharedLimiter } from './contract.ts';
export { LeaseLostError, StoreUnavailableError } from './errors.ts';
export type { SharedAllOfOptions, SharedJointLimit } from './group/options.ts';
export {
  type SharedAllOfLimiter,
  type SharedAllOfStats,
  sharedAllOf,
} from './group/shared-all-of.ts';
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
export {
  type JointRequest,
  type JointResult,
  type PermitCall,
  type PermitRequest,
  type PermitResult,
  type RateChange,
  type RateLimitStore,
  RESERVATION_MS,
  type StoreKey,
  type StoreRule,
  type TakeAnswer,
  type TakeCall,
  type TakeRequest,
  type TakeResult,
} from './store.ts';
export type { SharedStats } from './telemetry.ts';
