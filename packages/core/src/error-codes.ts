import {
  BROKEN,
  BUG,
  BUSY,
  CANCELLED,
  type Classification,
  CONFLICT,
  DENIED,
  EXHAUSTED,
  FORBIDDEN,
  GARBAGE,
  INVALID,
  LIMITED,
  MISSING,
  NETWORK,
  NETWORK_SETUP,
  REFUSED,
  TIMEOUT,
  TOO_EARLY,
} from './verdicts.ts';

/** `docs/errors.md` lists what was tested with errors that the real libraries threw; the rest is from their documentation. */
function table(
  ...rows: readonly (readonly [Classification, string])[]
): ReadonlyMap<string, Classification> {
  return new Map(rows.flatMap(([verdict, codes]) => codes.split(' ').map((c) => [c, verdict])));
}

/**
 * By `code`: Node's system errors and its own, undici, c-ares, OpenSSL, SQLite and MySQL; and by the name
 * of an error of AWS.
 */
const BY_CODE = table(
  [
    NETWORK,
    'ECONNREFUSED ECONNRESET ECONNABORTED EPIPE EHOSTUNREACH EHOSTDOWN ENETUNREACH ENETDOWN ENETRESET ENOTCONN EADDRNOTAVAIL EAI_AGAIN ENOTFOUND EAI_FAIL ESERVFAIL EREFUSED ECONNECT UND_ERR_SOCKET UND_ERR_CLOSED UND_ERR_RES_CONTENT_LENGTH_MISMATCH ERR_NETWORK ERR_HTTP_CONTENT_LENGTH_MISMATCH ERR_STREAM_PREMATURE_CLOSE ERR_STREAM_DESTROYED ERR_HTTP2_ERROR ERR_HTTP2_GOAWAY_SESSION ERR_HTTP2_STREAM_ERROR ERR_HTTP2_STREAM_CANCEL ERR_HTTP2_SESSION_ERROR ERR_HTTP2_INVALID_SESSION ERR_SOCKET_CLOSED PROTOCOL_CONNECTION_LOST ER_SERVER_SHUTDOWN ER_OPTION_PREVENTS_STATEMENT',
  ],
  [
    NETWORK_SETUP,
    'EPROTO EAI_NONAME DEPTH_ZERO_SELF_SIGNED_CERT HOSTNAME_MISMATCH UND_ERR_HEADERS_OVERFLOW',
  ],
  // Of a body that cannot be decompressed, and of redirects that lead nowhere
  [
    GARBAGE,
    'Z_DATA_ERROR Z_BUF_ERROR ERR_FR_TOO_MANY_REDIRECTS ERR_FR_REDIRECTION_FAILURE ERR_TOO_MANY_REDIRECTS',
  ],
  [
    TIMEOUT,
    'ETIMEDOUT ESOCKETTIMEDOUT ETIME ETIMEOUT UND_ERR_CONNECT_TIMEOUT UND_ERR_HEADERS_TIMEOUT UND_ERR_BODY_TIMEOUT ERR_SOCKET_CONNECTION_TIMEOUT ERR_TLS_HANDSHAKE_TIMEOUT PROTOCOL_SEQUENCE_TIMEOUT ER_QUERY_TIMEOUT RequestTimeout RequestTimeoutException',
  ],
  [
    BUSY,
    'EMFILE ENFILE EAGAIN EBUSY ENOBUFS ETXTBSY SQLITE_BUSY SQLITE_LOCKED ER_CON_COUNT_ERROR ER_TOO_MANY_USER_CONNECTIONS',
  ],
  [
    EXHAUSTED,
    'ENOSPC EDQUOT ENOMEM EROFS EIO ERR_WORKER_OUT_OF_MEMORY ERR_MEMORY_ALLOCATION_FAILED SQLITE_FULL ER_DISK_FULL',
  ],
  [MISSING, 'ENOENT ENXIO ENODEV MODULE_NOT_FOUND ERR_MODULE_NOT_FOUND'],
  [FORBIDDEN, 'EACCES EPERM EADDRINUSE'],
  [
    INVALID,
    'UND_ERR_INVALID_ARG EINVAL EEXIST ENOTDIR EISDIR ENOTEMPTY ENAMETOOLONG ELOOP ERANGE EDOM EBADF E2BIG EFBIG ESRCH EXDEV',
  ],
  [BUG, 'ERR_INVALID_ARG_TYPE ERR_INVALID_ARG_VALUE ERR_OUT_OF_RANGE'],
  [
    CONFLICT,
    'ER_LOCK_DEADLOCK ER_LOCK_WAIT_TIMEOUT OperationAborted ConditionalRequestConflict TransactionConflictException TransactionInProgressException',
  ],
);

/** By the beginning of `code`, first match first, where {@link BY_CODE} has no entry. */
const BY_PATTERN: readonly (readonly [RegExp, Classification])[] = [
  // The names that the SDK of AWS itself takes for throttling.
  [
    /Throttl|^(?:SlowDown|TooManyRequests|(?:Bandwidth|Request)?LimitExceeded|ProvisionedThroughputExceeded|PriorRequestNotComplete)/,
    BUSY,
  ],
  [/^(?:HPE_|ERR_SSL_|ERR_TLS_|CERT_|SELF_SIGNED_|UNABLE_TO_)/, NETWORK_SETUP],
  // Brotli and Zstandard
  [/^(?:ERR__ERROR_FORMAT_|ZSTD_error_)/, GARBAGE],
  [/^ERR_STREAM_/, BUG],
  [/^ERR_INVALID_/, INVALID],
];

export function byCode(code: string): Classification | undefined {
  return BY_CODE.get(code) ?? BY_PATTERN.find(([pattern]) => pattern.test(code))?.[1];
}

/** By `name`, of errors whose cause says nothing. */
export const BY_NAME: ReadonlyMap<string, Classification> = table(
  [TIMEOUT, 'TimeoutError MongoNetworkTimeoutError MongoWaitQueueTimeoutError'],
  [
    NETWORK,
    // The first is the DOMException of browsers
    'NetworkError MongoNetworkError MongoServerSelectionError MongoPoolClearedError MaxRetriesPerRequestError ClusterAllFailedError',
  ],
  [
    INVALID,
    'URIError ValidationError ZodError MongoInvalidArgumentError PrismaClientValidationError',
  ],
  // What answers undici does not speak HTTP.
  [NETWORK_SETUP, 'HTTPParserError'],
  [GARBAGE, 'SyntaxError'],
  [BUG, 'TypeError RangeError ReferenceError EvalError AssertionError'],
);

/** By SQLSTATE or its class, the first two characters. PostgreSQL has it as `code`, MySQL as `sqlState`. */
const BY_SQL_STATE = table(
  [NETWORK, '08 57 25006 25P03'],
  [TIMEOUT, '57014'],
  [BUSY, '53'],
  [EXHAUSTED, '58 53100'],
  [CONFLICT, '40 55P03'],
  [DENIED, '28 42501'],
  [INVALID, '0A 20 21 22 23 24 25 26 34 3D 3F 42 44 54 55 P0'],
  [BUG, 'XX'],
);

export function bySqlState(state: string): Classification | undefined {
  return BY_SQL_STATE.get(state) ?? BY_SQL_STATE.get(state.slice(0, 2));
}

/** Status codes of gRPC, by number. */
export const BY_GRPC_STATUS: readonly (Classification | undefined)[] = [
  undefined, // OK
  CANCELLED,
  GARBAGE, // UNKNOWN: an exception in the handler
  INVALID,
  TIMEOUT, // DEADLINE_EXCEEDED
  REFUSED, // NOT_FOUND
  REFUSED, // ALREADY_EXISTS
  DENIED, // PERMISSION_DENIED
  BUSY, // RESOURCE_EXHAUSTED
  INVALID, // FAILED_PRECONDITION
  CONFLICT, // ABORTED
  INVALID, // OUT_OF_RANGE
  BUG, // UNIMPLEMENTED
  BUG, // INTERNAL
  NETWORK, // UNAVAILABLE
  EXHAUSTED, // DATA_LOSS
  DENIED, // UNAUTHENTICATED
];

/** Numbers of MongoDB's servers, and labels that they or the driver put on an error. */
export const BY_MONGO: ReadonlyMap<string, Classification> = table(
  // Unreachable or shutting down, no primary any more, and no member to read from
  [NETWORK, '6 7 89 91 133 134 189 9001 10058 10107 11600 11602 13435 13436'],
  [TIMEOUT, '50 64 262'],
  [CONFLICT, '112'],
  [DENIED, '13 18'],
  [INVALID, '2 9 11 14 20 26 48 121 11000'],
  [BUSY, 'SystemOverloadedError RetryableError'],
  [NETWORK, 'RetryableWriteError'],
  [CONFLICT, 'TransientTransactionError'],
);

/**
 * Codes of Prisma, and kinds that its driver adapters tell of a failed query that has none. P1002 and P2024 are
 * of the engines up to Prisma 6.
 */
const BY_PRISMA = table(
  [NETWORK, 'P1001 P1017 ConnectionClosed'],
  [TIMEOUT, 'P1002 P1008 P2024'],
  [BUSY, 'P2037 TooManyConnections'],
  [CONFLICT, 'P2034 TransactionWriteConflict'],
  [DENIED, 'P1000 P1010'],
);
/** Its codes of what the schema or the database refuses. */
const PRISMA_INVALID = /^P(?:100[39]|20(?:0|1[1-9]|2[0-3569]|3[03]))/;

export function byPrisma(code: string): Classification | undefined {
  return BY_PRISMA.get(code) ?? (PRISMA_INVALID.test(code) ? INVALID : undefined);
}

export function byStatus(status: number): Classification | undefined {
  if (status < 400) return undefined;
  if (status === 408 || status === 504) return TIMEOUT;
  if (status === 429) return LIMITED;
  if (status === 425) return TOO_EARLY;
  if (status === 502 || status === 503) return NETWORK;
  if (status === 501 || status === 505) return BUG;
  if (status === 507) return EXHAUSTED;
  if (status >= 500) return BROKEN;
  return status === 401 || status === 403 ? DENIED : REFUSED;
}
