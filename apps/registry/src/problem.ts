/**
 * An error response: `application/problem+json` (RFC 9457).
 *
 * `code` is stable and machine-readable; `title` and `detail` are for people.
 */
interface ProblemBody {
  readonly type: string;
  readonly code: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly traceId: string;
  readonly [extension: string]: unknown;
}

/** The problems of this service by code, with status and title. */
export const PROBLEMS = {
  'bad-request': { status: 400, title: 'Bad request' },
  'invalid-name': { status: 400, title: 'Invalid package name' },
  'invalid-version': { status: 400, title: 'Invalid version' },
  'invalid-range': { status: 400, title: 'Invalid version range' },
  'invalid-package': { status: 422, title: 'Invalid package' },
  'invalid-faults': { status: 422, title: 'Invalid faults' },
  'digest-mismatch': { status: 400, title: 'Content digest mismatch' },
  unauthorized: { status: 401, title: 'A valid bearer token is required' },
  forbidden: { status: 403, title: 'Only local clients are allowed' },
  'not-found': { status: 404, title: 'Not found' },
  'package-not-found': { status: 404, title: 'Package not found' },
  'version-not-found': { status: 404, title: 'Version not found' },
  'no-matching-version': { status: 404, title: 'No version satisfies the range' },
  'method-not-allowed': { status: 405, title: 'Method not allowed' },
  'request-timeout': { status: 408, title: 'Request timeout' },
  'version-exists': { status: 409, title: 'Version already exists' },
  yanked: { status: 410, title: 'Version yanked' },
  'body-too-large': { status: 413, title: 'Request body too large' },
  'uri-too-long': { status: 414, title: 'URI too long' },
  'unsupported-media-type': { status: 415, title: 'Unsupported media type' },
  'headers-too-large': { status: 431, title: 'Request headers too large' },
  internal: { status: 500, title: 'Internal server error' },
  locked: { status: 503, title: 'The database is in use' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

export const PROBLEM_MEDIA_TYPE = 'application/problem+json; charset=utf-8';

/** Thrown by handlers and converted to a response by the app. */
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

/** The body of a problem response. Standard members override extensions of the same name. */
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
