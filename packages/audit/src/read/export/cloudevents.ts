import type { JsonValue } from '../../chain/canonical-json.ts';
import type { AuditEvent } from '../../chain/event.ts';

/** Options of the CloudEvents format. */
export interface CloudEventsOptions {
  /** `source`: a URI reference for the log. @defaultValue `urn:temper:audit:<log>`, percent-encoded */
  readonly source?: string;
  /** Prefix of `type`, by convention a reversed domain. @defaultValue 'temper.audit' */
  readonly typePrefix?: string;
}

/** Digits of the largest safe integer, so that sequences sort as text. */
const SEQUENCE_DIGITS = 16;

/**
 * Converts an event to CloudEvents 1.0 in structured JSON, with the extensions for distributed tracing
 * and sequence.
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
 */
export function toCloudEvent(
  event: AuditEvent,
  log: string,
  {
    source = `urn:temper:audit:${encodeURIComponent(log.toWellFormed())}`,
    typePrefix = 'temper.audit',
  }: CloudEventsOptions = {},
): { readonly [attribute: string]: JsonValue } {
  const { id, sequence, timestamp, eventType, resource, traceId, spanId, ...data } = event;
  return {
    specversion: '1.0',
    id,
    source,
    type: `${typePrefix}.${attribute(eventType)}`,
    subject: attribute(resource),
    time: timestamp,
    datacontenttype: 'application/json',
    sequence: String(sequence).padStart(SEQUENCE_DIGITS, '0'),
    // The log does not store the sampled flag, so it is not set.
    ...(traceId === undefined || spanId === undefined
      ? {}
      : { traceparent: `00-${traceId}-${spanId}-00` }),
    data: { ...data, eventType, resource, sequence } as unknown as JsonValue,
  };
}

/** Control characters, noncharacters and lone surrogates, which a CloudEvents String must not have. */
const FORBIDDEN = /[\p{Cc}\p{Noncharacter_Code_Point}\p{Surrogate}]/gu;

/** The value of an attribute, with characters that the type String excludes replaced; `data` has all. */
function attribute(text: string): string {
  return text.replace(FORBIDDEN, '\uFFFD');
}
