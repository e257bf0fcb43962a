import type { IncomingMessage, ServerResponse } from 'node:http';
import { isListField, type ResponseFields } from './announcement.ts';
import type { RefusalResponse } from './custom-response.ts';
import { type GuardAnswer, HttpGuard } from './guard.ts';
import { nodeRequest } from './node-request.ts';
import type { HttpRateLimitOptions } from './options.ts';

/** A middleware for `node:http`, Connect and Express. */
export type ConnectMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * Creates a middleware for `node:http`, Connect and Express. It announces the limits on every response,
 * and responds in place of the handler when one is exceeded. Several of them announce their limits side
 * by side. Without `trustedProxies` the address of a client is Express' own `req.ip`.
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
    void pass(guard.ask(nodeRequest(request)), response, next);
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
    setFields(response, fields);
    if (refusal !== undefined) {
      respond(response, refusal);
      return false;
    }
  } catch (error) {
    release(UNSERVED); // the headers may have been sent already
    throw error;
  }
  releaseAtEnd(response, release);
  return true;
}

const UNSERVED = { status: undefined, served: false };

/** Calls `release` when the response is over. */
export function releaseAtEnd(response: ServerResponse, release: GuardAnswer['release']): void {
  const end = (): void => {
    release({ status: response.statusCode, served: response.writableFinished });
  };
  // A connection that is closed already emits no further event.
  if (response.closed || response.destroyed) end();
  else response.once('close', end);
}

/** Adds fields to those of other middlewares. Where the field is not a list, the later one holds. */
export function setFields(response: ServerResponse, fields: ResponseFields): void {
  for (const [name, value] of Object.entries(fields)) {
    if (isListField(name)) response.appendHeader(name, value);
    else response.setHeader(name, value);
  }
}

function respond(response: ServerResponse, { status, headers, body }: RefusalResponse): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.end(body);
}
