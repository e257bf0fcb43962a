import type { DispatchAttempt } from './dispatch-attempt.ts';
import { DispatchExchange, OWNER } from './dispatch-exchange.ts';
import type { Dispatch, DispatchHandler, DispatchOptions } from './dispatch-types.ts';
import { HttpGuard, type HttpStats } from './http-guard.ts';
import { type HttpResilienceOptions, resolveHttpOptions } from './options.ts';

/** An interceptor for undici's `compose`. */
export interface ResilientInterceptor extends Disposable {
  (dispatch: Dispatch): Dispatch;
  stats(): HttpStats;
}

/**
 * Creates an interceptor that puts the standard pipeline around every request of an undici dispatcher:
 * limiter, total timeout, retry, the breaker of the request's origin, attempt timeout.
 *
 * ```ts
 * const agent = new Agent().compose(dispatcherInterceptor({ name: 'registry' }));
 * const { body } = await request('https://registry.example/packages', { dispatcher: agent });
 * ```
 *
 * Upgrades and CONNECT are passed on unchanged. A dispatcher of undici 6 is refused with the first request.
 *
 * @throws {TypeError | RangeError | PipelineOrderError} when an option is unknown or out of range
 */
export function dispatcherInterceptor(options: HttpResilienceOptions = {}): ResilientInterceptor {
  const resolved = resolveHttpOptions(OWNER, options);
  const guard = new HttpGuard(resolved, (response) =>
    (response as DispatchAttempt).drop(new Error('The request is sent again.')),
  );
  const intercept =
    (dispatch: Dispatch): Dispatch =>
    (request: DispatchOptions, handler: DispatchHandler) => {
      refuseOld(handler);
      if (!isGuarded(request, handler)) return dispatch(request, handler);
      const exchange = new DispatchExchange({
        options: resolved,
        guard,
        dispatch,
        request,
        handler,
      });
      void exchange.run();
      return true;
    };
  return Object.assign(intercept, {
    stats: () => guard.stats(),
    [Symbol.dispose]: () => guard[Symbol.dispose](),
  });
}

/** @throws {TypeError} on a handler of undici 6, which would never hear of its response */
function refuseOld(handler: unknown): void {
  const { onConnect, onRequestStart } = (handler ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof onConnect === 'function' && onRequestStart === undefined) {
    throw new TypeError(
      `${OWNER} needs undici 7 or 8, and this dispatcher is of undici 6 or older: update undici, or use resilientFetch.`,
    );
  }
}

/** Whether a request is guarded. Arguments that undici refuses are left to undici. */
function isGuarded(request: DispatchOptions | undefined, handler: unknown): boolean {
  return (
    typeof request?.method === 'string' &&
    request.method !== '' &&
    request.method !== 'CONNECT' &&
    !request.upgrade &&
    typeof handler === 'object' &&
    handler !== null
  );
}
