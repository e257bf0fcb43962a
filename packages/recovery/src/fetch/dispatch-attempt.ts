import { safeText } from '@temper/core/policy';
import type { DispatchController, DispatchHandler, DispatchHeaders } from './dispatch-types.ts';
import { ConnectionLostError } from './errors.ts';
import { isAbortReason, noteAbort } from './foreign-aborts.ts';
import type { HttpAttempt } from './http-guard.ts';
import type { RelayController } from './relay.ts';

/** The exchange that an attempt is part of. */
export interface AttemptHost {
  /** Name of the policy. */
  readonly name: string;
  readonly relay: RelayController;
  /** Calls the handler of the request. What it throws ends the request. */
  tell(event: (handler: DispatchHandler, relay: RelayController) => void): void;
  /** The first attempt has begun. */
  begun(context: unknown): void;
  /** A piece of the body of the adopted attempt. */
  data(chunk: unknown): void;
  ended(trailers: DispatchHeaders): void;
  /** The body of the adopted attempt has broken. */
  broken(error: Error): void;
}

/** What comes after the headers. */
type Event = (host: AttemptHost) => void;

/** What an attempt reports to, while somebody may want to know of it. */
interface Listener {
  readonly host: AttemptHost;
  readonly resolve: (attempt: DispatchAttempt) => void;
  readonly reject: (error: unknown) => void;
  /** Called when a request that undici has not sent yet is dropped. */
  readonly unsent: () => void;
  /** Whether the request must not be sent again, and has a body that undici never sends again rightly. */
  readonly once: boolean;
}

interface Head {
  readonly status: number;
  readonly headers: DispatchHeaders;
  readonly message: string | undefined;
}

/**
 * One attempt of a request. It holds the response at its headers until it is known whether there is
 * another attempt; then it passes everything on to the request's handler, or is dropped.
 *
 * undici keeps a handler for as long as its request waits for a connection, and Node the streams of a session of
 * HTTP/2 that has died until their timeouts are over. Neither can be told to give it up: an attempt that is over
 * or was dropped therefore holds nothing of its exchange.
 */
export class DispatchAttempt implements DispatchHandler {
  #listener: Listener | undefined;
  #from: HttpAttempt | undefined;
  #controller: DispatchController | undefined;
  /** What the request was given up for before it was sent. Not the error: its stack trace may hold the call. */
  #unsent: { readonly name: string; readonly message: string } | undefined;
  #head: Head | undefined;
  #headers: DispatchHeaders | undefined;
  /** What came after the headers while the response was held. */
  #held: Event[] = [];
  #state: 'waiting' | 'held' | 'adopted' | 'dropped' = 'waiting';

  /** @param from - whose route is told when the request is written */
  constructor(listener: Listener, from: HttpAttempt) {
    this.#listener = listener;
    this.#from = from;
    from.route.announced = true;
  }

  /** The attempt of the pipeline; `undefined` once this one is over or was dropped. */
  get from(): HttpAttempt | undefined {
    return this.#from;
  }

  /** The response's status, once there is one. */
  get status(): number | undefined {
    return this.#head?.status;
  }

  /** The fields by name, and by `get` as a `Headers` has it, for those that read `Retry-After`. */
  get headers(): DispatchHeaders | undefined {
    if (this.#head === undefined) return undefined;
    this.#headers ??= asHeaders(this.#head.headers);
    return this.#headers;
  }

  /** The request's handler gets this attempt's response, or what is left of it. */
  adopt(what: 'response' | 'rest'): void {
    const { host } = this.#listener as Listener;
    const { status, headers, message } = this.#head as Head;
    this.#state = 'adopted';
    if (this.#controller !== undefined) host.relay.attach(this.#controller);
    try {
      if (what === 'response') {
        host.tell((handler, relay) => handler.onResponseStart?.(relay, status, headers, message));
      }
      for (const event of this.#held.splice(0)) this.#pass(event);
    } catch (error) {
      this.#controller?.abort(error as Error); // as undici does with a handler that throws
      return;
    }
    if (!host.relay.paused) this.#controller?.resume();
  }

  /** There is another attempt, or the request has failed: the connection is aborted. */
  drop(reason: Error): void {
    if (this.#state === 'adopted' || this.#state === 'dropped') return;
    this.cutOff(reason);
  }

  /** The body of the adopted response is given up: nothing more is passed on. */
  cutOff(reason: Error): void {
    this.#state = 'dropped';
    const controller = this.#controller;
    if (controller === undefined) {
      const { name = 'AbortError', message = safeText(reason) } = (reason ?? {}) as Partial<Error>;
      this.#unsent = { name, message };
      this.#listener?.unsent();
    }
    this.#letGo();
    noteAbort(reason);
    controller?.abort(reason);
  }

  #letGo(): void {
    this.#listener = undefined;
    this.#from = undefined;
    this.#controller = undefined;
    this.#held = [];
  }

  /** Fails this attempt, unless its headers have arrived. */
  giveUp(reason: Error): void {
    if (this.#state !== 'waiting') return;
    this.#listener?.reject(reason);
    this.drop(reason);
  }

  /** Passes an event on, keeps it, or drops it, by the state of this attempt. */
  #pass(event: Event): void {
    if (this.#listener === undefined) return;
    if (this.#state === 'adopted') event(this.#listener.host);
    else if (this.#state === 'held') this.#held.push(event);
  }

  /** Passes on what nothing follows, unless the handler throws: then undici tells of that. */
  #passLast(event: Event): void {
    this.#pass((host) => {
      event(host);
      this.#letGo();
    });
  }

  onRequestStart(controller: DispatchController, context: unknown): void {
    if (this.#unsent !== undefined) {
      controller.abort(Object.assign(new Error(this.#unsent.message), { name: this.#unsent.name }));
      return;
    }
    if (this.#controller !== undefined && this.#listener?.once === true) {
      // When a session of HTTP/2 dies, undici 7 sends what was under way on it to the next one.
      controller.abort(new ConnectionLostError(this.#listener.host.name, 'before the response'));
      return;
    }
    this.#controller = controller;
    if (this.#from !== undefined) this.#from.route.sent = true;
    this.#listener?.host.begun(context);
  }

  onResponseStart(
    controller: DispatchController,
    status: number,
    headers: DispatchHeaders,
    message?: string,
  ): void {
    if (this.#state !== 'waiting' || this.#listener === undefined) return;
    if (status < 200) {
      // An early hint, not the response.
      this.#listener.host.tell((handler, relay) =>
        handler.onResponseStart?.(relay, status, headers, message),
      );
      return;
    }
    this.#head = { status, headers, message };
    this.#state = 'held';
    controller.pause();
    this.#listener.resolve(this);
  }

  onResponseData(_: DispatchController, chunk: unknown): void {
    this.#pass((host) => host.data(chunk));
  }

  onResponseEnd(_: DispatchController, trailers: DispatchHeaders): void {
    this.#passLast((host) => host.ended(trailers));
  }

  onResponseError(controller: DispatchController, error: Error): void {
    if (this.#listener === undefined) return;
    const { host, reject } = this.#listener;
    const isOwn = host.relay.reason === error || controller?.reason === error;
    const failure = !isOwn && isAbortReason(error) ? new ConnectionLostError(host.name) : error;
    if (this.#state === 'waiting') {
      this.#state = 'dropped';
      this.#letGo();
      reject(failure);
    } else this.#passLast((each) => each.broken(failure));
  }

  onResponseStarted(): void {
    this.#listener?.host.tell((handler) => handler.onResponseStarted?.());
  }

  onBodySent(chunk: unknown): void {
    this.#listener?.host.tell((handler) => handler.onBodySent?.(chunk));
  }

  onRequestSent(): void {
    this.#listener?.host.tell((handler) => handler.onRequestSent?.());
  }
}

/** The value of a field that may have come several times. */
export function fieldOf(headers: DispatchHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

function asHeaders(headers: DispatchHeaders): DispatchHeaders {
  const copy: DispatchHeaders = Object.assign(Object.create(null), headers);
  return Object.defineProperties(copy, {
    get: { value: (name: string) => fieldOf(headers, name.toLowerCase()) ?? null },
    [Symbol.toStringTag]: { value: 'Headers' },
  });
}
