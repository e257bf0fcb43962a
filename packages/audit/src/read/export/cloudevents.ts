import type { JsonValue } from '../../chain/canonical-json.ts';
import type { AuditEvent } from '../../chain/event.ts';

/** What the CloudEvents of a log say about where they come from. */
export interface CloudEventsOptions {
  /** `source`: a URI reference for the log. @defaultValue `urn:temper:audit:<log>` */
  readonly source?: string;
  /** Before the event's type, by convention a reversed domain. @defaultValue 'temper.audit' */
  readonly typePrefix?: string;
}

/** Width of the largest safe integer, so that sequences sort as text. */
const SEQUENCE_DIGITS = 16;

/**
 * An event as CloudEvents 1.0 in structured JSON, with the extensions for distributed tracing and
 * sequence.
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
 */
export function toCloudEvent(
  event: AuditEvent,
  log: string,
  { source = `urn:temper:audit:${log}`, typePrefix = 'temper.audit' }: CloudEventsOptions = {},
): { readonly [attribute: string]: JsonValue } {
  const { id, sequence, timestamp, eventType, resource, traceId, spanId, ...data } = event;
  return {
    specversion: '1.0',
    id,
    source,
    type: `${typePrefix}.${eventType}`,
    subject: resource,
    time: timestamp,
    datacontenttype: 'application/json',
    sequence: String(sequence).padStart(SEQUENCE_DIGITS, '0'),
    // Whether the span was sampled is not in the log, and the flag only promises that it may be.
    ...(traceId === undefined || spanId === undefined
      ? {}
      : { traceparent: `00-${traceId}-${spanId}-00` }),
    data: { ...data, eventType, resource, sequence } as unknown as JsonValue,
  };
}
