/** What kind of trouble an error is. */
export type ErrorCategory =
  | 'validation'
  | 'network'
  | 'timeout'
  | 'resource'
  | 'internal'
  | 'unknown';

/** How bad it is. */
export type ErrorSeverity = 'low' | 'medium' | 'high' | 'critical';

/** Every category, in the report's order. */
export const ERROR_CATEGORIES: readonly ErrorCategory[] = [
  'validation',
  'network',
  'timeout',
  'resource',
  'internal',
  'unknown',
];

/** Every severity, from least to worst. */
export const ERROR_SEVERITIES: readonly ErrorSeverity[] = ['low', 'medium', 'high', 'critical'];

/** The verdict of {@link classify}. */
export interface Classification {
  readonly category: ErrorCategory;
  readonly severity: ErrorSeverity;
  /** Whether the same call may well succeed a little later. */
  readonly transient: boolean;
}

/**
 * A user's own rule: the verdict, part of one (the rest comes from the built-in rules), or
 * `undefined` to pass. A rule that throws, or says what is no verdict, passes.
 */
export type ClassificationRule = (error: unknown) => Partial<Classification> | undefined;

const of = (
  category: ErrorCategory,
  severity: ErrorSeverity,
  transient = false,
): Classification => ({ category, severity, transient });

/** Of an error that no rule knows. */
export const UNKNOWN: Classification = of('unknown', 'medium');
const NETWORK = of('network', 'high', true);
const NETWORK_SETUP = of('network', 'high');
const TIMEOUT = of('timeout', 'medium', true);
const BUSY = of('resource', 'high', true);
const EXHAUSTED = of('resource', 'critical');
const MISSING = of('resource', 'medium');
const FORBIDDEN = of('resource', 'high');
/** HTTP 401 and 403: the caller's own mistake, which the category does not tell. */
export const DENIED: Classification = of('resource', 'high');
const INVALID = of('validation', 'medium');
const BUG = of('internal', 'high');

function table(
  ...rows: readonly (readonly [Classification, string])[]
): ReadonlyMap<string, Classification> {
  return new Map(rows.flatMap(([verdict, codes]) => codes.split(' ').map((c) => [c, verdict])));
}

/** By `code`: Node's system errors and its own, undici, c-ares, OpenSSL and SQLite. */
const BY_CODE = table(
  [
    NETWORK,
    'ECONNREFUSED ECONNRESET ECONNABORTED EPIPE EHOSTUNREACH EHOSTDOWN ENETUNREACH ENETDOWN ENETRESET ENOTCONN EADDRNOTAVAIL EAI_AGAIN ENOTFOUND EAI_FAIL ESERVFAIL EREFUSED ECONNECT UND_ERR_SOCKET UND_ERR_CLOSED ERR_NETWORK ERR_STREAM_PREMATURE_CLOSE ERR_HTTP2_GOAWAY_SESSION ERR_HTTP2_STREAM_ERROR ERR_HTTP2_SESSION_ERROR ERR_SOCKET_CLOSED',
  ],
  [
    NETWORK_SETUP,
    'EPROTO EAI_NONAME CERT_HAS_EXPIRED DEPTH_ZERO_SELF_SIGNED_CERT SELF_SIGNED_CERT_IN_CHAIN UNABLE_TO_VERIFY_LEAF_SIGNATURE ERR_TLS_CERT_ALTNAME_INVALID HPE_INVALID_CONSTANT HPE_INVALID_HEADER_TOKEN',
  ],
  [
    TIMEOUT,
    'ETIMEDOUT ESOCKETTIMEDOUT ETIME ETIMEOUT UND_ERR_CONNECT_TIMEOUT UND_ERR_HEADERS_TIMEOUT UND_ERR_BODY_TIMEOUT ERR_SOCKET_CONNECTION_TIMEOUT ERR_TLS_HANDSHAKE_TIMEOUT',
  ],
  [BUSY, 'EMFILE ENFILE EAGAIN EBUSY ENOBUFS ETXTBSY SQLITE_BUSY SQLITE_LOCKED'],
  [
    EXHAUSTED,
    'ENOSPC EDQUOT ENOMEM EROFS EIO ERR_WORKER_OUT_OF_MEMORY ERR_MEMORY_ALLOCATION_FAILED SQLITE_FULL',
  ],
  [MISSING, 'ENOENT ENXIO ENODEV MODULE_NOT_FOUND ERR_MODULE_NOT_FOUND'],
  [FORBIDDEN, 'EACCES EPERM EADDRINUSE'],
  [
    INVALID,
    'EINVAL EEXIST ENOTDIR EISDIR ENOTEMPTY ENAMETOOLONG ELOOP ERANGE EDOM EBADF E2BIG EFBIG ESRCH EXDEV',
  ],
);

const BY_NAME = table(
  [TIMEOUT, 'TimeoutError'],
  [INVALID, 'SyntaxError URIError ValidationError ZodError'],
  [BUG, 'TypeError RangeError ReferenceError EvalError AssertionError'],
);

/** `AbortError`, unless a timeout is behind it: nothing is wrong and nothing should be tried again. */
const CANCELLED = of('unknown', 'low');

/** How many errors deep a `cause` chain is followed. */
const MAX_DEPTH = 8;

/**
 * Says what kind of trouble an error is, how bad, and whether trying again may help.
 *
 * In this order: the user's rules; the error's own `classification`; its `code`; its HTTP status;
 * its `cause` (or first of `errors`), as long as that says anything; its name. An `AbortError`
 * whose cause says nothing is somebody's change of mind: low, and not transient. Never throws.
 */
export function classify(
  error: unknown,
  rules: readonly ClassificationRule[] = [],
): Classification {
  const own = builtIn(error, 0) ?? UNKNOWN;
  for (const rule of rules) {
    try {
      const verdict: unknown = rule(error);
      if (typeof verdict !== 'object' || verdict === null) continue;
      if (typeof (verdict as { then?: unknown }).then === 'function') {
        ignoreRejection(verdict);
        continue;
      }
      const whole = { ...own, ...verdict };
      if (isClassification(whole)) return whole;
    } catch {
      // A broken rule must not hide the error it was asked about.
    }
  }
  return own;
}

/** A rule must answer at once; the promise of one that does not is ignored, its rejection included. */
function ignoreRejection(promise: unknown): void {
  new Promise((resolve) => resolve(promise)).then(undefined, () => {});
}

function builtIn(error: unknown, depth: number): Classification | undefined {
  if (typeof error !== 'object' || error === null || depth >= MAX_DEPTH) return undefined;
  try {
    const { classification, code, name, cause, errors } = error as Record<string, unknown>;
    if (isClassification(classification)) return classification;
    const coded = typeof code === 'string' ? byCode(code) : undefined;
    if (coded !== undefined) return coded;
    const status = statusOf(error);
    const answered = status === undefined ? undefined : byStatus(status);
    if (answered !== undefined) return answered;
    const below =
      builtIn(cause, depth + 1) ??
      (Array.isArray(errors) ? builtIn(errors[0], depth + 1) : undefined);
    if (below !== undefined) return below;
    if (name === 'AbortError') return CANCELLED;
    return typeof name === 'string' ? BY_NAME.get(name) : undefined;
  } catch {
    return undefined; // a hostile getter
  }
}

function isClassification(value: unknown): value is Classification {
  return (
    typeof value === 'object' &&
    value !== null &&
    ERROR_CATEGORIES.includes((value as Classification).category) &&
    ERROR_SEVERITIES.includes((value as Classification).severity) &&
    typeof (value as Classification).transient === 'boolean'
  );
}

function byCode(code: string): Classification | undefined {
  const known = BY_CODE.get(code);
  if (known !== undefined) return known;
  if (code.startsWith('ERR_INVALID_') || code.startsWith('ERR_OUT_OF_RANGE')) return INVALID;
  if (code.startsWith('HPE_') || code.startsWith('ERR_SSL_')) return NETWORK_SETUP;
  return undefined;
}

/** The HTTP status that an error or response carries, itself or on its `response`. Never throws. */
export function statusOf(outcome: unknown): number | undefined {
  try {
    const own = ownStatus(outcome);
    return own ?? ownStatus((outcome as { response?: unknown } | null | undefined)?.response);
  } catch {
    return undefined; // a hostile getter
  }
}

function ownStatus(outcome: unknown): number | undefined {
  if (typeof outcome !== 'object' || outcome === null) return undefined;
  const { status, statusCode } = outcome as Record<string, unknown>;
  for (const value of [status, statusCode]) {
    if (typeof value === 'number' && Number.isInteger(value) && value >= 100 && value <= 599) {
      return value;
    }
  }
  return undefined;
}

function byStatus(status: number): Classification | undefined {
  if (status < 400) return undefined;
  if (status === 408 || status === 504) return TIMEOUT;
  if (status === 429) return of('resource', 'medium', true);
  if (status === 425) return of('network', 'low', true);
  if (status === 502 || status === 503) return NETWORK;
  if (status === 501 || status === 505) return BUG;
  if (status === 507) return EXHAUSTED;
  if (status >= 500) return of('internal', 'high', true);
  return status === 401 || status === 403 ? DENIED : of('validation', 'low');
}

const CODE_PATTERN = /^[A-Z][A-Z0-9_]{1,39}$/;
const NAME_PATTERN = /^[A-Za-z][A-Za-z0-9_.]{0,39}$/;
/** Classes whose name says nothing about a failure. */
const PLAIN: ReadonlySet<string> = new Set(['Object', 'Array']);

/**
 * The value of OpenTelemetry's `error.type` for an error: its `code`, else its HTTP status, else its
 * name, else `_OTHER`. Free text never gets through, so the attribute stays of low cardinality.
 */
export function errorType(error: unknown): string {
  try {
    if (typeof error !== 'object' || error === null) return '_OTHER';
    const { code, name } = error as Record<string, unknown>;
    if (typeof code === 'string' && CODE_PATTERN.test(code)) return code;
    const status = statusOf(error);
    if (status !== undefined) return String(status);
    const inner = (error as { cause?: { code?: unknown } }).cause?.code;
    if (typeof inner === 'string' && CODE_PATTERN.test(inner)) return inner;
    if (typeof name === 'string' && name !== 'Error' && NAME_PATTERN.test(name)) return name;
    const made = (error as { constructor?: { name?: unknown } }).constructor?.name;
    const says = typeof made === 'string' && NAME_PATTERN.test(made) && !PLAIN.has(made);
    return says ? made : '_OTHER';
  } catch {
    return '_OTHER';
  }
}
