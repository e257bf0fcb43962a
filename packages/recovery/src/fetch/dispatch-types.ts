/**
 * The part of undici's dispatcher that an interceptor meets, by shape: this package works with
 * undici 7 and 8, whichever is installed, and without either. A type test holds it to undici's own.
 */
export interface DispatchController {
  readonly aborted: boolean;
  readonly paused: boolean;
  readonly reason: Error | null;
  abort(reason: Error): void;
  pause(): void;
  resume(): void;
}

/** Names and values, in lower case. */
export type DispatchHeaders = Record<string, string | string[] | undefined>;

/** What is told about one request. Everything is optional, as in undici. */
export interface DispatchHandler {
  // biome-ignore lint/suspicious/noExplicitAny: undici's own type of a request's context
  onRequestStart?(controller: DispatchController, context: any): void;
  onRequestUpgrade?(
    controller: DispatchController,
    statusCode: number,
    headers: DispatchHeaders,
    // biome-ignore lint/suspicious/noExplicitAny: a Duplex, which is only passed on
    socket: any,
  ): void;
  onResponseStart?(
    controller: DispatchController,
    statusCode: number,
    headers: DispatchHeaders,
    statusMessage?: string,
  ): void;
  // biome-ignore lint/suspicious/noExplicitAny: a Buffer, which is only passed on
  onResponseData?(controller: DispatchController, chunk: any): void;
  onResponseEnd?(controller: DispatchController, trailers: DispatchHeaders): void;
  onResponseError?(controller: DispatchController, error: Error): void;
  onResponseStarted?(): void;
  // biome-ignore lint/suspicious/noExplicitAny: a Buffer, which is only passed on
  onBodySent?(chunk: any): void;
  onRequestSent?(): void;
}

/** What of a request's options decides what may be done with it. */
export interface DispatchOptions {
  readonly origin?: string | URL | undefined;
  readonly method: string;
  readonly body?: unknown;
  readonly upgrade?: unknown;
  readonly idempotent?: boolean;
}

/** Sends one request. */
// biome-ignore lint/suspicious/noExplicitAny: undici's options have more than this package looks at
export type Dispatch = (options: any, handler: any) => boolean;
