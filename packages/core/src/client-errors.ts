import { BY_GRPC_STATUS, BY_MONGO, byCode, byPrisma, bySqlState, byStatus } from './error-codes.ts';
import { BROKEN, BUSY, type Classification, GARBAGE, NETWORK, TIMEOUT } from './verdicts.ts';

const PROXY = /^Proxy response \((\d+)\) !== 200/;

const BAD_URL = 'ERR_INVALID_URL';

type Fields = Readonly<Record<string, unknown>>;

/**
 * What an error of a client library says in fields of its own. Such a field is read beside another one that
 * only this library's errors have, as a number alone may mean anything.
 */
export function clientError(error: Error): Classification | undefined {
  const { code, severity, sqlState, retriable, name, clientVersion } = error as unknown as Fields;
  if (typeof code === 'number') return byNumber(error as unknown as Fields, code);
  if (typeof clientVersion === 'string') return prisma(error as unknown as Fields);
  // pg and Postgres.js
  if (typeof severity === 'string' && typeof code === 'string') return bySqlState(code);
  // mysql, mysql2 and mariadb
  if (typeof sqlState === 'string') return bySqlState(sqlState);
  if (retriable === true && name?.toString().startsWith('KafkaJS')) return NETWORK;
  // undici names an abort what a proxy has answered to CONNECT.
  if (code === 'UND_ERR_ABORTED') return byStatus(Number(PROXY.exec(error.message)?.[1] ?? 0));
  // Of a URL of the caller's, fetch says that it has failed to parse it: this one came in a redirect.
  if (error.message === 'fetch failed' && (error.cause as Fields | undefined)?.code === BAD_URL) {
    return GARBAGE;
  }
  return amazon(error as unknown as Fields) ?? labelled(error as unknown as Fields);
}

function byNumber(error: Fields, code: number): Classification | undefined {
  if (isMetadata(error.metadata)) return grpc(error.metadata, BY_GRPC_STATUS[code]);
  if (error.retriable === true && typeof error.type === 'string') return NETWORK; // kafkajs
  if (typeof error.hasErrorLabel !== 'function') return undefined;
  return BY_MONGO.get(String(code)) ?? labelled(error);
}

/** Not transient when the server asks not to come back (gRPC proposal A6). */
function grpc(metadata: Metadata, verdict: Classification | undefined): Classification | undefined {
  return verdict !== undefined && pushbackOf(metadata) === null
    ? { ...verdict, transient: false }
    : verdict;
}

/**
 * When a server of gRPC asks to come back: in so many milliseconds, or never (`null`), where it says anything
 * else than a number of them; `undefined` where it says nothing.
 */
export function pushbackOf(metadata: Metadata): number | null | undefined {
  const values = metadata.get('grpc-retry-pushback-ms');
  if (!Array.isArray(values) || values.length === 0) return undefined;
  return /^\d{1,10}$/.test(values[0]) ? Number(values[0]) : null;
}

interface Metadata {
  get(key: string): unknown;
}

/** Of gRPC, by its shape. */
export function isMetadata(value: unknown): value is Metadata {
  return typeof (value as { get?: unknown } | null | undefined)?.get === 'function';
}

/** MongoDB's. */
function labelled(error: Fields): Classification | undefined {
  if (typeof error.hasErrorLabel !== 'function') return undefined;
  const labels = error.errorLabels;
  if (!Array.isArray(labels)) return undefined;
  for (const label of labels) {
    const verdict = BY_MONGO.get(String(label));
    if (verdict !== undefined) return verdict;
  }
  return undefined;
}

/** Prisma's: what its code says, else what the database has said to its driver adapter. */
function prisma({ code, errorCode, meta, message }: Fields): Classification | undefined {
  const given = String(code ?? errorCode); // the latter of an error that no query has caused
  // Of those with this code, only the errors of a transaction that had to wait, or took too long.
  if (given === 'P2028')
    return /in the given|timeout for this/.test(`${message}`) ? TIMEOUT : undefined;
  const {
    kind,
    code: ofPostgres,
    state,
  } = (meta as Adapted | undefined)?.driverAdapterError?.cause ?? {};
  if (kind === 'postgres' || kind === 'mysql') return bySqlState(String(state ?? ofPostgres));
  return byPrisma(given) ?? byPrisma(String(kind));
}

/** What a driver adapter of Prisma has told. */
interface Adapted {
  readonly driverAdapterError?: { readonly cause?: Fields };
}

/** Version 3 of the SDK of AWS. */
function amazon({ $metadata, $retryable, name }: Fields): Classification | undefined {
  if (typeof $metadata !== 'object' || $metadata === null) return undefined;
  const named = typeof name === 'string' ? byCode(name) : undefined;
  if (named !== undefined) return named;
  if (typeof $retryable === 'object' && $retryable !== null) {
    return ($retryable as Fields).throttling === true ? BUSY : BROKEN;
  }
  const { httpStatusCode, clockSkewCorrected } = $metadata as Fields;
  // The next attempt is signed with the time of the server.
  if (clockSkewCorrected === true) return BROKEN;
  return typeof httpStatusCode === 'number' ? byStatus(httpStatusCode) : undefined;
}
