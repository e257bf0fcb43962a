import type { CallContext, CallOptions } from '@temper/core';
import { checkCallOptions, checkKnown, checkType } from '@temper/core/policy';
import { checkReserved } from '../reserved-options.ts';
import { resending } from '../telemetry.ts';
import { HttpGuard, type HttpStats } from './http-guard.ts';
import { type HttpResilienceOptions, resolveHttpOptions } from './options.ts';
import { arrived, routed } from './redirects.ts';
import { discard, ResponsesOfRequest } from './responses.ts';
import { ownFields, type Target, targetOf } from './target.ts';

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
   * Options of the call: `timeoutMs`, `cost`, `priority`, `key`, `parent`, … The signal is the
   * request's. Unknown keys, `null` and wrong types reject with a `TypeError`.
   */
  readonly call?: Omit<CallOptions, 'signal'>;
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
    const callOptions = callOptionsOf(resolved.name, call, target);
    const callers = [target.signal, callOptions.parent?.signal].filter((one) => one !== undefined);
    const responses = new ResponsesOfRequest();
    const attempt = async (context: CallContext): Promise<Response> => {
      // The attempt's own signal is released when its headers have arrived; those of the callers
      // must abort the body for as long as it streams.
      const signal =
        callers.length === 0 ? context.signal : AbortSignal.any([...callers, context.signal]);
      const response = await resending(context.attempt - 1, () =>
        send(input, { ...request, signal }),
      );
      arrived(response);
      responses.add(response, context);
      return response;
    };
    const repeatable = target.repeatable && guard.retries(target.method);
    let returned: Response | undefined;
    try {
      const policy = guard.pipelineFor(target.origin, repeatable);
      returned = await routed(() => policy.execute(attempt, callOptions));
      return returned;
    } finally {
      responses.end(returned);
    }
  };
  return Object.assign(guarded, {
    stats: () => guard.stats(),
    [Symbol.dispose]: () => guard[Symbol.dispose](),
  });
}

/** The options of a request's call, with its signal and method. */
function callOptionsOf(
  owner: string,
  call: Omit<CallOptions, 'signal'> | undefined,
  { signal, method }: Target,
): CallOptions {
  if (call === undefined) return { operation: method, signal };
  checkCallOptions(owner, call);
  checkReserved(owner, 'call', call, { signal: 'set signal of the request' });
  // By name, so that accessors of a class count too.
  const { operation = method, timeoutMs, attributes, cost, priority, key, parent } = call;
  return { operation, signal, timeoutMs, attributes, cost, priority, key, parent };
}
