import type { IncomingMessage, ServerResponse } from 'node:http';
import { type GuardAnswer, HttpGuard, type ResponseFields } from './guard.ts';
import type { HttpRateLimitOptions } from './options.ts';
import { PROBLEM_TYPE, type Problem } from './problem.ts';

/** A middleware for `node:http`, Connect and Express. */
export type ConnectMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * Creates a middleware for `node:http`, Connect and Express. It announces the limits on every response,
 * and responds in place of the handler when one is exceeded. Several of them announce their limits side
 * by side.
 *
 * ```ts
 * const perClient = keyed({ template: tokenBucket({ limit: 100, burst: 20 }) });
 * app.use(rateLimitMiddleware({
 *   limits: [{ name: 'per-client', limiter: perClient, key: 'address' }],
 *   trustedProxies: ['10.0.0.0/8'],
 * }));
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function rateLimitMiddleware(options: HttpRateLimitOptions): ConnectMiddleware {
  const guard = new HttpGuard('rateLimitMiddleware', options);
  return (request, response, next) => {
    const { method = '', url = '', headers, socket } = request;
    const seen = guard.request(request, method, url, socket.remoteAddress, (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    });
    void pass(guard.ask(seen), response, next);
  };
}

/** Although a test may have replaced it since, as Jest does. */
const { queueMicrotask: defer } = globalThis;

/** Never rejects. */
async function pass(
  asked: Promise<GuardAnswer>,
  response: ServerResponse,
  next: (error?: unknown) => void,
): Promise<void> {
  try {
    if (!apply(await asked, response)) return;
  } catch (error) {
    defer(() => next(error));
    return;
  }
  // Not from within this promise: what a handler throws is its own uncaught exception, as it would be
  // without the middleware, and not a rejection of this one.
  defer(next);
}

/** @returns whether the request may pass */
function apply({ refusal, fields, release }: GuardAnswer, response: ServerResponse): boolean {
  try {
    appendFields(response, fields);
    if (refusal !== undefined) {
      respond(response, refusal.status, refusal.problem);
      return false;
    }
  } catch (error) {
    release(false); // the headers may have been sent already
    throw error;
  }
  // A connection that is closed already emits no further event.
  if (response.closed || response.destroyed) release(false);
  else response.once('close', () => release(response.writableFinished));
  return true;
}

/** Adds fields to those of other middlewares; `Retry-After` is not a list, and the later one holds. */
function appendFields(response: ServerResponse, fields: ResponseFields): void {
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'Retry-After') response.setHeader(name, value);
    else response.appendHeader(name, value);
  }
}

function respond(response: ServerResponse, status: number, problem: Problem): void {
  const body = JSON.stringify(problem);
  response.statusCode = status;
  response.setHeader('Content-Type', PROBLEM_TYPE);
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.end(body);
}
