import { type Context, context, type Span, SpanKind } from '@opentelemetry/api';
import {
  ATTR_ERROR_TYPE,
  ATTR_OPERATION,
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  type Attributes,
  type AttributeValue,
  type CallContext,
  type Cell,
  type Emit,
  errorType,
  failSpan,
  type HistogramSeries,
  type InstrumentationScope,
  instrumentationScope,
  type Live,
  type MetricDefinition,
  runInSpan,
} from '@temper/core';
import { RECOVERY_METRICS } from './semconv.ts';
import { VERSION } from './version.ts';

const scope: InstrumentationScope = instrumentationScope({
  name: '@temper/recovery',
  version: VERSION,
  metrics: RECOVERY_METRICS,
});

/** Reports what user code threw. */
export const onListenerError: (error: unknown) => void = scope.onListenerError;

/** What is switched on in this process. */
export const live: Live = scope.live;

/** Which calls get spans: those in which this policy had something to do, or none. */
export type EventSpans = 'failures' | 'none';
export const EVENT_SPANS: readonly EventSpans[] = ['failures', 'none'];

/** One counter per value of an attribute. */
export function cellsBy<K extends string>(
  metric: MetricDefinition,
  base: Attributes,
  attribute: string,
  values: readonly K[],
): Readonly<Record<K, Cell>> {
  return Object.fromEntries(
    values.map((value) => [value, scope.counter(metric, { ...base, [attribute]: value })]),
  ) as Record<K, Cell>;
}

/** One counter per outcome, for the policies of this name. */
export function outcomeCells<K extends string>(
  metric: MetricDefinition,
  policy: string,
  outcomes: readonly K[],
): Readonly<Record<K, Cell>> {
  return cellsBy(metric, policyAttributes(policy), ATTR_OUTCOME, outcomes);
}

/** A counter with no attribute but the policy's name. */
export function cell(metric: MetricDefinition, policy: string): Cell {
  return scope.counter(metric, policyAttributes(policy));
}

/** A histogram with these attributes. */
export function histogram(metric: MetricDefinition, attributes: Attributes): HistogramSeries {
  return scope.histogram(metric, attributes);
}

/** Reads levels of a living policy at each collection. `read` must not close over the policy. */
export function observe<T extends object>(
  owner: T,
  read: (owner: T, emit: Emit) => void,
): Disposable {
  return scope.observe(owner, read);
}

/** The attribute that every series of a policy has. */
export function policyAttributes(policy: string): Attributes {
  return { [ATTR_POLICY_NAME.name]: policy };
}

/** Where a call came from, kept for a span that may be needed later. */
export type Origin = Context;

/** Remembers the caller's place in the trace, if there is one to remember. */
export function originOf(spans: string): Origin | undefined {
  return scope.live.traces && spans !== 'none' ? context.active() : undefined;
}

/** A span of this package, not active; `undefined` when a sampler or processor fails. */
export function openSpan(
  name: string,
  policy: string,
  call: CallContext,
  startTime: number,
  attributes: Readonly<Record<string, AttributeValue>>,
  origin: Origin = context.active(),
): Span | undefined {
  const all: Record<string, AttributeValue> = {
    ...call.attributes,
    ...attributes,
    [ATTR_POLICY_NAME.name]: policy,
  };
  if (call.operation !== undefined) all[ATTR_OPERATION.name] = call.operation;
  let span: Span | undefined;
  scope.safely(() => {
    span = scope.tracer.startSpan(name, { attributes: all, startTime }, origin);
  });
  return span;
}

/** Runs `work` with `span` active, or plainly without one. */
export function under<T>(span: Span | undefined, work: () => T): T {
  return span === undefined ? work() : runInSpan(span, work);
}

/** Runs `work` at the caller's place in the trace, where that was kept. */
export function at<T>(origin: Origin | undefined, work: () => T): T {
  return origin === undefined ? work() : context.with(origin, work);
}

/** Ends a span, with these attributes added. */
export function endSpan(
  span: Span | undefined,
  endTime: number,
  attributes: Readonly<Record<string, AttributeValue>> = {},
): void {
  if (span === undefined) return;
  scope.safely(() => {
    span.setAttributes(attributes);
    span.end(endTime);
  });
}

/** Ends a span as failed, with these attributes added. */
export function endFailed(
  span: Span | undefined,
  error: unknown,
  endTime: number,
  attributes: Readonly<Record<string, AttributeValue>> = {},
): void {
  if (span === undefined) return;
  scope.safely(() => {
    failSpan(span, error);
    endSpan(span, endTime, attributes);
  });
}

/** `error.type` of what a span answers for, without making the span a failed one. */
export function answersFor(error: unknown): Readonly<Record<string, AttributeValue>> {
  return { [ATTR_ERROR_TYPE.name]: errorType(error) };
}

/** OpenTelemetry's own attribute: how often the same request was sent before, on resends only. */
const ATTR_RESEND_COUNT = 'http.request.resend_count';

/**
 * A context that tells the next client span how often its request was sent before. Whoever makes that
 * span (OpenTelemetry's instrumentation of undici, or anything like it) sets it in the active context,
 * to pass it on in the request's headers; that is where it is met. No hook has to be configured.
 */
class ResendContext implements Context {
  readonly #inner: Context;
  readonly #count: number;

  constructor(inner: Context, count: number) {
    this.#inner = inner;
    this.#count = count;
  }

  getValue(key: symbol): unknown {
    return this.#inner.getValue(key);
  }

  setValue(key: symbol, value: unknown): Context {
    const inner = this.#inner.setValue(key, value);
    if (!isClientSpan(value)) return new ResendContext(inner, this.#count);
    scope.safely(() => void value.setAttribute(ATTR_RESEND_COUNT, this.#count));
    return inner;
  }

  deleteValue(key: symbol): Context {
    return new ResendContext(this.#inner.deleteValue(key), this.#count);
  }
}

function isClientSpan(value: unknown): value is Span {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, setAttribute } = value as { kind?: unknown; setAttribute?: unknown };
  return kind === SpanKind.CLIENT && typeof setAttribute === 'function';
}

/** Sends a request so that its client span says how often it was sent before. */
export function resending<T>(count: number, send: () => T): T {
  if (count <= 0 || !scope.live.traces) return send();
  return context.with(new ResendContext(context.active(), count), send);
}

export type { Span };
