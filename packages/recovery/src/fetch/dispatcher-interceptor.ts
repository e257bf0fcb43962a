import { listenForAbort, notify, safeText, stopListening } from '@temper/core/policy';
import { resending } from '../telemetry.ts';
import { resolveCallOptions } from './call-options.ts';
import { type AttemptHost, DispatchAttempt } from './dispatch-attempt.ts';
import type { Dispatch, DispatchHandler, DispatchOptions } from './dispatch-types.ts';
import { type HttpAttempt, HttpGuard, type HttpStats, type Repeat } from './http-guard.ts';
import {
  type HttpResilienceOptions,
  type ResolvedHttpOptions,
  resolveHttpOptions,
} from './options.ts';
import { RelayController } from './relay.ts';
import { isSource, Replay } from './replay.ts';
import { isKeyed, isRepeatable, isSafe } from './target.ts';

const OWNER = 'dispatcherInterceptor';

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
  const resolved = resolveHttpOptions(OWNER, options);
  const guard = new HttpGuard(resolved, (response) =>
    (response as DispatchAttempt).drop(new Error('The request is sent again.')),
  );
  const intercept =
    (dispatch: Dispatch): Dispatch =>
    (request: DispatchOptions, handler: DispatchHandler) => {
      if (!isGuarded(request, handler)) return dispatch(request, handler);
      const exchange = new Exchange(resolved, guard, dispatch, request, handler);
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
  readonly #maxReplayBytes: number;
  readonly #guard: HttpGuard;
  readonly #dispatch: Dispatch;
  readonly #request: DispatchOptions;
  readonly #abort = new AbortController();
  #begun = false;
  #latest: DispatchAttempt | undefined;
  #replay: Replay | undefined;

  constructor(
    { name, maxReplayBytes }: ResolvedHttpOptions,
    guard: HttpGuard,
    dispatch: Dispatch,
    request: DispatchOptions,
    handler: DispatchHandler,
  ) {
    this.#name = name;
    this.#maxReplayBytes = maxReplayBytes;
    this.#guard = guard;
    this.#dispatch = dispatch;
    this.#request = request;
    this.handler = handler;
    this.relay = new RelayController((reason) => this.#abort.abort(reason));
  }

  /** Never rejects: what goes wrong is passed to the request's handler. */
  async run(): Promise<void> {
    try {
      const { signal } = this.#abort;
      const { method, origin, path, call, body } = this.#request;
      const { retry: word, ...options } = resolveCallOptions(OWNER, call, { method, signal });
      const verb = method.toUpperCase();
      const request = {
        origin: originOf(origin),
        path: String(path ?? '').split('?', 1)[0] as string,
        method: verb,
        repeat: this.#repeats(verb, word),
        safe: word !== false && isSafe(verb, (body ?? null) !== null),
      };
      if (request.repeat !== 'never' && !isRepeatable(body) && isSource(body)) {
        this.#replay = new Replay(body, this.#maxReplayBytes);
      }
      const repeatable = (): boolean => this.#replay?.repeatable ?? true;
      const send = (attempt: HttpAttempt): Promise<DispatchAttempt> =>
        this.#attempt(attempt, request.origin);
      const attempt = await this.#guard.execute(request, send, options, repeatable);
      attempt.adopt();
    } catch (error) {
      this.#replay?.release();
      this.#failed(error as Error);
    }
  }

  #repeats(method: string, word: boolean | undefined): Repeat {
    const { idempotent, headers } = this.#request;
    const repeat = this.#guard.repeats(method, word ?? (idempotent || undefined), isKeyed(headers));
    return idempotent === false && word === undefined && repeat === 'always' ? 'unsent' : repeat;
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

  #attempt({ call, route, origin }: HttpAttempt, asked: string): Promise<DispatchAttempt> {
    const { signal, attempt: number } = call;
    const request = {
      ...this.#request,
      ...(origin === asked ? {} : { origin }),
      ...(this.#replay === undefined ? {} : { body: this.#replay.open() }),
    };
    return new Promise<DispatchAttempt>((resolve, reject) => {
      const off = (): void => stopListening(signal, onAbort);
      const attempt = new DispatchAttempt(
        this,
        route,
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
        resending(number - 1, () => this.#dispatch(request, attempt));
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
