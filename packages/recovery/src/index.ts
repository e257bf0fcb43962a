export { type Answer, type CachedPolicy, type CachedStats, cached } from './cached/cached.ts';
export { CACHED_DEFAULTS, type CachedOptions, type StaleEvent } from './cached/options.ts';
export { type ChaosPolicy, type ChaosStats, chaos } from './chaos/chaos.ts';
export { CHAOS_DEFAULTS, type ChaosOptions } from './chaos/options.ts';
export {
  ChaosFaultError,
  FallbackFailedError,
  HedgeFailedError,
  HedgeLostError,
  PipelineOrderError,
  PipelineReloadError,
} from './errors.ts';
export { type FallbackPolicy, type FallbackStats, fallback } from './fallback/fallback.ts';
export { FALLBACK_DEFAULTS, type FallbackEvent, type FallbackOptions } from './fallback/options.ts';
export { type HedgePolicy, type HedgeStats, hedge } from './hedge/hedge.ts';
export {
  HEDGE_DEFAULTS,
  type HedgeBudget,
  type HedgeEvent,
  type HedgeOptions,
} from './hedge/options.ts';
export type { ObservedDurationOptions } from './latency/observed-duration.ts';
export {
  type PipelineOptions,
  type PipelinePolicy,
  type PipelineStats,
  pipeline,
} from './pipeline/pipeline.ts';
export type {
  LayerDefinition,
  PipelineDefinition,
  PolicyFactory,
  PolicyKinds,
} from './pipelines/definition.ts';
export {
  type PipelineListing,
  type Pipelines,
  type PipelinesOptions,
  pipelines,
  type ReloadEvent,
} from './pipelines/pipelines.ts';
export { type PlannedFunction, planOf, withPlan } from './plan/annotation.ts';
export { parsePlans } from './plan/document.ts';
export {
  DegradedResultError,
  FailedResultError,
  PlanDocumentError,
  type PlanProblem,
  UnregisteredOperationError,
} from './plan/errors.ts';
export type { Forecast } from './plan/forecast.ts';
export type { HistoryQuery, RecoveryRecord } from './plan/history.ts';
export {
  PLAN_DEFAULTS,
  type PlanEnvironment,
  RECOVERY_STRATEGIES,
  type RecoveryEvent,
  type RecoveryHandler,
  type RecoveryHandlers,
  type RecoveryPlan,
  type RecoveryStrategy,
} from './plan/plan.ts';
export { type Recoveries, type RecoveriesOptions, recoveries } from './plan/recoveries.ts';
export {
  type RecoverOptions,
  type Recovery,
  type RecoveryResult,
  type RecoveryStats,
  recover,
} from './plan/recovery.ts';
export type { Suggestion } from './plan/tuning.ts';
export {
  CACHE_OUTCOMES,
  type CacheOutcome,
  CHAOS_KINDS,
  type ChaosKind,
  FALLBACK_OUTCOMES,
  type FallbackOutcome,
  HEDGE_OUTCOMES,
  type HedgeOutcome,
  RECOVERY_METRICS,
  RECOVERY_OUTCOMES,
  RECOVERY_SPANS,
  type RecoveryOutcomeName,
  TIMEOUT_OUTCOMES,
  type TimeoutOutcome,
} from './semconv.ts';
export { TIMEOUT_DEFAULTS, type TimeoutEvent, type TimeoutOptions } from './timeout/options.ts';
export { type TimeoutPolicy, type TimeoutStats, timeout } from './timeout/timeout.ts';
