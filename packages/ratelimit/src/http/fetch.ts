import { checkType, listenForAbort, stopListening } from '@temper/core/policy';
import { isListField, type ResponseFields } from './announcement.ts';
import { type GuardAnswer, HttpGuard } from './guard.ts';
import type { HttpRateLimitOptions } from './options.ts';
import { refusedResponse, remoteBy } from './web.ts';

/** What answers the requests that may pass. */
export type FetchNext = (request: Request) => Response | PromiseLike<Response>;

/** A middleware for servers whose handlers take a `Request` and return a `Response`. */
export type FetchMiddleware = (request: Request, next: FetchNext) => Promise<Response>;

/** Options of {@link fetchRateLimit}. */
export interface FetchRateLimitOptions extends HttpRateLimitOptions {
  /**
   * The address of the other end of the connection, which a `Request` does not know: in Bun
   * `server.requestIP(request)?.address`, in a Cloudflare Worker the header `cf-connecting-ip`. An error
   * and a promise are logged; the address is then unknown.
   *
   * @defaultValue unknown: requests limited by `'address'` share one limit
   */
  readonly remoteAddress?: (request: Request) => string | undefined;
}

const OWNER = 'fetchRateLimit';

/**
 * Creates a middleware for servers with `Request` and `Response`: Bun, Deno, Cloudflare Workers, service
 * workers, and frameworks on them. It announces the limits on every response, and responds in place of the
 * handler when one is exceeded.
 *
 * ```ts
 * const limit = fetchRateLimit({
 *   limits: [{ name: 'per-client', limiter: perClient, key: 'address' }],
 *   remoteAddress: (request) => request.headers.get('cf-connecting-ip') ?? undefined,
 * });
 * export default { fetch: (request: Request) => limit(request, handle) };
 * ```
 *
 * Permits of a concurrency limit are held until the body of the response has been read, or the request is
 * aborted.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function fetchRateLimit(options: FetchRateLimitOptions): FetchMiddleware {
  const { remoteAddress, ...rest } = options ?? {};
  const guard = new HttpGuard(OWNER, rest);
  if (remoteAddress !== undefined) checkType(OWNER, 'remoteAddress', remoteAddress, 'function');
  return async (request, next) => {
    const header = (name: string): string | undefined => request.headers.get(name) ?? undefined;
    const { pathname, search } = new URL(request.url);
    const remote = remoteAddress && remoteBy(OWNER, remoteAddress, request);
    const { refusal, fields, release } = await guard.ask({
      raw: request,
      method: request.method,
      url: pathname + search,
      remote,
      header,
    });
    if (refusal !== undefined) return refusedResponse(refusal, fields);
    try {
      return announce(await next(request), fields, request.signal, release);
    } catch (error) {
      release({ status: undefined, served: false });
      throw error;
    }
  };
}

/** Adds the fields, and calls `release` when the response is over. */
function announce(
  response: Response,
  fields: ResponseFields,
  signal: AbortSignal | undefined,
  release: GuardAnswer['release'],
): Response {
  // An upgrade cannot be copied, and what follows it is not a response.
  const { body, status, statusText } = response;
  const end = (served: boolean): void => release({ status, served });
  if (status < 200) {
    end(true);
    return response;
  }
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(fields)) {
    if (isListField(name)) headers.append(name, value);
    else headers.set(name, value);
  }
  const answer = new Response(body && released(body, signal, end), {
    status,
    statusText,
    headers,
  });
  if (body === null) end(true);
  return answer;
}

/** The same body, that calls `release` at its end. */
function released(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
  release: (served: boolean) => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const onAbort = (): void => end(false);
  const end = (served: boolean): void => {
    stopListening(signal, onAbort);
    release(served);
  };
  if (signal?.aborted === true) release(false);
  else if (signal !== undefined) listenForAbort(signal, onAbort);
  const source: ConstructorParameters<typeof ReadableStream<Uint8Array>>[0] = {
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) {
          controller.enqueue(value);
          return;
        }
        end(true);
        controller.close();
      } catch (error) {
        end(false);
        throw error;
      }
    },
    async cancel(reason) {
      end(false);
      await reader.cancel(reason);
    },
  };
  // Nothing is read before the client reads.
  return new ReadableStream(source, { highWaterMark: 0 });
}
