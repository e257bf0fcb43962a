type Fetch = typeof globalThis.fetch;
type Input = Parameters<Fetch>[0];
type Init = NonNullable<Parameters<Fetch>[1]>;

/** What of a request decides how it is guarded. */
export interface Target {
  readonly origin: string;
  readonly method: string;
  /** Whether the body, if there is one, can be sent again. */
  readonly repeatable: boolean;
  readonly signal: AbortSignal | undefined;
}

/** The characters of a method: a token of RFC 9110, section 5.6.2. */
const METHOD = /^[\w!#$%&'*+.^`|~-]{1,64}$/;

/** @returns `undefined` when the request is not HTTP or not valid, so that `fetch` decides */
export function targetOf(input: Input, init: Init): Target | undefined {
  const request = isRequest(input) ? input : undefined;
  const url = request === undefined ? String(input) : request.url;
  if (!URL.canParse(url)) return undefined;
  const { origin, protocol } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:') return undefined;
  const method: unknown = init.method ?? request?.method ?? 'GET';
  if (typeof method !== 'string' || !METHOD.test(method)) return undefined;
  const signal = init.signal === undefined ? request?.signal : init.signal;
  return {
    origin,
    method: method.toUpperCase(),
    repeatable: isRepeatable(init.body ?? request?.body),
    signal: signal ?? undefined,
  };
}

function isRequest(input: unknown): input is Request {
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
