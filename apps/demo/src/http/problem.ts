import { safeLines } from '@temper/core/policy';

/** Status and title of every error response, by problem code. */
export const PROBLEMS = {
  'bad-request': { status: 400, title: 'The request is malformed' },
  'invalid-body': { status: 400, title: 'The request does not match its schema' },
  unauthorized: { status: 401, title: 'The token is required' },
  forbidden: { status: 403, title: 'The origin of the request is not allowed' },
  'not-found': { status: 404, title: 'The resource does not exist' },
  'package-not-found': { status: 404, title: 'The package does not exist' },
  'method-not-allowed': { status: 405, title: 'The method is not allowed' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  conflict: { status: 409, title: 'The request conflicts with the current state' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'uri-too-long': { status: 414, title: 'The URI is too long' },
  'unsupported-media-type': { status: 415, title: 'Only application/json is supported' },
  'misdirected-request': { status: 421, title: 'The request was meant for another host' },
  'invalid-program': { status: 422, title: 'The program has errors' },
  'unsupported-construct': { status: 422, title: 'The program has no equivalent in C' },
  'invalid-definition': { status: 422, title: 'The language definition has errors' },
  'invalid-protocols': { status: 422, title: 'The protocols are invalid' },
  'program-limit-exceeded': {
    status: 422,
    title: 'The program exceeds a limit of its steps, output, time or memory',
  },
  'unresolvable-packages': { status: 422, title: 'No compatible versions of the packages exist' },
  'invalid-package': { status: 422, title: 'The registry rejected the package' },
  'invalid-lsp-request': { status: 422, title: 'The language server rejected the request' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  'headers-too-large': { status: 431, title: 'The request headers are too large' },
  internal: { status: 500, title: 'The service failed' },
  'bad-gateway': {
    status: 502,
    title: 'A subsystem is unreachable or returned an invalid response',
  },
  'circuit-open': { status: 503, title: 'The circuit to a subsystem is open' },
  'audit-unavailable': { status: 503, title: 'The audit log is unavailable' },
  'shutting-down': { status: 503, title: 'The service is shutting down' },
  'too-many-listeners': { status: 503, title: 'Too many event streams are open' },
  'timed-out': { status: 504, title: 'A subsystem did not respond in time' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

/** Media type of RFC 9457. */
export const PROBLEM_MEDIA_TYPE = 'application/problem+json; charset=utf-8';

interface ProblemBody {
  readonly type: 'about:blank';
  /** Stable machine-readable code. */
  readonly code: ProblemCode;
  readonly title: string;
  readonly status: number;
  /** Human-readable explanation, at most 1000 characters, without credentials and control characters. */
  readonly detail: string;
  /** Trace id of the request, also in logs and the audit log. */
  readonly traceId: string;
  readonly [extension: string]: unknown;
}

/** Maximum length of a detail. */
export const MAX_DETAIL = 1_000;

interface ProblemOptions {
  readonly extensions?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** Thrown by handlers and sent as a problem document. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly extensions: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Problem';
    this.code = code;
    this.extensions = options.extensions ?? {};
    this.headers = options.headers ?? {};
  }

  body(traceId: string): ProblemBody {
    const { status, title } = PROBLEMS[this.code];
    const detail = safeLines(this.message).slice(0, MAX_DETAIL).toWellFormed();
    return {
      ...this.extensions,
      type: 'about:blank',
      code: this.code,
      title,
      status,
      detail,
      traceId,
    };
  }
}
