import type { CallOptions } from '@temper/core';
import { resending } from '../telemetry.ts';
import { noteUnreadable } from './attempts.ts';
import { type BodyFace, BodyGuard } from './body-guard.ts';
import { ConnectionLostError } from './errors.ts';
import { isAbortReason, noteAbort } from './foreign-aborts.ts';
import { hasWebBody, isFetched, ResponseReader, withBody } from './guarded-response.ts';
import type { GuardedRequest, HttpAttempt, HttpGuard } from './http-guard.ts';
import type { ResolvedHttpOptions } from './options.ts';
import { RequestBody } from './request-body.ts';
import { discard, ResponsesOfRequest } from './responses.ts';
import type { ResponseHead } from './resume.ts';
import { arrived, undiciSends } from './route.ts';
import { isRequest, isResumable, type Target } from './target.ts';

type Fetch = typeof globalThis.fetch;
type Input = Parameters<Fetch>[0];
type Init = NonNullable<Parameters<Fetch>[1]>;

/** What a request of `fetch` is made of. */
export interface FetchRequest {
  readonly options: ResolvedHttpOptions;
  readonly guard: HttpGuard;
  readonly send: Fetch;
  readonly input: Input;
  readonly init: Init;
  readonly target: Target;
  readonly request: GuardedRequest;
  readonly call: CallOptions;
}

/** One request of `fetch`, from its first attempt to the last byte of its response. */
export class FetchExchange {
  readonly #given: FetchRequest;
  readonly #callers: readonly AbortSignal[];
  readonly #body: RequestBody | undefined;
  readonly #startedAt: number;

  constructor(given: FetchRequest) {
    this.#given = given;
    const { target, call, request, options, input, init } = given;
    this.#callers = [target.signal, call.parent?.signal].filter((one) => one !== undefined);
    this.#startedAt = options.clock.monotonic();
    if (target.hasBody) {
      const once = request.repeat === 'never';
      this.#body = new RequestBody(
        input,
        init.body,
        once ? undefined : options.maxReplayBytes,
        given.guard.counts.limits,
      );
    }
  }

  async run(): Promise<Response> {
    const { guard, request, call } = this.#given;
    const responses = new ResponsesOfRequest();
    const attempt = (each: HttpAttempt): Promise<Response> => this.#attempt(each, responses);
    const repeatable = (): boolean => this.#body?.repeatable ?? true;
    let returned: Response | undefined;
    try {
      returned = await guard.execute(request, attempt, call, repeatable);
      const from = responses.attemptOf(returned);
      return from !== undefined && hasWebBody(returned) ? this.#guarded(returned, from) : returned;
    } finally {
      if (returned === undefined) this.#body?.release();
      responses.end(returned);
    }
  }

  async #attempt(
    { call: context, route, origin }: HttpAttempt,
    responses: ResponsesOfRequest,
    fields?: Readonly<Record<string, string>>,
  ): Promise<Response> {
    const { target, input, init, send } = this.#given;
    // The attempt's own signal is released when its headers have arrived; those of the callers
    // must abort the body for as long as it streams.
    const signal =
      this.#callers.length === 0
        ? context.signal
        : AbortSignal.any([...this.#callers, context.signal]);
    const to = origin === target.url.origin ? input : elsewhere(input, target.url, origin);
    let response: Response;
    try {
      const own: Init = { ...init, ...(await this.#body?.next(signal)), signal };
      if (fields !== undefined) own.headers = added(target.headers, fields);
      response = await resending(context.attempt - 1, () => send(to, own));
    } catch (error) {
      if (this.#body?.failed) noteUnreadable(error);
      if (signal.aborted) noteAbort(signal.reason);
      else if (isAbortReason(error)) throw new ConnectionLostError(this.#given.options.name);
      throw error;
    }
    arrived(route, response);
    responses.add(response, { call: context, route, origin });
    return response;
  }

  /** The same response, whose body is watched. */
  #guarded(response: Response, { origin, route, call: { attempt } }: HttpAttempt): Response {
    const { options, guard, request, call, target } = this.#given;
    const reader = new ResponseReader(response, this.#callers);
    const face: BodyFace<Response> = {
      ...reader.events,
      decodes: true,
      headOf,
      send: (each, fields) => this.#attempt(each, new ResponsesOfRequest(), fields),
      discard,
    };
    const exchange = {
      options,
      guard,
      request: { ...request, origin },
      call,
      startedAt: this.#startedAt,
      resumable: isResumable(target.method, target.hasBody, target.headers),
      counted: undiciSends() && isFetched(response),
    };
    reader.watch(new BodyGuard(exchange, face, response, route.last ?? origin, attempt));
    return withBody(response, reader.open());
  }
}

function headOf({ status, headers, url }: Response): ResponseHead {
  const header = (name: string): string | undefined => headers.get(name) ?? undefined;
  return { status, resource: resourceOf(url), header };
}

/** A response that was made by hand has no address. */
function resourceOf(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  const { pathname, search } = new URL(url);
  return pathname + search;
}

function added(given: unknown, fields: Readonly<Record<string, string>>): Headers {
  const headers = new Headers(given as Init['headers']);
  for (const [name, value] of Object.entries(fields)) headers.set(name, value);
  return headers;
}

/** The same request to another origin. */
function elsewhere(input: Input, url: URL, origin: string): Input {
  const target = new URL(`${url.pathname}${url.search}`, origin);
  return isRequest(input) ? new Request(target, input) : target;
}
