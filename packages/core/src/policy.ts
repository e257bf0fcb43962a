// The door for authors of policies: everything that a policy is made from. Users need `@temper/core`.
export { inCurrentContext } from './async-context.ts';
export { Call, type CallLabels, CallScope, isCall } from './call/context.ts';
export { enterCall, type InCallExecutor, PolicyBase, wrapWith } from './call/enter.ts';
export { checkCallOptions, PRIORITIES } from './call/options.ts';
export {
  invoke,
  runWithTimeout,
  type TimeoutEntry,
  type TimeoutObserver,
  TimeoutQueue,
} from './call/timeout.ts';
export { ask, askNumber, decide, Listeners, notify } from './callbacks.ts';
export { ERROR_CATEGORIES, ERROR_SEVERITIES, errorType, statusOf, UNKNOWN } from './classify.ts';
export { clockRule, type Scheduled, sleepOn } from './clock.ts';
export type { PolicyDescription } from './contract.ts';
export { discardBody } from './discard.ts';
export type { TemperErrorOptions } from './errors.ts';
export {
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  type Defaults,
  methodsRule,
  type NumberRange,
  nameRule,
  numberRule,
  type OptionRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  show,
  typeRule,
} from './options.ts';
export { systemRandom } from './random.ts';
export { isError, isHeaders, parseRetryAfter, retryAfterOf } from './retry-after.ts';
export {
  endedRetries,
  numberAttempt,
  type RetryDetails,
  rememberRetries,
  retryDetails,
} from './retry-details.ts';
export { isNeutral } from './should-handle.ts';
export {
  CallObservation,
  CallObserver,
  type CallObserverOptions,
} from './telemetry/call-observer.ts';
export {
  type AttributeDefinition,
  type AttributeValue,
  DURATION_BOUNDARIES,
  type MetricDefinition,
  type SpanDefinition,
} from './telemetry/definitions.ts';
export { reportCallbackError, warn } from './telemetry/diagnostics.ts';
export type { ErrorTypeCells } from './telemetry/error-types.ts';
export {
  by,
  byOutcome,
  Instrumentation,
  type LogEvent,
  policyAttributes,
} from './telemetry/instrumentation.ts';
export type {
  Emit,
  InstrumentationScope,
  ReadLevels,
  ScopeOptions,
} from './telemetry/scope.ts';
export {
  ATTR_ERROR_CATEGORY,
  ATTR_ERROR_SEVERITY,
  ATTR_ERROR_TYPE,
  ATTR_OPERATION,
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  CORE_METRICS,
} from './telemetry/semconv.ts';
export type { Cell, Counts, HistogramSeries, Live, Variants } from './telemetry/series.ts';
export {
  DEFAULT_SPANS,
  failureType,
  GuardedSpan,
  SPAN_MODES,
  type SpanMode,
} from './telemetry/spans.ts';
export { messageOf, safeLines, safeText } from './text.ts';
