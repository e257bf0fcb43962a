import { checkKnown, checkType } from '@temper/core/policy';
import { resending } from '../telemetry.ts';
import { type HttpCallOptions, resolveCallOptions } from './call-options.ts';
import { type HttpAttempt, HttpGuard, type HttpStats } from './http-guard.ts';
import { type HttpResilienceOptions, resolveHttpOptions } from './options.ts';
import { RequestBody } from './request-body.ts';
import { discard, ResponsesOfRequest } from './responses.ts';
import { arrived } from './route.ts';
import { isRequest, isSafe, ownFields, targetOf } from './target.ts';

type Fetch = typeof globalThis.fetch;
type Input = Parameters<Fetch>[0];
type Init = NonNullable<Parameters<Fetch>[1]>;

/** Options of {@link resilientFetch}. */
export interface ResilientFetchOptions extends HttpResilienceOptions {
  /** Sends the requests. @defaultValue the global `fetch`, looked up for each request */
  readonly fetch?: Fetch;
}

/** Options of one request: those of `fetch`, and those of the call. */
export interface ResilientRequestInit extends Init {
  /**
   * Options of the call: `timeoutMs`, `retry`, `cost`, `priority`, `key`, `parent`, … The signal is the
   * request's. Unknown keys, `null` and wrong types reject with a `TypeError`.
   */
  readonly call?: HttpCallOptions;
}

/** A `fetch` with retries, timeouts, a limit and breakers. */
export interface ResilientFetch extends Fetch, Disposable {
  /**
   * Sends a request. The options are treated as `fetch` does: `null` is the same as none, and what
   * `fetch` refuses rejects with its `TypeError`.
   */
  (input: Input, init?: ResilientRequestInit | null): Promise<Response>;
  stats(): HttpStats;
}

const OWNER = 'resilientFetch';

/**
 * Creates a drop-in `fetch` behind the standard pipeline: limiter, total timeout, retry, the breaker of
 * the request's origin, attempt timeout.
 *
 * The last response is returned even when it counts as failed; the bodies of those before it are
 * cancelled. It rejects with the errors of `fetch`, unchanged, or with errors of Temper. Redirects and
 * bodies are handled by `fetch`; the caller's signal aborts the body too. Timeouts end when the headers
 * have arrived.
 *
 * ```ts
 * const fetch = resilientFetch({ name: 'registry' });
 * const response = await fetch('https://registry.example/packages/std.text');
 * ```
 *
 * @throws {TypeError | RangeError | PipelineOrderError} when an option is unknown or out of range
 */
export function resilientFetch(options: ResilientFetchOptions = {}): ResilientFetch {
  if (typeof options !== 'object' || options === null) checkKnown(OWNER, options, []);
  const { fetch: own, ...rest } = options;
  if (own !== undefined) checkType(OWNER, 'fetch', own, 'function');
  const send: Fetch = (input, init) => (own ?? globalThis.fetch)(input, init);
  const resolved = resolveHttpOptions(OWNER, rest);
  const guard = new HttpGuard(resolved, discard);

  const guarded = async (input: Input, init?: ResilientRequestInit | null): Promise<Response> => {
    if (typeof (init ?? {}) !== 'object') return send(input, init as Init); // fetch refuses it
    const { call, ...request } = ownFields(init ?? {});
    const target = targetOf(input, request);
    if (target === undefined) return send(input, request); // not HTTP, or not valid: fetch decides
    const { retry: word, ...callOptions } = resolveCallOptions(OWNER, call, target);
    const repeat = guard.repeats(target.method, word, target.keyed);
    const body =
      repeat === 'never' || !target.hasBody
        ? undefined
        : new RequestBody(input, request.body, resolved.maxReplayBytes);
    const callers = [target.signal, callOptions.parent?.signal].filter((one) => one !== undefined);
    const responses = new ResponsesOfRequest();
    const attempt = async ({ call: context, route, origin }: HttpAttempt): Promise<Response> => {
      // The attempt's own signal is released when its headers have arrived; those of the callers
      // must abort the body for as long as it streams.
      const signal =
        callers.length === 0 ? context.signal : AbortSignal.any([...callers, context.signal]);
      const own = { ...request, ...(await body?.next()), signal };
      const response = await resending(context.attempt - 1, () =>
        send(origin === target.url.origin ? input : elsewhere(input, target.url, origin), own),
      );
      arrived(route, response);
      responses.add(response, context);
      return response;
    };
    let returned: Response | undefined;
    try {
      const guardedRequest = {
        origin: target.url.origin,
        path: target.url.pathname,
        method: target.method,
        repeat,
        safe: word !== false && isSafe(target.method, target.hasBody),
      };
      const repeatable = (): boolean => body?.repeatable ?? true;
      returned = await guard.execute(guardedRequest, attempt, callOptions, repeatable);
      return returned;
    } finally {
      if (returned === undefined) body?.release();
      responses.end(returned);
    }
  };
  return Object.assign(guarded, {
    stats: () => guard.stats(),
    [Symbol.dispose]: () => guard[Symbol.dispose](),
  });
}

/** The same request to another origin. */
function elsewhere(input: Input, url: URL, origin: string): Input {
  const target = new URL(url);
  const { protocol, host } = new URL(origin);
  // In this order, as a port may be the default one of the protocol before.
  target.protocol = protocol;
  target.host = host;
  if (new URL(origin).port === '') target.port = '';
  return isRequest(input) ? new Request(target, input) : target;
}
