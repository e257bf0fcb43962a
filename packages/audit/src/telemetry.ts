import type { Context } from '@opentelemetry/api';
import type { TelemetryScope } from '@temper/core';
import {
  ATTR_ERROR_TYPE,
  ATTR_POLICY_NAME,
  activeContext,
  byOutcome,
  type Counts,
  type Emit,
  Instrumentation,
  isValid,
  policyAttributes,
  ROOT_CONTEXT,
  SEVERITY,
  safeText,
  spanOf,
  withSpanContext,
} from '@temper/core/policy';
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

const telemetry = new Instrumentation({
  name: '@temper/audit',
  version: VERSION,
  metrics: AUDIT_METRICS,
});

const OUTCOMES = byOutcome(EVENT_OUTCOMES);

/** The option `telemetry` of a log or a target. */
type Within = TelemetryScope | undefined;

/** A log, as telemetry knows it. */
interface Named {
  readonly name: string;
}

/** The counts of a log's events, which `stats()` and the metric read. */
export function eventCounts(log: Named, within: Within): Counts<EventOutcome> {
  return telemetry.of(within).counts(log, METRIC_EVENTS, OUTCOMES);
}

/** The count of a sink's failures, which `stats()` and the metric read. */
export function sinkCounts(log: Named, sink: string, within: Within): Counts<'failures'> {
  return telemetry
    .of(within)
    .counts(log, METRIC_SINK_ERRORS, { failures: { [ATTR_SINK.name]: sink } });
}

/** Ends the series of a log that is closed. */
export function release(log: Named, within: Within): void {
  telemetry.of(within).release(log);
}

/** Whether durations are recorded, so that the clock has to be read. */
export function measuresDurations(within: Within): boolean {
  return telemetry.of(within).live.metrics;
}

/** @param ms - from handing an event to the log until it was durable */
export function recordAppend(log: string, ms: number, within: Within): void {
  telemetry
    .of(within)
    .histogram(METRIC_APPEND_DURATION, log)
    .record(ms / 1_000);
}

interface PendingLevel extends Named {
  pending(): number;
}

/** Observes the number of pending events of a log at each collection. */
export function observePending(log: PendingLevel, within: Within): Disposable {
  return telemetry.of(within).observe(log, readPending);
}

function readPending(log: PendingLevel, emit: Emit): void {
  emit(METRIC_PENDING, policyAttributes(log.name), log.pending());
}

/** Ids and flags of the active span. */
export interface ActiveSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
}

/** The active span, sampled or not; undefined if there is none. */
export function activeSpan(): ActiveSpan | undefined {
  const found = spanOf(activeContext())?.spanContext();
  return found !== undefined && isValid(found) ? found : undefined;
}

/** Whether a logger provider is registered, so that records are collected. */
export function collectsRecords(within: Within): boolean {
  return telemetry.of(within).scope.logger !== undefined;
}

/**
 * Emits an event as a log record in the context of the event's span. The body is the line of the log,
 * byte for byte, so that its hash can be verified; attributes are bounded and scrubbed.
 */
export function emitLogRecord(
  { event, line, traceFlags }: SealedEvent,
  log: string,
  within: Within,
): void {
  const failed = event.error !== undefined || event.status === 'failure';
  telemetry.of(within).scope.logger?.emit({
    eventName: EVENT_AUDIT,
    timestamp: new Date(event.timestamp),
    severityNumber: failed ? SEVERITY.WARN : SEVERITY.INFO,
    severityText: failed ? 'WARN' : 'INFO',
    body: line,
    attributes: {
      [ATTR_POLICY_NAME.name]: log,
      [RECORD_ATTRIBUTES.id.name]: event.id,
      [RECORD_ATTRIBUTES.sequence.name]: event.sequence,
      [RECORD_ATTRIBUTES.eventType.name]: safeText(event.eventType),
      [RECORD_ATTRIBUTES.action.name]: safeText(event.action),
      [RECORD_ATTRIBUTES.resource.name]: safeText(event.resource),
      [RECORD_ATTRIBUTES.status.name]: safeText(event.status),
      [RECORD_ATTRIBUTES.hash.name]: event.hash,
      ...(event.actor === undefined
        ? {}
        : { [RECORD_ATTRIBUTES.actor.name]: safeText(event.actor.id) }),
      ...(event.error === undefined
        ? {}
        : { [ATTR_ERROR_TYPE.name]: safeText(event.error.code ?? event.error.name) }),
    },
    // Always set: the default is the context in which the write runs, which is another one.
    context: contextOf(event, traceFlags),
  });
}

function contextOf({ traceId, spanId }: AuditEvent, traceFlags: number): Context {
  return traceId === undefined || spanId === undefined
    ? ROOT_CONTEXT
    : withSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags });
}
