import type { ExecutionContext } from '@temper/core';
import { resending } from '../telemetry.ts';
import { HttpGuard, type HttpStats } from './http-guard.ts';
import { type HttpResilienceOptions, resolveHttpOptions } from './options.ts';

type Fetch = typeof globalThis.fetch;
type Input = Parameters<Fetch>[0];
type Init = NonNullable<Parameters<Fetch>[1]>;

/** Options of {@link resilientFetch}. */
export interface ResilientFetchOptions extends HttpResilienceOptions {
  /** What sends the requests. @defaultValue the global `fetch`, looked up at each request */
  readonly fetch?: Fetch;
}

/** A `fetch` that can be looked at. */
export interface ResilientFetch extends Fetch, Disposable {
  stats(): HttpStats;
}

/**
 * Makes a drop-in `fetch` behind the standard pipeline: limiter, total timeout, retry, the breaker of
 * the request's origin, attempt timeout.
 *
 * A response that means failure is returned as it is when it is the last one; the bodies of those
 * before it are let go of. What rejects is what `fetch` rejects with, or one of this family's errors.
 * Redirects are followed, and bodies stream, as `fetch` does it; the caller's signal aborts the body
 * too. Timeouts end when the headers are there.
 *
 * ```ts
 * const fetch = resilientFetch({ name: 'registry' });
 * const response = await fetch('https://registry.example/packages/std.text');
 * ```
 *
 * @throws {TypeError | RangeError | PipelineOrderError} at construction, when an option does not hold
 */
export function resilientFetch(options: ResilientFetchOptions = {}): ResilientFetch {
  const { fetch: own, ...rest } = options;
  if (own !== undefined && typeof own !== 'function') {
    throw new TypeError('resilientFetch: fetch must be a function.');
  }
  const send: Fetch = (input, init) => (own ?? globalThis.fetch)(input, init);
  const guard = new HttpGuard(
    resolveHttpOptions('resilientFetch', rest),
    (outcome) => (outcome as Response | undefined)?.status,
    (outcome) => letGo(outcome as Response),
  );
  const guarded: Fetch = (input, init = {}) => {
    const target = targetOf(input, init);
    if (target === undefined) return send(input, init); // not HTTP, or not valid: as before
    const { origin, method, repeatable, signal } = target;
    const execution = { operation: method, ...(signal === undefined ? {} : { signal }) };
    return guard
      .pipelineFor(origin, repeatable && guard.repeats(method))
      .execute((context) => attempt(send, input, init, context, signal), execution);
  };
  return Object.assign(guarded, {
    stats: () => guard.stats(),
    [Symbol.dispose]: () => guard[Symbol.dispose](),
  });
}

async function attempt(
  send: Fetch,
  input: Input,
  init: Init,
  context: ExecutionContext,
  callers: AbortSignal | undefined,
): Promise<Response> {
  // The attempt's own signal goes quiet when its headers are there; the caller's must go on to abort
  // the body for as long as it streams.
  const signal =
    callers === undefined ? context.signal : AbortSignal.any([callers, context.signal]);
  const response = await resending(context.attempt - 1, () => send(input, { ...init, signal }));
  if (context.signal.aborted) letGo(response); // given up on, and the sender did not listen
  return response;
}

interface Target {
  readonly origin: string;
  readonly method: string;
  /** Whether the body, if there is one, can be sent again. */
  readonly repeatable: boolean;
  readonly signal: AbortSignal | undefined;
}

/** What the guard needs to know of a request; `undefined` when `fetch` should be left alone with it. */
function targetOf(input: Input, init: Init): Target | undefined {
  const request = typeof input === 'object' && 'method' in input ? input : undefined;
  const url = request === undefined ? String(input) : request.url;
  if (!URL.canParse(url)) return undefined;
  const { origin, protocol } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:') return undefined;
  const signal = init.signal === undefined ? request?.signal : init.signal;
  const body: unknown = init.body ?? request?.body;
  return {
    origin,
    method: (init.method ?? request?.method ?? 'GET').toUpperCase(),
    repeatable: isRepeatable(body),
    signal: signal ?? undefined,
  };
}

/** Whether a body is all there, and does not run dry when it is sent. */
export function isRepeatable(body: unknown): boolean {
  return (
    body === undefined ||
    body === null ||
    typeof body === 'string' ||
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body) ||
    body instanceof URLSearchParams ||
    body instanceof Blob ||
    body instanceof FormData
  );
}

/** Gives the connection of a response back that nobody will read. */
function letGo(response: Response): void {
  const { body } = response;
  if (body !== null && body !== undefined && !body.locked) body.cancel().catch(() => {});
}
