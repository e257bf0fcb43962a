import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type onRequestHookHandler,
} from 'fastify';
import { entityTag, noneMatchNames } from './conditional.ts';
import { MAX_NAME_LENGTH, MAX_VERSION_LENGTH } from './names.ts';
import { PROBLEM_MEDIA_TYPE, Problem, type ProblemCode, problemBody } from './problem.ts';
import { isLocked } from './store.ts';
import { nameRoute, traceIdOf } from './trace.ts';

/** Default maximum size of a request body, in bytes. */
const BODY_LIMIT_BYTES = 64 * 1024;
/** Percent-encoding triples a character. A longer parameter cannot be a valid name or version. */
const MAX_PARAM_LENGTH = 3 * Math.max(MAX_NAME_LENGTH, MAX_VERSION_LENGTH);

/** Maximum length of a problem detail taken from a framework error, which can contain the URL. */
const MAX_DETAIL_LENGTH = 200;

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** Logs unexpected errors. The client gets only the trace id. */
export type ErrorLog = (entry: Readonly<Record<string, unknown>>) => void;

interface Endpoint {
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => unknown;
  readonly before?: onRequestHookHandler;
  readonly bodyLimit?: number;
}

/**
 * Creates a Fastify instance with problem+json errors, route names in traces and conditional GET.
 */
export function createApp(log: ErrorLog): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: BODY_LIMIT_BYTES,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: (error, request, reply) => answer(error, request, reply, log),
  });
  // No route accepts text. Without the parser, Fastify responds with 415.
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler<FastifyError>((error, request, reply) => answer(error, request, reply, log));
  app.setNotFoundHandler((request, reply) =>
    answer(new Problem('not-found', 'No resource exists at this URL.'), request, reply, log),
  );
  app.addHook('onRequest', (request, _reply, done) => {
    if (!request.is404 && request.routeOptions.url !== undefined)
      nameRoute(request.routeOptions.url);
    done();
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    done(null, validated(request, reply, payload));
  });
  return app;
}

/** Adds a route with its methods. Other methods get 405 with an `Allow` header. */
export function resource(
  app: FastifyInstance,
  url: string,
  endpoints: Partial<Record<'GET' | 'POST' | 'PUT' | 'DELETE', Endpoint>>,
): void {
  const allowed: string[] = Object.keys(endpoints);
  if (endpoints.GET !== undefined) allowed.push('HEAD');
  for (const [method, endpoint] of Object.entries(endpoints)) {
    app.route({
      method,
      url,
      handler: endpoint.handler,
      ...(endpoint.before === undefined ? {} : { onRequest: endpoint.before }),
      ...(endpoint.bodyLimit === undefined ? {} : { bodyLimit: endpoint.bodyLimit }),
    });
  }
  const allow = allowed.sort().join(', ');
  app.route({
    method: METHODS.filter((method) => !allowed.includes(method)),
    url,
    exposeHeadRoute: false,
    // Respond before the body is read.
    onRequest: (request) => {
      throw new Problem('method-not-allowed', `${request.method} is not supported; use ${allow}.`, {
        headers: { allow },
      });
    },
    handler: () => undefined,
  });
}

function validated(request: FastifyRequest, reply: FastifyReply, payload: unknown): unknown {
  const cacheable = request.method === 'GET' || request.method === 'HEAD';
  if (!cacheable || reply.statusCode !== 200) return payload;
  if (typeof payload !== 'string' && !(payload instanceof Uint8Array)) return payload;
  const tag = (reply.getHeader('etag') as string | undefined) ?? entityTag(payload);
  reply.header('etag', tag);
  // Every response can change (a version can be yanked), so caches must revalidate.
  reply.header('cache-control', 'no-cache');
  if (!noneMatchNames(request.headers['if-none-match'], tag)) return payload;
  reply.code(304).removeHeader('content-type').removeHeader('content-length');
  return null;
}

const FRAMEWORK_PROBLEMS: Readonly<Record<number, ProblemCode>> = {
  400: 'bad-request',
  404: 'not-found',
  408: 'request-timeout',
  413: 'body-too-large',
  414: 'uri-too-long',
  415: 'unsupported-media-type',
};

function answer(
  error: FastifyError | Problem,
  request: FastifyRequest,
  reply: FastifyReply,
  log: ErrorLog,
): void {
  const traceId = traceIdOf(request.headers.traceparent as string | undefined);
  const known = error instanceof Problem ? error : (lockedProblem(error) ?? problemOf(error));
  if (known === undefined) {
    log({
      level: 'error',
      message: error.message,
      stack: error.stack,
      traceId,
      method: request.method,
    });
  }
  const problem = known ?? new Problem('internal', 'An unexpected error occurred.');
  const body = problemBody(problem.code, problem.message, traceId, problem.extensions);
  reply
    .code(body.status)
    .headers(problem.headers)
    .header('content-type', PROBLEM_MEDIA_TYPE)
    .header('cache-control', 'no-store')
    .send(JSON.stringify(body));
}

function lockedProblem(error: unknown): Problem | undefined {
  if (!isLocked(error)) return undefined;
  return new Problem('locked', 'Another process uses the database. Nothing was changed.', {
    headers: { 'retry-after': '1' },
  });
}

/** Converts an error of Fastify to a problem. */
function problemOf(error: FastifyError): Problem | undefined {
  const code = FRAMEWORK_PROBLEMS[error.statusCode ?? 500];
  return code === undefined
    ? undefined
    : new Problem(code, error.message.slice(0, MAX_DETAIL_LENGTH));
}
