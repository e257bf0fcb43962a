type Fetch = typeof globalThis.fetch;
type Input = Parameters<Fetch>[0];
type Init = NonNullable<Parameters<Fetch>[1]>;

/** What of a request decides how it is guarded. */
export interface Target {
  readonly url: URL;
  /** In upper case. */
  readonly method: string;
  readonly hasBody: boolean;
  /** In one of the forms that `fetch` accepts. */
  readonly headers: unknown;
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
    headers: init.headers ?? request?.headers,
    signal: signal ?? undefined,
  };
}

/** Whether headers, in any of the forms that clients accept, have this field, and it is not empty. */
export function hasHeader(headers: unknown, field: string): boolean {
  if (typeof headers !== 'object' || headers === null) return false;
  const { get } = headers as { get?: unknown };
  if (typeof get === 'function') return !isEmpty(get.call(headers, field));
  const is = (name: unknown): boolean => String(name).toLowerCase() === field;
  if (!Array.isArray(headers)) {
    return Object.entries(headers).some(([name, value]) => is(name) && !isEmpty(value));
  }
  // Pairs, or names and values in turn, as undici has them.
  return headers.some((each: unknown, index) =>
    Array.isArray(each)
      ? is(each[0]) && !isEmpty(each[1])
      : index % 2 === 0 && is(each) && !isEmpty(headers[index + 1]),
  );
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || String(value) === '';
}

/** Adds fields to headers of any of those forms. */
export function withHeaders(headers: unknown, fields: Readonly<Record<string, string>>): unknown {
  const added = Object.entries(fields);
  if (added.length === 0) return headers;
  if (Array.isArray(headers)) {
    return [...headers, ...(Array.isArray(headers[0]) ? added : added.flat())];
  }
  const { [Symbol.iterator]: iterator } = (headers ?? {}) as Partial<Iterable<unknown>>;
  if (typeof iterator === 'function') return [...(headers as Iterable<unknown>), ...added];
  return { ...(headers as object | undefined), ...fields };
}

/** The methods that change nothing: RFC 9110, section 9.2.1. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** Whether the body of the response can be asked for again, in whole or in part. */
export function isResumable(method: string, hasBody: boolean, headers: unknown): boolean {
  return method === 'GET' && !hasBody && !hasHeader(headers, 'range');
}

/** Whether a request may be hedged. */
export function isSafe(method: string, hasBody: boolean): boolean {
  return SAFE.has(method) && !hasBody;
}

export function isRequest(input: unknown): input is Request {
  return typeof input === 'object' && input !== null && 'method' in input && 'url' in input;
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

/** The field that says that a request may be done twice. */
export const IDEMPOTENCY_KEY = 'idempotency-key';
