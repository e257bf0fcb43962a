/**
 * A header field of an answer, or of the answer that an error has: `headers` (a `Headers`, a Map, or a
 * plain object of any case) of itself, of its `response` or of its `cause`. Several lines come joined.
 */
export function fieldOf(answer: unknown, name: string): string | undefined {
  let current = answer;
  for (let depth = 0; depth < 4; depth++) {
    if (typeof current !== 'object' || current === null) return undefined;
    const { headers, response, cause } = current as Record<string, unknown>;
    const found =
      read(headers, name) ?? read((response as { headers?: unknown } | undefined)?.headers, name);
    if (found !== undefined) return found;
    current = cause;
  }
  return undefined;
}

function read(headers: unknown, name: string): string | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined;
  const { get } = headers as { get?: unknown };
  let value: unknown;
  if (typeof get === 'function') {
    value = get.call(headers, name);
  } else {
    const key = Object.keys(headers).find((one) => one.toLowerCase() === name);
    value = key === undefined ? undefined : (headers as Record<string, unknown>)[key];
  }
  if (Array.isArray(value)) return value.join(', ');
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? value : undefined;
}
