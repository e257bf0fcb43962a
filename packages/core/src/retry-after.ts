import { causesOf, isError, tagOf } from './causes.ts';
import { isMetadata, pushbackOf } from './client-errors.ts';

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
 * How long `outcome` asks its caller to stay away, in milliseconds.
 *
 * Of a value only a `Response`, or another object whose `headers` are a `Headers`, is read. Of an error,
 * in this order: a finite `retryAfterMs`; the `Retry-After` field of its headers, as the common HTTP
 * clients keep them (on the error, its `response`, `$response` or `meta`; a `Headers`, a Map, or a plain
 * object beside an HTTP status); the same of its `cause`, if that is an error or a response. A parsed
 * body passes for none of them, as a value, a cause or a response. Never throws.
 *
 * @param outcome - an error or a response
 * @param nowMs - wall-clock time, in milliseconds since the epoch
 */
export function retryAfterOf(outcome: unknown, nowMs: number): number | undefined {
  try {
    for (const each of causesOf(outcome)) {
      const asked = isError(each) ? askedBy(each, nowMs) : ofResponse(each, nowMs);
      if (asked !== undefined) return asked;
    }
  } catch {
    // a hostile getter
  }
  return undefined;
}

function ofResponse(value: unknown, nowMs: number): number | undefined {
  const headers = (value as { headers?: unknown } | null | undefined)?.headers;
  const field = isHeaders(headers) ? headers.get('retry-after') : null;
  return typeof field === 'string' ? parseRetryAfter(field, nowMs) : undefined;
}

/** Whether `value` is a `Headers`, of whatever realm or implementation. No parsed JSON is one. */
export function isHeaders(value: unknown): value is Headers {
  return tagOf(value) === '[object Headers]' && typeof (value as Headers).get === 'function';
}

function askedBy(error: Error, nowMs: number): number | undefined {
  const { retryAfterMs, response, $response, meta, metadata } = error as unknown as Record<
    string,
    unknown
  >;
  if (typeof retryAfterMs === 'number' && Number.isFinite(retryAfterMs)) {
    return Math.max(0, retryAfterMs);
  }
  const pushback = isMetadata(metadata) ? pushbackOf(metadata) : undefined;
  if (typeof pushback === 'number') return pushback;
  for (const holder of [error, response, $response, meta]) {
    const field = fieldOf(holder);
    if (field !== undefined) return parseRetryAfter(field, nowMs);
  }
  return undefined;
}

/** @param holder - what may have headers: an error, or the response that a client put on it */
function fieldOf(holder: unknown): string | undefined {
  const { headers } = (holder ?? {}) as { headers?: unknown };
  if (typeof headers !== 'object' || headers === null) return undefined;
  const { get } = headers as { get?: unknown };
  let value: unknown;
  if (typeof get === 'function') {
    value = get.call(headers, 'retry-after');
  } else if (hasStatus(holder)) {
    for (const key of Object.keys(headers)) {
      if (key.toLowerCase() === 'retry-after') value = (headers as Record<string, unknown>)[key];
    }
  }
  if (Array.isArray(value)) value = value[0];
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? value : undefined;
}

/** A body that echoes headers has no status beside them, and every client's response has. */
function hasStatus(holder: unknown): boolean {
  const { status, statusCode } = holder as { status?: unknown; statusCode?: unknown };
  return typeof status === 'number' || typeof statusCode === 'number';
}
