import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HealthMonitor } from '../monitor.ts';
import { onListenerError } from '../telemetry.ts';
import { answer, detailsFor, routeOf } from './answer.ts';
import { type HealthHandlerOptions, resolveHandlerOptions } from './options.ts';

/** A handler for `node:http`, which is also a middleware for Express and a hook for Fastify. */
export type NodeHealthHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: () => void,
) => void;

/**
 * Answers `/livez`, `/readyz` and `/startupz`. Anything else is passed to `next`, or answered with
 * 404 where there is none.
 *
 * ```ts
 * http.createServer(handler);
 * express().use(handler);
 * fastify().addHook('onRequest', (request, reply, done) => handler(request.raw, reply.raw, done));
 * ```
 *
 * @throws {TypeError} when an option is unknown or wrong
 */
export function healthHandler(
  monitor: HealthMonitor,
  options: HealthHandlerOptions<IncomingMessage> = {},
): NodeHealthHandler {
  const resolved = resolveHandlerOptions('healthHandler', options);
  return (request, response, next) => {
    const route = routeOf(resolved, request.url ?? '/');
    if (route === undefined) {
      if (next !== undefined) next();
      else response.writeHead(404, { 'content-length': '0' }).end();
      return;
    }
    answer(monitor, {
      ...route,
      method: request.method ?? 'GET',
      accept: request.headers.accept,
      details: detailsFor(resolved, request),
    }).then(
      ({ status, headers, body }) => response.writeHead(status, headers).end(body),
      (error: unknown) => {
        onListenerError(error);
        if (!response.headersSent) response.writeHead(503, { 'content-length': '0' });
        response.end();
      },
    );
  };
}
