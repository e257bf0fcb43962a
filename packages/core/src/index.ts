export { traceCalls } from './call/call-sites.ts';
export {
  type Classification,
  type ClassificationRule,
  classify,
  type ErrorCategory,
  type ErrorSeverity,
} from './classify.ts';
export { type Clock, systemClock } from './clock.ts';
export type {
  CallContext,
  CallOptions,
  EndedBy,
  Executor,
  Operation,
  Outcome,
  Policy,
  Priority,
  WrapOptions,
} from './contract.ts';
export {
  type ErrorContext,
  type ErrorLog,
  type ErrorLogOptions,
  type ErrorStats,
  errorLog,
  type HandleErrorOptions,
} from './error-log.ts';
export {
  DeadlineExceededError,
  isRefusal,
  isTemperError,
  OperationTimeoutError,
  TemperError,
} from './errors.ts';
export type { Random } from './random.ts';
export { isFailure, isOverload, isTransient, type ShouldHandle } from './should-handle.ts';
export type { Attributes } from './telemetry/definitions.ts';
export type { MetricView } from './telemetry/metric-views.ts';
export { type MetricProducerOptions, temperMetricProducer } from './telemetry/producer.ts';
export type { SpanMode } from './telemetry/spans.ts';
export { type TelemetryScopeOptions, telemetryScope } from './telemetry/telemetry-scope.ts';
export type { TelemetryScope } from './telemetry/within.ts';
