import { checkKnown, checkType } from '@temper/core/policy';
import { type HttpCallOptions, resolveCallOptions } from './call-options.ts';
import { FetchExchange } from './fetch-exchange.ts';
import { HttpGuard, type HttpStats } from './http-guard.ts';
import { type HttpResilienceOptions, resolveHttpOptions } from './options.ts';
import { discard } from './responses.ts';
import { hasHeader, IDEMPOTENCY_KEY, isSafe, ownFields, targetOf } from './target.ts';

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
 * bodies are handled by `fetch`; the caller's signal aborts the body too. The body is timed until its last
 * byte. That of a GET which breaks is asked for again: the rest of it by `Range`, or all of it while nobody
 * has read from it.
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
    const { method, url, hasBody, headers } = target;
    const exchange = new FetchExchange({
      options: resolved,
      guard,
      send,
      input,
      init: request,
      target,
      request: {
        origin: url.origin,
        path: url.pathname,
        method,
        repeat: guard.repeats(method, word, hasHeader(headers, IDEMPOTENCY_KEY)),
        safe: word !== false && isSafe(method, hasBody),
      },
      call: callOptions,
    });
    return exchange.run();
  };
  return Object.assign(guarded, {
    stats: () => guard.stats(),
    [Symbol.dispose]: () => guard[Symbol.dispose](),
  });
}
