/**
 * Errors as the client sees them: `application/problem+json` (RFC 9457).
 *
 * `code` is stable and meant for programs; `title` and `detail` are for people.
 */
export interface ProblemBody {
  readonly type: string;
  readonly code: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly traceId: string;
  readonly [extension: string]: unknown;
}

/** Everything this service refuses, by code: the status and the title it is answered with. */
export const PROBLEMS = {
  'bad-request': { status: 400, title: 'The request cannot be understood' },
  'invalid-name': { status: 400, title: 'Not a package name' },
  'invalid-version': { status: 400, title: 'Not a version' },
  'invalid-range': { status: 400, title: 'Not a version range' },
  'invalid-package': { status: 422, title: 'The package is not acceptable' },
  'invalid-faults': { status: 422, title: 'The faults are not acceptable' },
  'digest-mismatch': { status: 400, title: 'The body is not what its digest says' },
  unauthorized: { status: 401, title: 'A valid bearer token is needed' },
  forbidden: { status: 403, title: 'Only for callers on this machine' },
  'not-found': { status: 404, title: 'Nothing lives at this address' },
  'package-not-found': { status: 404, title: 'No such package' },
  'version-not-found': { status: 404, title: 'No such version' },
  'no-matching-version': { status: 404, title: 'No version satisfies the range' },
  'method-not-allowed': { status: 405, title: 'The address does not answer to this method' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  'version-exists': { status: 409, title: 'The version is already published' },
  yanked: { status: 410, title: 'The version was yanked' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'uri-too-long': { status: 414, title: 'The address is too long' },
  'unsupported-media-type': { status: 415, title: 'The body has a type that is not accepted here' },
  'headers-too-large': { status: 431, title: 'The request headers are too large' },
  internal: { status: 500, title: 'The registry failed' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

export const PROBLEM_MEDIA_TYPE = 'application/problem+json; charset=utf-8';

/** Thrown by handlers; the app turns it into the response. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly extensions: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ProblemCode,
    detail: string,
    options: {
      readonly extensions?: Readonly<Record<string, unknown>>;
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ) {
    super(detail);
    this.name = 'Problem';
    this.code = code;
    this.extensions = options.extensions ?? {};
    this.headers = options.headers ?? {};
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }
}

/** The body of a problem; the known members win over extensions of the same name. */
export function problemBody(
  code: ProblemCode,
  detail: string,
  traceId: string,
  extensions: Readonly<Record<string, unknown>> = {},
): ProblemBody {
  const { status, title } = PROBLEMS[code];
  return {
    ...extensions,
    type: `urn:parsercraft-registry:problem:${code}`,
    code,
    title,
    status,
    detail,
    traceId,
  };
}
