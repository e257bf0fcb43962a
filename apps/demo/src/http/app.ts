import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { messageOf, safeLines } from '@temper/core/policy';
import { Ajv, type Ajv as AjvCore } from 'ajv';
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifySchemaCompiler,
} from 'fastify';
import semver from 'semver';
import { PROBLEM_MEDIA_TYPE, Problem, type ProblemCode } from './problem.ts';
import { problemOf } from './problem-of.ts';
import { LIMITS } from './schemas.ts';
import { nameRoute, traceIdOf } from './trace-id.ts';

/** Percent-encoding turns one character into three. */
const MAX_PARAM_LENGTH = 3 * 100;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 20_000;
const TIMEOUT_CHECK_MS = 1_000;

/** Logs unexpected errors. The response contains only the trace id. */
type FailureLog = (failure: {
  readonly message: string;
  readonly stack: string;
  readonly traceId: string;
  readonly route: string;
}) => void;

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** Creates a Fastify instance with problem+json errors, strict validation and route names in traces. */
export function createApp(logFailure: FailureLog): FastifyInstance {
  // #region bounds of a request
  const app = fastify({
    logger: false,
    bodyLimit: LIMITS.bodyBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Node checks the two timeouts in this interval, which is 30 s by default.
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: TIMEOUT_CHECK_MS },
    // Idle connections must not delay the shutdown.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: (error, request, reply) => answer(error, request, reply, logFailure),
    clientErrorHandler: (error, socket) => answerInvalidHttp(error, socket),
  });
  // No route accepts text. Without the parser, text gets 415.
  app.removeContentTypeParser('text/plain');
  app.setValidatorCompiler(validatorCompiler());
  // #endregion
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler<FastifyError>((error, request, reply) =>
    answer(error, request, reply, logFailure),
  );
  app.setNotFoundHandler((request, reply) =>
    answer(
      new Problem('not-found', 'There is no resource at this path.'),
      request,
      reply,
      logFailure,
    ),
  );
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(SECURITY_HEADERS);
    if (!request.is404 && request.routeOptions.url !== undefined) {
      nameRoute(request.routeOptions.url);
    }
    done();
  });
  return app;
}

/** Validates bodies without type coercion. Paths and queries are text, so their numbers are coerced. */
function validatorCompiler(): FastifySchemaCompiler<object> {
  const strict: AjvCore = new Ajv({ allErrors: false, strict: true, coerceTypes: false });
  const coercing: AjvCore = new Ajv({ allErrors: false, strict: true, coerceTypes: true });
  for (const ajv of [strict, coercing]) {
    ajv.addFormat('semver-range', (text: string) => semver.validRange(text) !== null);
  }
  return ({ schema, httpPart }) => (httpPart === 'body' ? strict : coercing).compile(schema);
}

/** Sends the problem document for an error. */
function answer(
  error: FastifyError | Problem | Error,
  request: FastifyRequest,
  reply: FastifyReply,
  logFailure: FailureLog,
): void {
  const traceId = traceIdOf(request.headers.traceparent);
  const known = frameworkProblem(error) ?? problemOf(error);
  if (known === undefined) {
    const route = `${request.method} ${request.routeOptions.url ?? ''}`;
    const message = messageOf(error);
    logFailure({ message, stack: safeLines(error.stack ?? message), traceId, route });
  }
  const problem = known ?? new Problem('internal', 'An unexpected error occurred.');
  const body = problem.body(traceId);
  void reply
    .code(body.status)
    .headers({ ...SECURITY_HEADERS, ...problem.headers })
    .header('content-type', PROBLEM_MEDIA_TYPE)
    .header('cache-control', 'no-store')
    .serializer((payload: unknown) => JSON.stringify(payload))
    .send(body);
}

const FRAMEWORK_PROBLEMS: Readonly<Record<number, ProblemCode>> = {
  400: 'bad-request',
  404: 'not-found',
  408: 'request-timeout',
  413: 'body-too-large',
  414: 'uri-too-long',
  415: 'unsupported-media-type',
};

/** Converts Fastify's own errors to problems. */
function frameworkProblem(error: FastifyError | Error): Problem | undefined {
  if (error instanceof Problem) return undefined;
  const { validation, validationContext, code, statusCode } = error as FastifyError;
  if (validation !== undefined) {
    const errors = validation.map(({ instancePath, message, params }) => ({
      at: `${validationContext ?? 'body'}${instancePath}`,
      message,
      params,
    }));
    return new Problem('invalid-body', error.message.slice(0, 300), { extensions: { errors } });
  }
  if (typeof code !== 'string' || !code.startsWith('FST_')) return undefined;
  const known = FRAMEWORK_PROBLEMS[statusCode ?? 500];
  return known === undefined ? undefined : new Problem(known, error.message.slice(0, 300));
}

/** Answers bytes that are not valid HTTP, which never become a request. */
function answerInvalidHttp(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const code: ProblemCode =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'headers-too-large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'request-timeout'
        : 'bad-request';
  const problem = new Problem(code, 'The request is not valid HTTP.').body(traceIdOf(undefined));
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\nContent-Type: ${PROBLEM_MEDIA_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
