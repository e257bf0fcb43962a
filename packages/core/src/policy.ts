// The door for authors of policies: everything that a policy is made from. Users need `@temper/core`.
export { type AbortListener, listenForAbort, stopListening } from './abort-listener.ts';
export { type AsyncScope, asyncScope, builtinModule, inCurrentContext } from './async-context.ts';
export { beginPart, endPart, followWaits } from './call/capacity.ts';
export { type Held, Holders, type PartWait } from './call/circular-waits.ts';
export { Call, type CallLabels, CallScope, isCall } from './call/context.ts';
export { noteEnding } from './call/endings.ts';
export { enterCall, type InCallExecutor, PolicyBase, wrapWith } from './call/enter.ts';
export { guardIteration, isCommitted, isGeneratorFunction, isIteration } from './call/iteration.ts';
export { MeasuredCall } from './call/measured.ts';
export { checkCallOptions, PRIORITIES } from './call/options.ts';
export { isUnheard, noteReach } from './call/reach.ts';
export {
  invoke,
  nativePromise,
  rejectLater,
  runWithTimeout,
  type TimeoutObserver,
} from './call/timeout.ts';
export { type TimeoutEntry, TimeoutQueue } from './call/timeout-queue.ts';
export { ask, askNumber, decide, Listeners, notify } from './callbacks.ts';
export { causesOf, isError } from './causes.ts';
export { ERROR_CATEGORIES, ERROR_SEVERITIES, errorType, statusOf } from './classify.ts';
export { clockRule, type Scheduled, sleepOn, timerEpoch } from './clock.ts';
export type { PolicyDescription } from './contract.ts';
export { maskCredentials } from './credentials.ts';
export { discardBody, isShared, share } from './discard.ts';
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
export { processState } from './process-state.ts';
export { randomId, systemRandom } from './random.ts';
export { isHeaders, parseRetryAfter, retryAfterOf } from './retry-after.ts';
export {
  endedRetries,
  numberAttempt,
  type RetryDetails,
  rememberRetries,
  retryDetails,
} from './retry-details.ts';
export { isNeutral, tellSpentBudget, transientByDefault } from './should-handle.ts';
export {
  isValid,
  ROOT_CONTEXT,
  spanOf,
  withSpanContext,
} from './telemetry/api-values.ts';
export {
  CallObservation,
  CallObserver,
  type CallObserverOptions,
} from './telemetry/call-observer.ts';
export type { Counts, Variants } from './telemetry/counters.ts';
export {
  type AttributeDefinition,
  type AttributeValue,
  type Cell,
  DURATION_BOUNDARIES,
  FAST_DURATION_BOUNDARIES,
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
export type { Emit, ReadLevels } from './telemetry/levels.ts';
export { activeContext, runInContext, SEVERITY } from './telemetry/process-api.ts';
export type { InstrumentationScope, ScopeOptions } from './telemetry/scope.ts';
export {
  ATTR_ERROR_CATEGORY,
  ATTR_ERROR_SEVERITY,
  ATTR_ERROR_TYPE,
  ATTR_OPERATION,
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  CORE_METRICS,
} from './telemetry/semconv.ts';
export {
  type HistogramSeries,
  joinAttributes,
  type Live,
} from './telemetry/series.ts';
export {
  DEFAULT_SPANS,
  failureType,
  GuardedSpan,
  SPAN_MODES,
  type SpanMode,
} from './telemetry/spans.ts';
export { telemetryRule } from './telemetry/within.ts';
export { messageOf, safeLines, safeText } from './text.ts';
export { UNKNOWN } from './verdicts.ts';
