import { randomBytes } from 'node:crypto';
import { context, isSpanContextValid, trace } from '@opentelemetry/api';
import { getRPCMetadata, RPCType } from '@opentelemetry/core';

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/;

/**
 * The id by which a request is found again: that of its trace, whether this process records it or
 * only heard of it, and a fresh one when there is no trace at all.
 */
export function traceIdOf(traceparent: unknown): string {
  const active = trace.getActiveSpan()?.spanContext();
  if (active !== undefined && isSpanContextValid(active)) return active.traceId;
  const heard = TRACEPARENT.exec(typeof traceparent === 'string' ? traceparent : '')?.[1];
  if (heard !== undefined && !/^0+$/.test(heard)) return heard;
  return randomBytes(16).toString('hex');
}

/** Gives the server span its low-cardinality name: `POST /v1/lsp/:method`. */
export function nameRoute(route: string): void {
  const metadata = getRPCMetadata(context.active());
  if (metadata?.type === RPCType.HTTP) metadata.route = route;
}
