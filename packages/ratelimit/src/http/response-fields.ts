import type { Outcome } from '@temper/core';
import { isError, isHeaders } from '@temper/core/policy';

/** Header fields: `Headers`, anything with such a `get`, or a plain object of any case. */
export type HeadersLike =
  | { get(name: string): string | null | undefined }
  | Readonly<Record<string, string | readonly string[] | number | undefined>>;

/** As much of an HTTP response as is read. */
export interface ResponseLike {
  readonly status?: number | undefined;
  readonly headers: HeadersLike;
}

/** How many causes of an error are searched. */
const MAX_DEPTH = 4;
/** Longest field that is read, in characters. Servers send a few hundred. */
const MAX_FIELD_LENGTH = 8192;

/**
 * The response in an outcome: a value that is a `Response` or `Headers`, or an error of an HTTP client.
 * Those are errors with a status and `headers` of their own (undici) or of their `response` (axios, got,
 * ky, ofetch, superagent), or an error with such a cause. Other values are not read: a parsed body must
 * not pass for a response.
 */
export function responseIn(outcome: Outcome<unknown>): ResponseLike | undefined {
  return outcome.ok ? valueResponse(outcome.value) : errorResponse(outcome.error);
}

/**
 * Whether the server itself has dealt with the request: not with a 429, not with an error that a proxy in front
 * of it may have sent, and not a cache.
 */
export function isServed(response: ResponseLike): boolean {
  const { status = 200 } = response;
  return status !== 429 && status < 500 && !isFromCache(response);
}

/** A response from a cache tells about the past. */
export function isFromCache(response: ResponseLike): boolean {
  return Number(fieldOf(response, 'age')) > 0;
}

function valueResponse(value: unknown): ResponseLike | undefined {
  if (isHeaders(value)) return { headers: value };
  if (typeof value !== 'object' || value === null) return undefined;
  const { headers } = value as { headers?: unknown };
  return isHeaders(headers) ? { status: statusIn(value), headers } : undefined;
}

function errorResponse(error: unknown): ResponseLike | undefined {
  let current = error;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    if (!isError(current)) return valueResponse(current);
    const { response, cause } = current as { response?: unknown; cause?: unknown };
    const found = clientResponse(response) ?? clientResponse(current);
    if (found !== undefined) return found;
    current = cause;
  }
  return undefined;
}

function clientResponse(value: unknown): ResponseLike | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const status = statusIn(value);
  const { headers } = value as { headers?: unknown };
  if (status === undefined || typeof headers !== 'object' || headers === null) return undefined;
  return { status, headers: headers as HeadersLike };
}

function statusIn(value: object): number | undefined {
  const { status, statusCode } = value as { status?: unknown; statusCode?: unknown };
  for (const each of [status, statusCode]) if (typeof each === 'number') return each;
  return undefined;
}

/** A header field by its lower-case name. Several lines come joined; one that is too long is ignored. */
export function fieldOf({ headers }: ResponseLike, name: string): string | undefined {
  const { get } = headers as { get?: unknown };
  let value: unknown;
  if (typeof get === 'function') {
    value = get.call(headers, name);
  } else {
    const key = Object.keys(headers).find((each) => each.toLowerCase() === name);
    value = key === undefined ? undefined : (headers as Record<string, unknown>)[key];
  }
  if (Array.isArray(value)) value = value.join(', ');
  if (typeof value === 'number') value = String(value);
  return typeof value === 'string' && value.length <= MAX_FIELD_LENGTH ? value : undefined;
}
