import type { IncomingMessage, ServerResponse } from 'node:http';
import { notify, reportCallbackError } from '@temper/core/policy';
import type { HealthMonitor } from '../monitor.ts';
import { checkMonitor, type HealthHandlerOptions, resolveHandlerOptions } from './options.ts';
import { detailsFor, type ProbeResponse, respond, routeOf } from './response.ts';

/** A handler for `node:http`, also usable as Express middleware and as Fastify hook. */
export type NodeHealthHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: () => void,
) => void;

/**
 * Creates a handler of `/livez`, `/readyz` and `/startupz`. Any other request is passed to `next`, or
 * receives a 404 if there is no `next`.
 *
 * ```ts
 * http.createServer(handler);
 * express().use(handler);
 * fastify().addHook('onRequest', (request, reply, done) => handler(request.raw, reply.raw, done));
 * ```
 *
 * @throws {TypeError} when `monitor` is no health monitor, or an option is unknown or invalid
 */
export function healthHandler(
  monitor: HealthMonitor,
  options: HealthHandlerOptions<IncomingMessage> = {},
): NodeHealthHandler {
  checkMonitor('healthHandler', monitor);
  const resolved = resolveHandlerOptions('healthHandler', options);
  return nodeHandler('healthHandler', (request) => {
    const route = routeOf(resolved, request.url ?? '/');
    if (route === undefined) return undefined;
    return respond(monitor, {
      ...route,
      method: request.method ?? 'GET',
      accept: request.headers.accept,
      details: detailsFor(resolved, request),
      degradedStatus: resolved.degradedStatus,
    });
  });
}

/**
 * Creates a handler of `node:http`.
 *
 * @param answer - the response to a probe; undefined for any other request
 */
export function nodeHandler(
  owner: string,
  answer: (request: IncomingMessage) => Promise<ProbeResponse> | undefined,
): NodeHealthHandler {
  return (request, response, next) => {
    const probe = answer(request);
    if (probe !== undefined) void send(owner, probe, response);
    else if (next !== undefined) next();
    else response.writeHead(404, { 'content-length': '0' }).end();
  };
}

/** Never rejects: a rejection would end the process. */
async function send(
  owner: string,
  probe: Promise<ProbeResponse>,
  response: ServerResponse,
): Promise<void> {
  try {
    const { status, headers, body } = await probe;
    // Other code, such as a timeout middleware, may have responded during the probe.
    if (!response.headersSent) response.writeHead(status, headers).end(body);
  } catch (error) {
    reportCallbackError(owner, 'response', error);
    notify(owner, 'response', sendUnavailable, response);
  }
}

function sendUnavailable(response: ServerResponse): void {
  if (!response.headersSent) response.writeHead(503, { 'content-length': '0' });
  response.end();
}
