import type { DispatchController, DispatchHandler, DispatchHeaders } from './dispatch-types.ts';
import type { HttpAttempt } from './http-guard.ts';
import type { RelayController } from './relay.ts';

/** The exchange that an attempt is part of. */
export interface AttemptHost {
  readonly handler: DispatchHandler;
  readonly relay: RelayController;
  /** The first attempt has begun. */
  begun(context: unknown): void;
  /** A piece of the body of the adopted attempt. */
  data(chunk: unknown): void;
  ended(trailers: DispatchHeaders): void;
  /** The body of the adopted attempt has broken. */
  broken(error: Error): void;
}

interface Head {
  readonly status: number;
  readonly headers: DispatchHeaders;
  readonly message: string | undefined;
}

/**
 * One attempt of a request. It holds the response at its headers until it is known whether there is
 * another attempt; then it passes everything on to the request's handler, or is dropped.
 */
export class DispatchAttempt implements DispatchHandler {
  readonly #host: AttemptHost;
  /** The attempt of the pipeline. */
  readonly from: HttpAttempt;
  readonly #settle: {
    resolve: (attempt: DispatchAttempt) => void;
    reject: (error: unknown) => void;
  };
  #controller: DispatchController | undefined;
  #aborted: { readonly reason: Error } | undefined;
  #head: Head | undefined;
  #headers: DispatchHeaders | undefined;
  /** What came after the headers while the response was held. */
  #held: (() => void)[] = [];
  #state: 'waiting' | 'held' | 'adopted' | 'dropped' = 'waiting';

  /** @param from - whose route is told when the request is written */
  constructor(
    host: AttemptHost,
    from: HttpAttempt,
    resolve: (attempt: DispatchAttempt) => void,
    reject: (error: unknown) => void,
  ) {
    this.#host = host;
    this.from = from;
    from.route.announced = true;
    this.#settle = { resolve, reject };
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
    const { handler, relay } = this.#host;
    const { status, headers, message } = this.#head as Head;
    this.#state = 'adopted';
    if (this.#controller !== undefined) relay.attach(this.#controller);
    try {
      if (what === 'response') handler.onResponseStart?.(relay, status, headers, message);
      for (const event of this.#held.splice(0)) event();
    } catch (error) {
      this.#abort(error as Error); // as undici does with a handler that throws
      return;
    }
    if (!relay.paused) this.#controller?.resume();
  }

  /** There is another attempt, or the request has failed: the connection is aborted. */
  drop(reason: Error): void {
    if (this.#state === 'adopted' || this.#state === 'dropped') return;
    this.#state = 'dropped';
    this.#held = [];
    this.#abort(reason);
  }

  /** The body of the adopted response is given up: nothing more is passed on. */
  cutOff(reason: Error): void {
    this.#state = 'dropped';
    this.#abort(reason);
  }

  /** Fails this attempt, unless its headers have arrived. */
  giveUp(reason: Error): void {
    if (this.#state !== 'waiting') return;
    this.#settle.reject(reason);
    this.drop(reason);
  }

  #abort(reason: Error): void {
    this.#aborted = { reason };
    this.#controller?.abort(reason);
  }

  /** Passes an event on, keeps it, or drops it, by the state of this attempt. */
  #pass(event: () => void): void {
    if (this.#state === 'adopted') event();
    else if (this.#state === 'held') this.#held.push(event);
  }

  onRequestStart(controller: DispatchController, context: unknown): void {
    this.#controller = controller;
    this.from.route.sent = true;
    if (this.#aborted !== undefined) controller.abort(this.#aborted.reason);
    else this.#host.begun(context);
  }

  onResponseStart(
    controller: DispatchController,
    status: number,
    headers: DispatchHeaders,
    message?: string,
  ): void {
    if (this.#state !== 'waiting') return;
    if (status < 200) {
      const { handler, relay } = this.#host;
      handler.onResponseStart?.(relay, status, headers, message); // an early hint, not the response
      return;
    }
    this.#head = { status, headers, message };
    this.#state = 'held';
    controller.pause();
    this.#settle.resolve(this);
  }

  onResponseData(_: DispatchController, chunk: unknown): void {
    this.#pass(() => this.#host.data(chunk));
  }

  onResponseEnd(_: DispatchController, trailers: DispatchHeaders): void {
    this.#pass(() => this.#host.ended(trailers));
  }

  onResponseError(_: DispatchController, error: Error): void {
    if (this.#state === 'waiting') this.#settle.reject(error);
    else this.#pass(() => this.#host.broken(error));
  }

  onResponseStarted(): void {
    if (this.#state !== 'dropped') this.#host.handler.onResponseStarted?.();
  }

  onBodySent(chunk: unknown): void {
    if (this.#state !== 'dropped') this.#host.handler.onBodySent?.(chunk);
  }

  onRequestSent(): void {
    if (this.#state !== 'dropped') this.#host.handler.onRequestSent?.();
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
