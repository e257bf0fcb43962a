import type { CallContext } from '@temper/core';
import { listenForAbort, notify, safeText, stopListening } from '@temper/core/policy';
import { resending } from '../telemetry.ts';
import { type AttemptHost, DispatchAttempt } from './dispatch-attempt.ts';
import type { Dispatch, DispatchHandler, DispatchOptions } from './dispatch-types.ts';
import { HttpGuard, type HttpStats } from './http-guard.ts';
import { type HttpResilienceOptions, resolveHttpOptions } from './options.ts';
import { RelayController } from './relay.ts';
import { isRepeatable } from './target.ts';

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
 * Upgrades and CONNECT are passed on unchanged.
 *
 * @throws {TypeError | RangeError | PipelineOrderError} when an option is unknown or out of range
 */
export function dispatcherInterceptor(options: HttpResilienceOptions = {}): ResilientInterceptor {
  const resolved = resolveHttpOptions('dispatcherInterceptor', options);
  const guard = new HttpGuard(resolved, (response) =>
    (response as DispatchAttempt).drop(new Error('The request is sent again.')),
  );
  const intercept =
    (dispatch: Dispatch): Dispatch =>
    (request: DispatchOptions, handler: DispatchHandler) => {
      if (!isGuarded(request, handler)) return dispatch(request, handler);
      const exchange = new Exchange(resolved.name, guard, dispatch, request, handler);
      void exchange.run();
      return true;
    };
  return Object.assign(intercept, {
    stats: () => guard.stats(),
    [Symbol.dispose]: () => guard[Symbol.dispose](),
  });
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

/** One request and its attempts. */
class Exchange implements AttemptHost {
  readonly handler: DispatchHandler;
  readonly relay: RelayController;
  readonly #name: string;
  readonly #guard: HttpGuard;
  readonly #dispatch: Dispatch;
  readonly #request: DispatchOptions;
  readonly #abort = new AbortController();
  #begun = false;
  #latest: DispatchAttempt | undefined;

  constructor(
    name: string,
    guard: HttpGuard,
    dispatch: Dispatch,
    request: DispatchOptions,
    handler: DispatchHandler,
  ) {
    this.#name = name;
    this.#guard = guard;
    this.#dispatch = dispatch;
    this.#request = request;
    this.handler = handler;
    this.relay = new RelayController((reason) => this.#abort.abort(reason));
  }

  /** Never rejects: what goes wrong is passed to the request's handler. */
  async run(): Promise<void> {
    const { method, origin } = this.#request;
    try {
      const pipeline = this.#guard.pipelineFor(originOf(origin), this.#repeatable());
      const { signal } = this.#abort;
      const options = { operation: method, signal };
      const attempt = await pipeline.execute((call) => this.#attempt(call), options);
      attempt.adopt();
    } catch (error) {
      this.#failed(error as Error);
    }
  }

  #failed(error: Error): void {
    this.#latest?.drop(error);
    notify(this.#name, 'onResponseError', () => this.handler.onResponseError?.(this.relay, error));
  }

  begun(context: unknown): void {
    if (this.#begun) return;
    this.#begun = true;
    this.handler.onRequestStart?.(this.relay, context);
  }

  #repeatable(): boolean {
    const { method, body, idempotent } = this.#request;
    return isRepeatable(body) && (idempotent ?? true) && this.#guard.retries(method);
  }

  #attempt({ signal, attempt: number }: CallContext): Promise<DispatchAttempt> {
    return new Promise<DispatchAttempt>((resolve, reject) => {
      const off = (): void => stopListening(signal, onAbort);
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
      listenForAbort(signal, onAbort);
      try {
        resending(number - 1, () => this.#dispatch(this.#request, attempt));
      } catch (error) {
        off();
        reject(error);
      }
    });
  }
}

/** The key of an origin's breaker: an origin as a URL has it, so without credentials. */
function originOf(origin: unknown): string {
  const text = String(origin ?? '');
  return URL.canParse(text) ? new URL(text).origin : safeText(text, MAX_ORIGIN);
}

/** Longest origin that is no URL, in UTF-16 code units. */
const MAX_ORIGIN = 200;
