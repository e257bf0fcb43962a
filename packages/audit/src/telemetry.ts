import {
  type Context,
  isSpanContextValid,
  ROOT_CONTEXT,
  SeverityNumber,
  trace,
} from '@opentelemetry/api';
import {
  ATTR_ERROR_TYPE,
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  type Cell,
  type HistogramSeries,
  type InstrumentationScope,
  instrumentationScope,
  type Live,
} from '@temper/core';
import type { AuditEvent } from './chain/event.ts';
import type { SealedEvent } from './chain/hash-chain.ts';
import {
  ATTR_SINK,
  AUDIT_METRICS,
  EVENT_AUDIT,
  EVENT_OUTCOMES,
  type EventOutcome,
  METRIC_APPEND_DURATION,
  METRIC_EVENTS,
  METRIC_PENDING,
  METRIC_SINK_ERRORS,
  RECORD_ATTRIBUTES,
} from './semconv.ts';
import { VERSION } from './version.ts';

const scope: InstrumentationScope = instrumentationScope({
  name: '@temper/audit',
  version: VERSION,
  metrics: AUDIT_METRICS,
});

/** Logs an error thrown by user code. */
export const onListenerError: (error: unknown) => void = scope.onListenerError;

/** Instruments of one log. */
export interface AuditMeter {
  readonly live: Live;
  readonly events: Readonly<Record<EventOutcome, Cell>>;
  readonly duration: HistogramSeries;
  sinkErrors(sink: string): Cell;
}

/** The series of the logs with this name. */
export function auditMeter(log: string): AuditMeter {
  const base = { [ATTR_POLICY_NAME.name]: log };
  return {
    live: scope.live,
    events: Object.fromEntries(
      EVENT_OUTCOMES.map((outcome) => [
        outcome,
        scope.counter(METRIC_EVENTS, { ...base, [ATTR_OUTCOME]: outcome }),
      ]),
    ) as Record<EventOutcome, Cell>,
    duration: scope.histogram(METRIC_APPEND_DURATION, base),
    sinkErrors: (sink) => scope.counter(METRIC_SINK_ERRORS, { ...base, [ATTR_SINK.name]: sink }),
  };
}

/** Observes the number of pending events of a log at each collection. */
export function observePending(log: { readonly name: string; pending(): number }): Disposable {
  return scope.observe(log, (owner, emit) => {
    emit(METRIC_PENDING, { [ATTR_POLICY_NAME.name]: owner.name }, owner.pending());
  });
}

/** Ids and flags of the active span. */
export interface ActiveSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
}

/** The active span, sampled or not; undefined if there is none. */
export function activeSpan(): ActiveSpan | undefined {
  const found = trace.getActiveSpan()?.spanContext();
  return found !== undefined && isSpanContextValid(found) ? found : undefined;
}

/** Emits an event as a log record in the context of the event's span. */
export function emitLogRecord({ event, line, traceFlags }: SealedEvent, log: string): void {
  const failed = event.error !== undefined || event.status === 'failure';
  scope.logger.emit({
    eventName: EVENT_AUDIT,
    timestamp: new Date(event.timestamp),
    severityNumber: failed ? SeverityNumber.WARN : SeverityNumber.INFO,
    severityText: failed ? 'WARN' : 'INFO',
    body: line,
    attributes: {
      [ATTR_POLICY_NAME.name]: log,
      [RECORD_ATTRIBUTES.id.name]: event.id,
      [RECORD_ATTRIBUTES.sequence.name]: event.sequence,
      [RECORD_ATTRIBUTES.eventType.name]: event.eventType,
      [RECORD_ATTRIBUTES.action.name]: event.action,
      [RECORD_ATTRIBUTES.resource.name]: event.resource,
      [RECORD_ATTRIBUTES.status.name]: event.status,
      [RECORD_ATTRIBUTES.hash.name]: event.hash,
      ...(event.actor === undefined ? {} : { [RECORD_ATTRIBUTES.actor.name]: event.actor.id }),
      ...(event.error === undefined
        ? {}
        : { [ATTR_ERROR_TYPE.name]: event.error.code ?? event.error.name }),
    },
    // Always set: the default is the context in which the write runs, which is another one.
    context: contextOf(event, traceFlags),
  });
}

function contextOf({ traceId, spanId }: AuditEvent, traceFlags: number): Context {
  return traceId === undefined || spanId === undefined
    ? ROOT_CONTEXT
    : trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags });
}
