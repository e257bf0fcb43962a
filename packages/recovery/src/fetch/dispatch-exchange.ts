import type { CallOptions } from '@temper/core';
import { listenForAbort, notify, safeText, stopListening } from '@temper/core/policy';
import { resending } from '../telemetry.ts';
import { noteUnreadable } from './attempts.ts';
import { type BodyFace, BodyGuard } from './body-guard.ts';
import { sourceOfDispatch } from './body-source.ts';
import { resolveCallOptions } from './call-options.ts';
import { type AttemptHost, DispatchAttempt, fieldOf } from './dispatch-attempt.ts';
import type {
  Dispatch,
  DispatchHandler,
  DispatchHeaders,
  DispatchOptions,
} from './dispatch-types.ts';
import type { GuardedRequest, HttpAttempt, HttpGuard, Repeat } from './http-guard.ts';
import type { ResolvedHttpOptions } from './options.ts';
import { RelayController } from './relay.ts';
import { AttemptBody, type Replay, replayOf } from './replay.ts';
import { onRequestAbort } from './request-signal.ts';
import type { ResponseHead } from './resume.ts';
import { hasHeader, IDEMPOTENCY_KEY, isResumable, isSafe, withHeaders } from './target.ts';

/** Begins the messages of errors. */
export const OWNER = 'dispatcherInterceptor';

/** What a request of undici is made of. */
export interface DispatchedRequest {
  readonly options: ResolvedHttpOptions;
  readonly guard: HttpGuard;
  readonly dispatch: Dispatch;
  readonly request: DispatchOptions;
  readonly handler: DispatchHandler;
}

/** One request of undici, from its first attempt to the last byte of its response. */
export class DispatchExchange implements AttemptHost {
  readonly relay: RelayController;
  readonly name: string;
  readonly #given: DispatchedRequest;
  readonly #abort = new AbortController();
  readonly #startedAt: number;
  #begun = false;
  #stopListening = (): void => {};
  #latest: DispatchAttempt | undefined;
  #replay: Replay | undefined;
  #body: BodyGuard<DispatchAttempt> | undefined;
  #skip = 0;
  #handlerFailed = false;

  constructor(given: DispatchedRequest) {
    this.#given = given;
    this.name = given.options.name;
    this.#startedAt = given.options.clock.monotonic();
    this.relay = new RelayController((reason) => this.#abort.abort(reason));
  }

  /** Never rejects: what goes wrong is passed to the request's handler. */
  async run(): Promise<void> {
    try {
      const { options, guard, request: given } = this.#given;
      this.#stopListening = onRequestAbort(given.signal, (reason) => this.relay.abort(reason));
      const { signal } = this.#abort;
      const { method, origin, path, body } = given;
      const { retry, ...call } = resolveCallOptions(OWNER, given.call, { method, signal });
      const verb = method.toUpperCase();
      const request: GuardedRequest = {
        origin: originOf(origin),
        path: String(path ?? '').split('?', 1)[0] as string,
        method: verb,
        repeat: this.#repeats(verb, retry),
        safe: retry !== false && isSafe(verb, (body ?? null) !== null),
      };
      const source = sourceOfDispatch(body);
      const maxBytes = request.repeat === 'never' ? undefined : options.maxReplayBytes;
      if (source !== undefined) this.#replay = replayOf(source, maxBytes, guard.counts.limits);
      const repeatable = (): boolean => this.#replay?.repeatable ?? true;
      const send = (from: HttpAttempt): Promise<DispatchAttempt> => this.#send(from, request, {});
      const attempt = await guard.execute(request, send, call, repeatable);
      this.#watch(attempt, request, call);
      attempt.adopt('response');
    } catch (error) {
      this.#replay?.release();
      this.#latest?.drop(error as Error);
      this.#fail(error as Error);
    } finally {
      this.#stopListening();
    }
  }

  #repeats(method: string, word: boolean | undefined): Repeat {
    const { idempotent, headers } = this.#given.request;
    const keyed = hasHeader(headers, IDEMPOTENCY_KEY);
    const repeat = this.#given.guard.repeats(method, word ?? (idempotent || undefined), keyed);
    return idempotent === false && word === undefined && repeat === 'always' ? 'unsent' : repeat;
  }

  /** Watches the body of the response that the handler gets. */
  #watch(attempt: DispatchAttempt, asked: GuardedRequest, call: CallOptions): void {
    const { options, guard, request } = this.#given;
    const from = attempt.from as HttpAttempt; // it was not dropped
    const hasBody = (request.body ?? null) !== null;
    const face: BodyFace<DispatchAttempt> = {
      decodes: false,
      headOf,
      send: (each, fields) => this.#send(each, asked, fields),
      discard: (each) => each.drop(new Error('The response is of another representation.')),
      idle: (error) => {
        this.#latest?.cutOff(error);
        void this.#recover(error);
      },
      expired: (error) => {
        this.#latest?.cutOff(error);
        this.#abort.abort(error);
        this.#fail(error);
      },
    };
    const exchange = {
      options,
      guard,
      request: { ...asked, origin: from.origin },
      call,
      startedAt: this.#startedAt,
      resumable: isResumable(asked.method, hasBody, request.headers),
      counted: true,
    };
    this.#latest = attempt;
    const body = new BodyGuard(exchange, face, attempt, from.origin, from.call.attempt);
    this.#body = body;
    this.relay.onFlow = (flows) => (flows ? body.timers.waiting() : body.timers.received());
    body.timers.waiting();
  }

  data(chunk: unknown): void {
    const body = this.#body as BodyGuard<DispatchAttempt>;
    body.timers.received();
    const bytes = chunk as Uint8Array;
    const skip = Math.min(this.#skip, bytes.length);
    this.#skip -= skip;
    if (!this.#counts(() => body.deliver(bytes.length - skip))) return;
    if (skip < bytes.length) {
      this.tell((handler, relay) => handler.onResponseData?.(relay, bytes.subarray(skip)));
    }
    if (!this.relay.paused) body.timers.waiting();
  }

  ended(trailers: DispatchHeaders): void {
    const missing = this.#body?.missing();
    if (missing !== undefined) {
      void this.#recover(missing);
      return;
    }
    if (!this.#counts(() => this.#body?.end())) return;
    this.#body?.timers.stop();
    this.tell((handler, relay) => handler.onResponseEnd?.(relay, trailers));
  }

  /** @returns `false` when the rest of the body was not what had been announced: the request has failed */
  #counts(check: () => void): boolean {
    try {
      check();
      return true;
    } catch (error) {
      this.#latest?.cutOff(error as Error);
      this.#fail(error as Error);
      return false;
    }
  }

  broken(error: Error): void {
    if (this.relay.abortedByHandler || this.#handlerFailed) this.#fail(error);
    else void this.#recover(error);
  }

  /** Asks for the rest of a body that has broken. */
  async #recover(failure: Error): Promise<void> {
    const body = this.#body as BodyGuard<DispatchAttempt>;
    this.relay.attach(undefined); // an abort now ends the wait for the rest
    body.timers.received();
    try {
      const { response, skip } = await body.recover(failure, this.#abort.signal);
      this.#latest = response;
      this.#skip = skip;
      if (!this.relay.paused) body.timers.waiting();
      response.adopt('rest');
    } catch (error) {
      const { signal } = this.#abort;
      // When the exchange has expired, the handler knows it already.
      if (!signal.aborted || this.relay.abortedByHandler) {
        this.#fail((signal.aborted ? signal.reason : error) as Error);
      }
    }
  }

  /** An error of the handler ends the request, and is no failure of its origin. */
  tell(event: (handler: DispatchHandler, relay: RelayController) => void): void {
    try {
      event(this.#given.handler, this.relay);
    } catch (error) {
      this.#handlerFailed = true;
      this.#abort.abort(error);
      throw error;
    }
  }

  #fail(error: Error): void {
    this.#body?.timers.stop();
    const { name } = this.#given.options;
    notify(name, 'onResponseError', () => this.#given.handler.onResponseError?.(this.relay, error));
  }

  begun(context: unknown): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#stopListening(); // from now on the handler aborts
    this.tell((handler, relay) => handler.onRequestStart?.(relay, context));
  }

  /**
   * Makes an attempt.
   *
   * @param asked - the request
   * @param fields - headers besides those of the request
   */
  #send(
    from: HttpAttempt,
    asked: GuardedRequest,
    fields: Readonly<Record<string, string>>,
  ): Promise<DispatchAttempt> {
    const { request, dispatch } = this.#given;
    const { signal, attempt: number } = from.call;
    const body = this.#replay && new AttemptBody(this.#replay);
    const own: Record<PropertyKey, unknown> = {
      ...request,
      headers: withHeaders(request.headers, fields),
      ...(from.origin === asked.origin ? {} : { origin: from.origin }),
      ...(body === undefined ? {} : { body }),
    };
    return new Promise<DispatchAttempt>((resolve, reject) => {
      const off = (): void => stopListening(signal, onAbort);
      const listener = {
        host: this,
        resolve: (head: DispatchAttempt) => {
          off();
          resolve(head);
        },
        reject: (error: unknown) => {
          off();
          if (this.#replay?.failed) noteUnreadable(error);
          reject(error);
        },
        unsent: () => {
          body?.release();
          forget(own);
        },
        once: body !== undefined && asked.repeat !== 'always',
      };
      const attempt = new DispatchAttempt(listener, from);
      if (this.#body === undefined) this.#latest = attempt;
      const onAbort = (): void => attempt.giveUp(signal.reason as Error);
      listenForAbort(signal, onAbort);
      try {
        resending(number - 1, () => dispatch(own, attempt));
      } catch (error) {
        off();
        reject(error);
      }
    });
  }
}

/** Undici keeps the options of a request for as long as it waits in a pool. One that was given up needs few. */
function forget(options: Record<PropertyKey, unknown>): void {
  for (const key of Reflect.ownKeys(options)) if (!ADDRESS.has(key)) options[key] = undefined;
}

const ADDRESS: ReadonlySet<PropertyKey> = new Set(['origin', 'path', 'method']);

function headOf({ status = 0, headers = {} }: DispatchAttempt): ResponseHead {
  return {
    status,
    header: (name) => fieldOf(headers, name),
  };
}

/** The key of an origin's breaker: an origin as a URL has it, so without credentials. */
function originOf(origin: unknown): string {
  const text = String(origin ?? '');
  return URL.canParse(text) ? new URL(text).origin : safeText(text, MAX_ORIGIN);
}

/** Longest origin that is no URL, in UTF-16 code units. */
const MAX_ORIGIN = 200;
