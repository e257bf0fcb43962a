import { randomBytes } from 'node:crypto';
import { context, isSpanContextValid, trace } from '@opentelemetry/api';
import { getRPCMetadata, RPCType } from '@opentelemetry/core';

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/;

/**
 * The trace id of a request: from the active span, else from the `traceparent` header, else a new
 * random id.
 */
export function traceIdOf(traceparent: unknown): string {
  const active = trace.getActiveSpan()?.spanContext();
  if (active !== undefined && isSpanContextValid(active)) return active.traceId;
  const received = TRACEPARENT.exec(typeof traceparent === 'string' ? traceparent : '')?.[1];
  if (received !== undefined && !/^0+$/.test(received)) return received;
  return randomBytes(16).toString('hex');
}

/** Sets the low-cardinality route in the name of the server span: `POST /v1/lsp/:method`. */
export function nameRoute(route: string): void {
  const metadata = getRPCMetadata(context.active());
  if (metadata?.type === RPCType.HTTP) metadata.route = route;
}
