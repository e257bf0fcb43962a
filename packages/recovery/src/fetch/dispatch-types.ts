import type { HttpCallOptions } from './call-options.ts';

/**
 * The part of undici's dispatcher that an interceptor uses, by shape, so that this package works with
 * undici 7 and 8, and without either. Tests compile it against undici's own types.
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

/** Receives the events of one request. Everything is optional, as in undici. */
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

/** The options of a request that decide how it is guarded. */
export interface DispatchOptions {
  readonly origin?: string | URL | undefined;
  readonly method: string;
  readonly body?: unknown;
  readonly upgrade?: unknown;
  /** `true`: the request may be done twice, whatever its method; `false`: it may not. */
  readonly idempotent?: boolean;
  readonly path?: string;
  readonly headers?: unknown;
  readonly signal?: unknown;
  /** Options of the call, as `fetch` has them. */
  readonly call?: HttpCallOptions;
}

/** Sends one request. */
// biome-ignore lint/suspicious/noExplicitAny: undici's options have more than this package looks at
export type Dispatch = (options: any, handler: any) => boolean;
