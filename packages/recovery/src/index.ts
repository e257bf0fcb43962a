export {
  type Answer,
  type CachedPolicy,
  type CachedStats,
  cached,
} from './cached/cached.ts';
export type { CachedOptions, StaleEvent } from './cached/options.ts';
export { type ChaosPolicy, type ChaosStats, chaos } from './chaos/chaos.ts';
export type { ChaosOptions } from './chaos/options.ts';
export {
  CallsItselfError,
  ChaosFaultError,
  FallbackFailedError,
  HedgeFailedError,
  HedgeLostError,
  PipelineOrderError,
  PipelineReloadError,
} from './errors.ts';
export { type FallbackPolicy, type FallbackStats, fallback } from './fallback/fallback.ts';
export type { FallbackEvent, FallbackOptions } from './fallback/options.ts';
export { type HedgePolicy, type HedgeStats, hedge } from './hedge/hedge.ts';
export type { HedgeBudget, HedgeEvent, HedgeOptions, HedgeStart } from './hedge/options.ts';
export type { ObservedDurationOptions } from './latency/observed-duration.ts';
export {
  type PipelineOptions,
  type PipelinePolicy,
  type PipelineStats,
  pipeline,
} from './pipeline/pipeline.ts';
export type { PipelineDefinition, PolicyKinds } from './pipelines/definition.ts';
export type { PipelineListing } from './pipelines/named-pipeline.ts';
export {
  type Pipelines,
  type PipelinesOptions,
  pipelines,
  type ReloadEvent,
} from './pipelines/pipelines.ts';
export type { TimeoutEvent, TimeoutOptions } from './timeout/options.ts';
export { type TimeoutPolicy, type TimeoutStats, timeout } from './timeout/timeout.ts';
