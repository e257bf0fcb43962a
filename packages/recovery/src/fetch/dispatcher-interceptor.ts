import type { ExecutionContext } from '@temper/core';
import { onListenerError, resending } from '../telemetry.ts';
import { type AttemptHost, DispatchAttempt } from './dispatch-attempt.ts';
import type { Dispatch, DispatchHandler, DispatchOptions } from './dispatch-types.ts';
import { HttpGuard, type HttpStats } from './http-guard.ts';
import { type HttpResilienceOptions, resolveHttpOptions } from './options.ts';
import { RelayController } from './relay.ts';
import { isRepeatable } from './resilient-fetch.ts';

/** An interceptor for undici's `compose`, which can be looked at. */
export interface ResilientInterceptor extends Disposable {
  (dispatch: Dispatch): Dispatch;
  stats(): HttpStats;
}

/**
 * Makes an interceptor that puts the standard pipeline around every request of an undici dispatcher:
 * limiter, total timeout, retry, the breaker of the request's origin, attempt timeout.
 *
 * ```ts
 * const agent = new Agent().compose(dispatcherInterceptor({ name: 'registry' }));
 * const { body } = await request('https://registry.example/packages', { dispatcher: agent });
 * ```
 *
 * Upgrades and CONNECT pass untouched.
 *
 * @throws {TypeError | RangeError | PipelineOrderError} at construction, when an option does not hold
 */
export function dispatcherInterceptor(options: HttpResilienceOptions = {}): ResilientInterceptor {
  const guard = new HttpGuard(
    resolveHttpOptions('dispatcherInterceptor', options),
    (outcome) => (outcome as DispatchAttempt | undefined)?.status,
    (outcome) => (outcome as DispatchAttempt).drop(new Error('There is another attempt.')),
  );
  const intercept =
    (dispatch: Dispatch): Dispatch =>
    (request: DispatchOptions, handler: DispatchHandler) => {
      if (request.method === 'CONNECT' || request.upgrade) return dispatch(request, handler);
      new Exchange(guard, dispatch, request, handler).begin();
      return true;
    };
  return Object.assign(intercept, {
    stats: () => guard.stats(),
    [Symbol.dispose]: () => guard[Symbol.dispose](),
  });
}

/** One request and its attempts. */
class Exchange implements AttemptHost {
  readonly handler: DispatchHandler;
  readonly relay: RelayController;
  readonly #guard: HttpGuard;
  readonly #dispatch: Dispatch;
  readonly #request: DispatchOptions;
  readonly #abort = new AbortController();
  #begun = false;
  #latest: DispatchAttempt | undefined;

  constructor(
    guard: HttpGuard,
    dispatch: Dispatch,
    request: DispatchOptions,
    handler: DispatchHandler,
  ) {
    this.#guard = guard;
    this.#dispatch = dispatch;
    this.#request = request;
    this.handler = handler;
    this.relay = new RelayController((reason) => this.#abort.abort(reason));
  }

  begin(): void {
    const { method, origin } = this.#request;
    const pipeline = this.#guard.pipelineFor(String(origin ?? ''), this.#repeatable());
    pipeline
      .execute((context) => this.#attempt(context), {
        operation: method,
        signal: this.#abort.signal,
      })
      .then(
        (attempt) => attempt.adopt(),
        (error: unknown) => this.#failed(error as Error),
      );
  }

  #failed(error: Error): void {
    this.#latest?.drop(error);
    try {
      this.handler.onResponseError?.(this.relay, error);
    } catch (thrown) {
      onListenerError(thrown);
    }
  }

  begun(context: unknown): void {
    if (this.#begun) return;
    this.#begun = true;
    this.handler.onRequestStart?.(this.relay, context);
  }

  #repeatable(): boolean {
    const { method, body, idempotent } = this.#request;
    return isRepeatable(body) && (idempotent ?? true) && this.#guard.repeats(method);
  }

  #attempt({ signal, attempt: number }: ExecutionContext): Promise<DispatchAttempt> {
    return new Promise<DispatchAttempt>((resolve, reject) => {
      const off = (): void => signal.removeEventListener('abort', onAbort);
      const attempt = new DispatchAttempt(
        this,
        (head) => {
          off();
          resolve(head);
        },
        (error) => {
          off();
          reject(error);
        },
      );
      this.#latest = attempt;
      const onAbort = (): void => attempt.giveUp(signal.reason as Error);
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        resending(number - 1, () => this.#dispatch(this.#request, attempt));
      } catch (error) {
        off();
        reject(error);
      }
    });
  }
}
