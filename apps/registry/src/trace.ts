import { randomBytes } from 'node:crypto';
import { context, isSpanContextValid, SpanStatusCode, trace } from '@opentelemetry/api';
import { getRPCMetadata, RPCType } from '@opentelemetry/core';

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/;

/**
 * The trace id of a request: of the recorded span, else from the `traceparent` header, else a new
 * random id.
 */
export function traceIdOf(traceparent: string | undefined): string {
  const active = trace.getActiveSpan()?.spanContext();
  if (active !== undefined && isSpanContextValid(active)) return active.traceId;
  const heard = TRACEPARENT.exec(traceparent ?? '')?.[1];
  if (heard !== undefined && !/^0+$/.test(heard)) return heard;
  return randomBytes(16).toString('hex');
}

/** Sets the low-cardinality name of the server span: `GET /packages/:name`. */
export function nameRoute(route: string): void {
  const metadata = getRPCMetadata(context.active());
  if (metadata?.type === RPCType.HTTP) metadata.route = route;
}

/**
 * Records an injected fault on the server span. If the response is missing or incomplete, the span
 * gets the status ERROR, because its HTTP status 200 would not show the failure.
 */
export function markFault(kind: string | undefined, delayMs: number, unanswered: boolean): void {
  const span = trace.getActiveSpan();
  if (span === undefined) return;
  if (kind !== undefined) span.setAttribute('parsercraft.registry.fault', kind);
  if (delayMs > 0) span.setAttribute('parsercraft.registry.fault.delay', delayMs / 1_000);
  if (unanswered) span.setStatus({ code: SpanStatusCode.ERROR, message: `fault: ${kind}` });
}
