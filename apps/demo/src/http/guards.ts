import type { OperationOptions } from '@temper/parsercraft-handlers';
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import type { HttpContext } from './context.ts';
import { Problem } from './problem.ts';

/** The client of a request: `token` for requests with the token, else the IP address. */
export function clientOf({ access }: Pick<HttpContext, 'access'>, request: FastifyRequest): string {
  return access.hasToken(request.headers) ? 'token' : request.ip;
}

/** Adds the access checks, the rate limit and the content type check to every request. */
export function addGuards(app: FastifyInstance, context: HttpContext): void {
  const { access, clients } = context;
  app.addHook('onRequest', async (request, reply) => {
    access.checkHost(request.raw.rawHeaders);
    access.checkOrigin(request.method, request.headers);
    // Only the API is rate-limited; page files and health probes are cheap.
    if (request.url.startsWith('/v1/')) {
      reply.headers(await clients.admit(request));
      reply.header('cache-control', 'no-store');
    }
    if (hasBody(request) && !isJson(request)) {
      throw new Problem('unsupported-media-type', 'The body must be application/json.');
    }
  });
}

/** Hook that requires the token, for routes that change something. */
export function withToken({ access }: HttpContext): onRequestHookHandler {
  return (request, _reply, done) => {
    try {
      access.requireToken(request.headers);
      done();
    } catch (error) {
      done(error as Error);
    }
  };
}

/** A signal that aborts when the client disconnects before the response is sent. */
export function signalOf(request: FastifyRequest): AbortSignal {
  const gone = new AbortController();
  request.raw.once('close', () => {
    if (!request.raw.complete || request.socket.destroyed) {
      gone.abort(new Problem('bad-request', 'The client disconnected.'));
    }
  });
  return gone.signal;
}

/** Options of the operations of a request: they end with it, and count for its client's share. */
export function callerOf(
  context: Pick<HttpContext, 'access'>,
  request: FastifyRequest,
): OperationOptions {
  const actor = clientOf(context, request);
  return { signal: signalOf(request), actor, key: actor };
}

/** Whether the request has a body. A POST without one fails its schema. */
function hasBody({ method, headers }: FastifyRequest): boolean {
  if (method !== 'POST' && method !== 'PUT' && method !== 'PATCH') return false;
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function isJson({ headers }: FastifyRequest): boolean {
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  return type === 'application/json';
}
