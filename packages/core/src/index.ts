export { enterCall, PolicyBase, wrapWith } from './call.ts';
export {
  type Classification,
  type ClassificationRule,
  classify,
  ERROR_CATEGORIES,
  ERROR_SEVERITIES,
  type ErrorCategory,
  type ErrorSeverity,
  errorType,
  statusOf,
} from './classify.ts';
export { type Clock, type Scheduled, sleepOn, systemClock } from './clock.ts';
export { AbortScope, CallContext, isCallContext } from './context.ts';
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
  isTemperError,
  OperationTimeoutError,
  TemperError,
  type TemperErrorOptions,
} from './errors.ts';
export { type ListenerErrorHandler, Listeners, notify } from './listeners.ts';
export {
  checkClock,
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  messageOf,
  type NumberRange,
  show,
} from './options.ts';
export type {
  ExecuteOptions,
  ExecutionContext,
  Executor,
  InCallExecutor,
  Operation,
  Outcome,
  Policy,
  PolicyDescription,
} from './policy.ts';
export { type Random, systemRandom } from './random.ts';
export { parseRetryAfter, retryAfterOf } from './retry-after.ts';
export {
  type AttributeDefinition,
  type Attributes,
  type AttributeValue,
  DURATION_BOUNDARIES,
  type MetricDefinition,
  type SpanDefinition,
} from './telemetry/definitions.ts';
export { instrumentationScope } from './telemetry/hub.ts';
export { type TemperMetricProducer, temperMetricProducer } from './telemetry/producer.ts';
export type { Emit, InstrumentationScope, ScopeOptions } from './telemetry/scope.ts';
export {
  ATTR_ERROR_CATEGORY,
  ATTR_ERROR_SEVERITY,
  ATTR_ERROR_TYPE,
  ATTR_OPERATION,
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  CORE_METRICS,
  METRIC_ERRORS,
} from './telemetry/semconv.ts';
export type { Cell, HistogramSeries, Live } from './telemetry/series.ts';
export {
  ErrorTypeCells,
  failSpan,
  runInSpan,
  SPAN_MODES,
  type SpanMode,
} from './telemetry/spans.ts';
export {
  isThenable,
  runWithTimeout,
  type TimeoutEntry,
  type TimeoutObserver,
  TimeoutQueue,
} from './timeout.ts';
