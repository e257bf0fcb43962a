import { randomBytes } from 'node:crypto';
import { context, isSpanContextValid, SpanStatusCode, trace } from '@opentelemetry/api';
import { getRPCMetadata, RPCType } from '@opentelemetry/core';

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/;

/**
 * The id by which a request is found again: that of its trace, whether this process records it or
 * only heard of it, and a fresh one when there is no trace at all.
 */
export function traceIdOf(traceparent: string | undefined): string {
  const active = trace.getActiveSpan()?.spanContext();
  if (active !== undefined && isSpanContextValid(active)) return active.traceId;
  const heard = TRACEPARENT.exec(traceparent ?? '')?.[1];
  if (heard !== undefined && !/^0+$/.test(heard)) return heard;
  return randomBytes(16).toString('hex');
}

/** Gives the server span its low-cardinality name: `GET /packages/:name`. */
export function nameRoute(route: string): void {
  const metadata = getRPCMetadata(context.active());
  if (metadata?.type === RPCType.HTTP) metadata.route = route;
}

/**
 * Says on the server span which fault was made, so that a trace explains itself. The span of a
 * request that gets no whole answer is an error: its status code, 200, would say otherwise.
 */
export function markFault(kind: string | undefined, delayMs: number, unanswered: boolean): void {
  const span = trace.getActiveSpan();
  if (span === undefined) return;
  if (kind !== undefined) span.setAttribute('parsercraft.registry.fault', kind);
  if (delayMs > 0) span.setAttribute('parsercraft.registry.fault.delay', delayMs / 1_000);
  if (unanswered) span.setStatus({ code: SpanStatusCode.ERROR, message: `fault: ${kind}` });
}
