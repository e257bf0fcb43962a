import { type CallOptions, DeadlineExceededError, OperationTimeoutError } from '@temper/core';
import { BodyTimers } from './body-timers.ts';
import { TruncatedBodyError } from './errors.ts';
import type { GuardedRequest, HttpAttempt, HttpGuard } from './http-guard.ts';
import type { ResolvedHttpOptions } from './options.ts';
import {
  bytesToSkip,
  headersForRest,
  isPlain,
  lengthOf,
  type Representation,
  type ResponseHead,
  representationOf,
} from './resume.ts';

/** The exchange that a body is part of. */
export interface ExchangeOfBody {
  readonly options: ResolvedHttpOptions;
  readonly guard: HttpGuard;
  readonly request: GuardedRequest;
  readonly call: CallOptions;
  /** When the request was made, on the monotonic scale of the clock. */
  readonly startedAt: number;
  /** Whether the body can be asked for again: a GET without a body and without a range of its own. */
  readonly resumable: boolean;
  /** Whether the response is as undici has made it, so that the length which it announces is that of its body. */
  readonly counted: boolean;
}

/** What one of the two faces does with the responses of the exchange. */
export interface BodyFace<R> {
  /** Whether the face decodes what a `Content-Encoding` says. */
  readonly decodes: boolean;
  headOf(response: R): ResponseHead;
  /** Sends the request again, with these headers besides its own. */
  send(attempt: HttpAttempt, headers: Readonly<Record<string, string>>): Promise<R>;
  discard(response: R): void;
  /** The next piece has not come in time: the response is given up, and {@link BodyGuard.recover} asked. */
  idle(error: Error): void;
  /** The exchange is over, though its body is not. */
  expired(error: Error): void;
}

/** A response whose body goes on with that of the one before. */
export interface Continuation<R> {
  readonly response: R;
  /** Bytes at its beginning that the reader has already. */
  readonly skip: number;
}

/**
 * Watches over the body of a response until its last byte: times it, tells the circuit of its origin when it
 * breaks, and asks for the rest.
 */
export class BodyGuard<R> {
  readonly timers: BodyTimers;
  /** Bytes that the reader has got. */
  #delivered = 0;
  /** Why the body was resumed, the last time: from then on its length is checked here. */
  #resumedAfter: { readonly failure: unknown } | undefined;
  readonly #exchange: ExchangeOfBody;
  readonly #face: BodyFace<R>;
  readonly #origin: string;
  readonly #first: Representation | undefined;
  /** The length that was announced for what the reader gets. */
  readonly #length: number | undefined;
  readonly #deadline: number;
  readonly #maxAttempts: number;
  #attempts: number;

  /**
   * @param response - the one that the caller has got
   * @param origin - where its body comes from
   * @param attempts - how many were made for it
   */
  constructor(
    exchange: ExchangeOfBody,
    face: BodyFace<R>,
    response: R,
    origin: string,
    attempts: number,
  ) {
    this.#exchange = exchange;
    this.#face = face;
    this.#origin = origin;
    this.#attempts = attempts;
    const { options, call, request, startedAt, resumable, counted } = exchange;
    const { clock, exchangeTimeoutMs, bodyIdleTimeoutMs, retry } = options;
    const head = face.headOf(response);
    const hasLength = counted && request.method !== 'HEAD' && head.status !== 304;
    if (hasLength && isPlain(head, face.decodes)) this.#length = lengthOf(head);
    const repeats = resumable && request.repeat === 'always' && retry !== false;
    this.#first = repeats ? representationOf(head, face.decodes) : undefined;
    this.#maxAttempts = retry === false ? 1 : (retry.maxAttempts ?? 1);
    const { timeoutMs = Number.POSITIVE_INFINITY } = call;
    this.#deadline = startedAt + Math.min(exchangeTimeoutMs, timeoutMs);
    this.timers = new BodyTimers(clock, bodyIdleTimeoutMs, this.#deadline, (why) => {
      const { limits } = exchange.guard.counts;
      if (why === 'idle') {
        limits.body_idle_timeout++;
        face.idle(new OperationTimeoutError(`${options.name} body`, bodyIdleTimeoutMs));
      } else {
        limits.exchange_timeout++;
        face.expired(this.#expiry());
      }
    });
  }

  #expiry(): Error {
    const { call, options } = this.#exchange;
    const { timeoutMs = Number.POSITIVE_INFINITY, operation } = call;
    return timeoutMs <= options.exchangeTimeoutMs
      ? new DeadlineExceededError(operation, timeoutMs)
      : new OperationTimeoutError(`${options.name} exchange`, options.exchangeTimeoutMs);
  }

  /**
   * The reader gets so many bytes.
   *
   * @throws what the body broke with before, when the rest of it is longer than was announced
   */
  deliver(bytes: number): void {
    this.#delivered += bytes;
    this.#checkLength((length) => this.#delivered <= length);
  }

  /**
   * What the body has broken with that is at its end and shorter than announced: of a stream of HTTP/2 that is reset
   * with `NO_ERROR` or `CANCEL`, undici 7 says no more. After a resumption {@link end} checks the length.
   */
  missing(): Error | undefined {
    const length = this.#length;
    if (this.#resumedAfter !== undefined || length === undefined) return undefined;
    if (this.#delivered >= length) return undefined;
    return new TruncatedBodyError(this.#exchange.options.name, this.#delivered, length);
  }

  /** The body is at its end. @throws what it broke with before, when the rest of it is shorter than announced */
  end(): void {
    this.#checkLength((length) => this.#delivered === length);
  }

  #checkLength(fits: (length: number) => boolean): void {
    const { plain, length } = this.#first ?? {};
    // What a decoded body has been sent as is not known.
    if (this.#resumedAfter === undefined || !plain || length === undefined || fits(length)) return;
    const { failure } = this.#resumedAfter;
    this.timers.stop();
    const { guard, request } = this.#exchange;
    guard.bodyFailed({ ...request, origin: this.#origin }, failure);
    throw failure;
  }

  /**
   * The body has broken, and nobody has asked for that.
   *
   * @returns a response that goes on with it
   * @throws `failure`, when there is none
   */
  async recover(failure: unknown, signal: AbortSignal): Promise<Continuation<R>> {
    const { resumptions } = this.#exchange.guard.counts;
    try {
      const rest = await this.#resume(failure, signal);
      this.#resumedAfter = { failure };
      resumptions.success++;
      return rest;
    } catch (error) {
      if (!signal.aborted) resumptions.failure++;
      throw error;
    }
  }

  async #resume(failure: unknown, signal: AbortSignal): Promise<Continuation<R>> {
    const { guard, request, call, options } = this.#exchange;
    guard.bodyFailed({ ...request, origin: this.#origin }, failure);
    const first = this.#first;
    const headers = first && headersForRest(first, this.#delivered);
    if (first === undefined || headers === undefined || this.#attempts >= this.#maxAttempts) {
      throw failure;
    }
    const { clock } = options;
    const leftMs = Math.max(0, this.#deadline - clock.monotonic());
    const { parent: _, ...labels } = call; // which is over when it has got the response
    let response: R;
    try {
      response = await guard.execute(
        { ...request, safe: false },
        (attempt) => {
          this.#attempts++;
          return this.#face.send(attempt, headers);
        },
        { ...labels, signal, timeoutMs: leftMs === Number.POSITIVE_INFINITY ? undefined : leftMs },
        () => this.#attempts < this.#maxAttempts,
        { error: failure },
      );
    } catch {
      throw failure;
    }
    const skip = bytesToSkip(first, this.#delivered, this.#face.headOf(response));
    if (skip === undefined) {
      this.#face.discard(response);
      throw failure;
    }
    return { response, skip };
  }
}
