import {
  PackageNotFoundError,
  RegistryConnectionError,
  RegistryHttpError,
  RegistryResponseError,
  RegistryTimeoutError,
} from './errors.ts';

export interface HttpOptions {
  readonly baseUrl: string;
  readonly fetch: typeof fetch;
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
  readonly now: () => number;
}

interface HttpRequest {
  readonly path: string;
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpAnswer {
  readonly url: string;
  readonly status: number;
  readonly etag: string | undefined;
  readonly body: Uint8Array;
}

/**
 * Sends a request and reads the whole response, within a timeout and a size limit. Never retries:
 * that is left to the caller.
 *
 * @throws {RegistryConnectionError | RegistryTimeoutError | RegistryHttpError |
 *   RegistryResponseError} or the reason of the caller's signal, unchanged
 */
export async function request(options: HttpOptions, ask: HttpRequest): Promise<HttpAnswer> {
  ask.signal?.throwIfAborted();
  const url = `${options.baseUrl}${ask.path}`;
  // The timer of `AbortSignal.timeout` would hold what the caller's context holds until its time, long after the answer.
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), options.timeoutMs);
  const signal =
    ask.signal === undefined ? limit.signal : AbortSignal.any([ask.signal, limit.signal]);
  try {
    const response = await options.fetch(url, {
      method: ask.method ?? 'GET',
      headers: { ...ask.headers },
      ...(ask.body === undefined ? {} : { body: ask.body }),
      redirect: 'error',
      signal,
    });
    const body = await readBody(url, response, options.maxResponseBytes);
    if (response.ok || response.status === 304) {
      const etag = response.headers.get('etag') ?? undefined;
      return { url, status: response.status, etag, body };
    }
    throw httpError(url, response, body, options.now());
  } catch (error) {
    ask.signal?.throwIfAborted();
    if (limit.signal.aborted) throw new RegistryTimeoutError(url, options.timeoutMs);
    if (error instanceof RegistryHttpError || error instanceof RegistryResponseError) throw error;
    throw new RegistryConnectionError(url, error);
  } finally {
    clearTimeout(timer);
  }
}

/** Parses a JSON body. */
export function json({ url, body }: HttpAnswer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    throw new RegistryResponseError(url, 'the response is not valid JSON', { cause });
  }
}

async function readBody(url: string, response: Response, max: number): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body) {
    size += part.byteLength;
    // Throwing out of the loop cancels the body.
    if (size > max)
      throw new RegistryResponseError(url, `the response is larger than ${max} bytes`);
    parts.push(part);
  }
  const announced = response.headers.get('content-length');
  if (announced !== null && !response.headers.has('content-encoding') && size < Number(announced)) {
    throw new RegistryConnectionError(
      url,
      new Error(`the response ended after ${size} of ${announced} bytes`),
    );
  }
  return Buffer.concat(parts);
}

function httpError(
  url: string,
  response: Response,
  body: Uint8Array,
  now: number,
): RegistryHttpError {
  const problem = readProblem(body);
  const failure = {
    url,
    status: response.status,
    problem: textOf(problem.code),
    detail: textOf(problem.detail),
    retryAfterMs: retryAfterMs(response.headers.get('retry-after'), now),
    traceId: textOf(problem.traceId),
  };
  return response.status === 404
    ? new PackageNotFoundError(failure)
    : new RegistryHttpError(failure);
}

function readProblem(body: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const problem: unknown = JSON.parse(new TextDecoder().decode(body));
    return typeof problem === 'object' && problem !== null
      ? (problem as Record<string, unknown>)
      : {};
  } catch {
    return {};
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value.slice(0, 500) : undefined;
}

/** Parses `Retry-After` (RFC 9110, section 10.2.3): seconds or a date. */
function retryAfterMs(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  if (/^\d{1,10}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
