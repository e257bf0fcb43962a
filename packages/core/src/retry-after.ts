const MAX_SECONDS = 2 ** 31;

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
  if (!/^[A-Za-z]{3,9},? /.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

/**
 * How long `outcome` asks its caller to stay away, in milliseconds. Understands, in this order:
 * a finite `retryAfterMs`; a `Retry-After` field on `headers`, `response.headers` (a `Headers`, a Map
 * or a plain object of any case); the same on its `cause`.
 *
 * @param outcome - an error or a response
 * @param nowMs - wall-clock time, in milliseconds since the epoch
 */
export function retryAfterOf(outcome: unknown, nowMs: number): number | undefined {
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
