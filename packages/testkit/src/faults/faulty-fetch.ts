import { type FaultPlan, type Faulty, late, type Sleeper, untilAbort } from './faults.ts';

/**
 * What happens to a request: it `passes`, it gets no answer (`hang`, until its signal aborts), its
 * connection is `refused` or `reset`, the body of its answer is `cut`, it is answered with a `status`, it
 * fails with an `error`, or it is late.
 */
export type FetchFault =
  | 'pass'
  | 'hang'
  | 'refused'
  | 'reset'
  | 'cut'
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  | { readonly error: unknown }
  | { readonly delayMs: number };

/** Settings of {@link faultyFetch}. */
export interface FaultyFetchOptions {
  /**
   * Sends the requests that pass.
   *
   * @defaultValue the global `fetch`
   */
  readonly fetch?: typeof fetch;
  /**
   * Waits for `delayMs`.
   *
   * @defaultValue real timers
   */
  readonly clock?: Sleeper;
}

/**
 * A `fetch` with faults. A failed connection fails as in Node: a `TypeError` whose cause has the code.
 *
 * ```ts
 * const fetch = faultyFetch(inSequence('reset', { status: 503, headers: { 'retry-after': '1' } }), { fetch: stub });
 * ```
 */
export function faultyFetch(
  plan: FaultPlan<FetchFault>,
  options: FaultyFetchOptions = {},
): typeof fetch & Faulty {
  const state = { calls: 0 };
  const send = (...args: Parameters<typeof fetch>): Promise<Response> =>
    (options.fetch ?? globalThis.fetch)(...args);
  const faultyOne = async (...args: Parameters<typeof fetch>): Promise<Response> => {
    state.calls++;
    const [input, init] = args;
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    const fault = plan();
    if (signal?.aborted === true) throw signal.reason;
    if (fault === 'pass') return send(...args);
    if (fault === 'hang') return untilAbort(signal);
    if (fault === 'refused') throw failed('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:80');
    if (fault === 'reset') throw failed('ECONNRESET', 'read ECONNRESET');
    if (fault === 'cut') return new Response(cutBody(), { headers: { 'content-length': '1000' } });
    if ('error' in fault) throw fault.error;
    if ('status' in fault) {
      const { status, headers = {}, body = null } = fault;
      return new Response(body, { status, headers });
    }
    await late(fault.delayMs, options.clock, signal);
    return send(...args);
  };
  return Object.defineProperty(faultyOne as typeof fetch & Faulty, 'calls', {
    get: () => state.calls,
  });
}

function failed(code: string, message: string): TypeError {
  return new TypeError('fetch failed', { cause: Object.assign(new Error(message), { code }) });
}

/** Some bytes, and then the end of the connection. */
function cutBody(): ReadableStream<Uint8Array> {
  let sent = false;
  return new ReadableStream({
    pull(controller) {
      if (sent) {
        const cause = Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' });
        controller.error(new TypeError('terminated', { cause }));
      } else {
        controller.enqueue(new TextEncoder().encode('{"orders":['));
        sent = true;
      }
    },
  });
}
