import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import type { HttpContext } from './context.ts';
import { Problem } from './problem.ts';

/** Who asks: whoever shows the token is somebody of his own, others are told apart by address. */
export function clientOf({ access }: Pick<HttpContext, 'access'>, request: FastifyRequest): string {
  return access.hasToken(request.headers) ? 'token' : request.ip;
}

/** Adds to every request the questions that come before its handler. */
export function addGuards(app: FastifyInstance, context: HttpContext): void {
  const { access, clients } = context;
  app.addHook('onRequest', async (request, reply) => {
    access.checkHost(request.headers);
    access.checkOrigin(request.method, request.headers);
    // Pages and probes are cheap; what costs work is counted.
    if (request.url.startsWith('/v1/')) {
      reply.headers(await clients.admit(request));
      reply.header('cache-control', 'no-store');
    }
    if (hasBody(request) && !isJson(request)) {
      throw new Problem('unsupported-media-type', 'A body must be application/json.');
    }
  });
}

/** For routes that change something. */
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

/** Aborts when the caller goes away before its answer is out. */
export function signalOf(request: FastifyRequest): AbortSignal {
  const gone = new AbortController();
  request.raw.once('close', () => {
    if (!request.raw.complete || request.socket.destroyed) {
      gone.abort(new Problem('bad-request', 'The caller went away.'));
    }
  });
  return gone.signal;
}

/** Which methods carry a body that is read. A POST without one is told by its schema. */
function hasBody({ method, headers }: FastifyRequest): boolean {
  if (method !== 'POST' && method !== 'PUT' && method !== 'PATCH') return false;
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function isJson({ headers }: FastifyRequest): boolean {
  const type = (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  return type === 'application/json';
}
