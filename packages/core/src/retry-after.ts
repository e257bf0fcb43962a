const MAX_SECONDS = 2 ** 31;

/** `Sun, 06 Nov 1994 08:49:37 GMT`, and the obsolete `Sunday, 06-Nov-94 08:49:37 GMT`. */
const HTTP_DATE =
  /^[a-z]{3,9}, ?\d{1,2}[ -][a-z]{3}[ -](\d{2}|\d{4}) \d{2}:\d{2}:\d{2} (GMT|UTC|[+-]\d{4})$/i;
/** The obsolete `Sun Nov  6 08:49:37 1994`: in UTC, though it does not say so. */
const ASCTIME_DATE = /^[a-z]{3} [a-z]{3} {1,2}\d{1,2} \d{2}:\d{2}:\d{2} \d{4}$/i;

/**
 * Parses a `Retry-After` value (RFC 9110, section 10.2.3): whole seconds, or an HTTP date.
 *
 * @param value - the field's value
 * @param nowMs - wall-clock time that a date is measured from, in milliseconds since the epoch
 * @returns milliseconds to wait, never negative; `undefined` when the value is neither form
 */
export function parseRetryAfter(value: string, nowMs: number): number | undefined {
  const text = value.trim();
  if (/^\d+$/.test(text)) return Math.min(Number(text), MAX_SECONDS) * 1000;
  // Date.parse accepts nearly anything, so only what is shaped as one of the three formats gets there.
  if (!HTTP_DATE.test(text) && !ASCTIME_DATE.test(text)) return undefined;
  const at = Date.parse(ASCTIME_DATE.test(text) ? `${text} GMT` : text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

/**
 * How long `outcome` asks its caller to stay away, in milliseconds. Of an error it reads, in this order:
 * a finite `retryAfterMs`; a `Retry-After` field on `headers`, `response.headers` (a `Headers`, a Map
 * or a plain object of any case); the same on its `cause`. Of anything else it reads only `headers` that
 * are a `Headers`, as a `Response` has: a parsed body must not pass for a response. Never throws.
 *
 * @param outcome - an error or a response
 * @param nowMs - wall-clock time, in milliseconds since the epoch
 */
export function retryAfterOf(outcome: unknown, nowMs: number): number | undefined {
  try {
    if (isError(outcome)) return find(outcome, nowMs);
    const { headers } = (outcome ?? {}) as { headers?: unknown };
    const field = isHeaders(headers) ? headers.get('retry-after') : null;
    return typeof field === 'string' ? parseRetryAfter(field, nowMs) : undefined;
  } catch {
    return undefined; // a hostile getter
  }
}

/** Whether `value` is an `Error`, of whatever realm. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || tagOf(value) === '[object Error]';
}

/** Whether `value` is a `Headers`, of whatever realm or implementation. No parsed JSON is one. */
export function isHeaders(value: unknown): value is Headers {
  return tagOf(value) === '[object Headers]' && typeof (value as Headers).get === 'function';
}

function tagOf(value: unknown): string {
  return typeof value === 'object' && value !== null ? Object.prototype.toString.call(value) : '';
}

function find(outcome: unknown, nowMs: number): number | undefined {
  let current = outcome;
  for (let depth = 0; depth < 4; depth++) {
    if (typeof current !== 'object' || current === null) return undefined;
    const { retryAfterMs } = current as { retryAfterMs?: unknown };
    if (typeof retryAfterMs === 'number' && Number.isFinite(retryAfterMs)) {
      return Math.max(0, retryAfterMs);
    }
    const field =
      fieldOf((current as { headers?: unknown }).headers) ??
      fieldOf((current as { response?: { headers?: unknown } }).response?.headers);
    if (field !== undefined) return parseRetryAfter(field, nowMs);
    current = (current as { cause?: unknown }).cause;
  }
  return undefined;
}

function fieldOf(headers: unknown): string | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined;
  const { get } = headers as { get?: unknown };
  let value: unknown;
  if (typeof get === 'function') {
    value = get.call(headers, 'retry-after');
  } else {
    for (const key of Object.keys(headers)) {
      if (key.toLowerCase() === 'retry-after') value = (headers as Record<string, unknown>)[key];
    }
  }
  if (Array.isArray(value)) value = value[0];
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? value : undefined;
}
