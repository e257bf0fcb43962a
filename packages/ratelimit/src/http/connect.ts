import type { IncomingMessage, ServerResponse } from 'node:http';
import { HttpGuard, type ResponseFields } from './guard.ts';
import type { HttpRateLimitOptions } from './options.ts';
import { PROBLEM_TYPE, type Problem } from './problem.ts';

/** What `node:http`, Connect and Express call. */
export type ConnectMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * Makes a middleware for `node:http`, Connect and Express. It tells the limits on every response, and
 * answers in place of the handler when one is exceeded. Several of them tell their limits side by side.
 *
 * ```ts
 * app.use(rateLimitMiddleware({
 *   limits: [{ name: 'per-client', keyed: keyed(() => tokenBucket({ limit: 100, burst: 20 })) }],
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
    guard.ask(seen).then(({ refusal, fields, release }) => {
      appendFields(response, fields);
      if (refusal !== undefined) {
        answer(response, refusal.status, refusal.problem);
        return;
      }
      // A connection that has gone already will not close again.
      if (response.closed || response.destroyed) release();
      else response.once('close', release);
      next();
    }, next);
  };
}

/** Adds fields to those of other middlewares; `Retry-After` is no list, and the later one holds. */
export function appendFields(response: ServerResponse, fields: ResponseFields): void {
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'Retry-After') response.setHeader(name, value);
    else response.appendHeader(name, value);
  }
}

function answer(response: ServerResponse, status: number, problem: Problem): void {
  const body = JSON.stringify(problem);
  response.statusCode = status;
  response.setHeader('Content-Type', PROBLEM_TYPE);
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.end(body);
}
