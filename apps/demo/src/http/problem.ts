/** Everything that this service refuses or fails at, by code: the status and title of the answer. */
export const PROBLEMS = {
  'bad-request': { status: 400, title: 'The request cannot be understood' },
  'invalid-body': { status: 400, title: 'The request is not what its schema says' },
  unauthorized: { status: 401, title: 'The token is needed' },
  forbidden: { status: 403, title: 'Not from there' },
  'not-found': { status: 404, title: 'Nothing lives at this address' },
  'package-not-found': { status: 404, title: 'No such package' },
  'method-not-allowed': { status: 405, title: 'The address does not answer to this method' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  conflict: { status: 409, title: 'It is there already' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'uri-too-long': { status: 414, title: 'The address is too long' },
  'unsupported-media-type': { status: 415, title: 'Only application/json is taken here' },
  'misdirected-request': { status: 421, title: 'The request was meant for another host' },
  'invalid-program': { status: 422, title: 'The program has faults' },
  'unsupported-construct': { status: 422, title: 'The program has no equivalent in C' },
  'invalid-definition': { status: 422, title: 'The language definition has faults' },
  'invalid-protocols': { status: 422, title: 'The protocols make no sense' },
  'endless-program': { status: 422, title: 'The program takes or prints too much' },
  'unresolvable-packages': { status: 422, title: 'No versions of the packages fit together' },
  'unacceptable-package': { status: 422, title: 'The registry does not take the package' },
  'unacceptable-question': { status: 422, title: 'The language server cannot answer that' },
  'rate-limited': { status: 429, title: 'Too many requests' },
  'headers-too-large': { status: 431, title: 'The request headers are too large' },
  internal: { status: 500, title: 'The service failed' },
  'bad-gateway': { status: 502, title: 'A subsystem could not be reached, or answered nonsense' },
  'circuit-open': { status: 503, title: 'The circuit to a subsystem is open' },
  'audit-unavailable': { status: 503, title: 'Nothing goes on that cannot be audited' },
  'shutting-down': { status: 503, title: 'The service is shutting down' },
  'too-many-listeners': { status: 503, title: 'Too many listen already' },
  'timed-out': { status: 504, title: 'A subsystem did not answer in time' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

/** RFC 9457. */
export const PROBLEM_MEDIA_TYPE = 'application/problem+json; charset=utf-8';

interface ProblemBody {
  readonly type: 'about:blank';
  /** Stable, for programs. */
  readonly code: ProblemCode;
  readonly title: string;
  readonly status: number;
  /** For people. */
  readonly detail: string;
  /** Under which traces, logs and the audit log have it. */
  readonly traceId: string;
  readonly [extension: string]: unknown;
}

const MAX_DETAIL = 1_000;

interface ProblemOptions {
  readonly extensions?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** Thrown by handlers; the app makes the answer of it. */
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
    const detail = this.message.slice(0, MAX_DETAIL);
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
