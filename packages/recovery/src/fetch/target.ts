type Fetch = typeof globalThis.fetch;
type Input = Parameters<Fetch>[0];
type Init = NonNullable<Parameters<Fetch>[1]>;

/** What of a request decides how it is guarded. */
export interface Target {
  readonly url: URL;
  /** In upper case. */
  readonly method: string;
  readonly hasBody: boolean;
  /** Whether the request has an `Idempotency-Key`. */
  readonly keyed: boolean;
  readonly signal: AbortSignal | undefined;
}

/** The characters of a method: a token of RFC 9110, section 5.6.2. */
const METHOD = /^[\w!#$%&'*+.^`|~-]{1,64}$/;

/** @returns `undefined` when the request is not HTTP or not valid, so that `fetch` decides */
export function targetOf(input: Input, init: Init): Target | undefined {
  const request = isRequest(input) ? input : undefined;
  const url = request === undefined ? String(input) : request.url;
  if (!URL.canParse(url)) return undefined;
  const parsed = new URL(url);
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') return undefined;
  const method: unknown = init.method ?? request?.method ?? 'GET';
  if (typeof method !== 'string' || !METHOD.test(method)) return undefined;
  const signal = init.signal === undefined ? request?.signal : init.signal;
  return {
    url: parsed,
    method: method.toUpperCase(),
    hasBody: (init.body ?? request?.body ?? null) !== null,
    keyed: isKeyed(init.headers ?? request?.headers),
    signal: signal ?? undefined,
  };
}

const KEY = 'idempotency-key';

/** Whether headers, in any of the forms that clients accept, have an `Idempotency-Key` that is not empty. */
export function isKeyed(headers: unknown): boolean {
  if (typeof headers !== 'object' || headers === null) return false;
  const { get } = headers as { get?: unknown };
  if (typeof get === 'function') return !isEmpty(get.call(headers, KEY));
  if (!Array.isArray(headers)) {
    return Object.entries(headers).some(([name, value]) => isKey(name) && !isEmpty(value));
  }
  // Pairs, or names and values in turn, as undici has them.
  return headers.some((each: unknown, index) =>
    Array.isArray(each)
      ? isKey(each[0]) && !isEmpty(each[1])
      : index % 2 === 0 && isKey(each) && !isEmpty(headers[index + 1]),
  );
}

function isKey(name: unknown): boolean {
  return String(name).toLowerCase() === KEY;
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || String(value) === '';
}

/** The methods that change nothing: RFC 9110, section 9.2.1. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** Whether a request may be hedged. */
export function isSafe(method: string, hasBody: boolean): boolean {
  return SAFE.has(method) && !hasBody;
}

export function isRequest(input: unknown): input is Request {
  return typeof input === 'object' && input !== null && 'method' in input && 'url' in input;
}

/** Whether a body is complete, and the same each time that it is sent. */
export function isRepeatable(body: unknown): boolean {
  return (
    body === undefined ||
    body === null ||
    typeof body === 'string' ||
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body) ||
    body instanceof URLSearchParams ||
    body instanceof Blob ||
    body instanceof FormData
  );
}

/** The fields of `RequestInit` that a class, such as `Request`, may have in its prototype. */
const FIELDS: readonly string[] = [
  'method',
  'headers',
  'body',
  'duplex',
  'mode',
  'credentials',
  'cache',
  'redirect',
  'referrer',
  'referrerPolicy',
  'integrity',
  'keepalive',
  'signal',
  'dispatcher',
  'call',
];

/**
 * The options of a request as own properties, fit to be given to several attempts: headers that come
 * from an iterator would be empty the second time.
 */
export function ownFields<T extends Init>(init: T): T {
  const given = init as Readonly<Record<string, unknown>>;
  const prototype: unknown = Object.getPrototypeOf(init);
  const own: Record<string, unknown> = { ...given };
  if (prototype !== Object.prototype && prototype !== null) {
    for (const field of FIELDS) if (given[field] !== undefined) own[field] = given[field];
  }
  const { headers } = own as { headers?: { next?: unknown } };
  if (typeof headers?.next === 'function') own.headers = Array.from(headers as never);
  return own as T;
}
