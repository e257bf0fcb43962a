import { systemClock } from '@temper/core';
import { isError, messageOf, notify, reportCallbackError, show } from '@temper/core/policy';
import type { Decision } from '../limiter.ts';
import { Announcement, type ResponseFields, resetSeconds } from './announcement.ts';
import { BlockedKeys } from './blocked-keys.ts';
import { ClientAddress } from './client-address.ts';
import { customResponse, type RefusalResponse } from './custom-response.ts';
import {
  checkLimiter,
  type HttpAnswer,
  type HttpLimit,
  type HttpLimiter,
  type HttpRateLimitOptions,
  type HttpRequest,
  type ResolvedHttpOptions,
  resolveHttpOptions,
} from './options.ts';
import { type ProblemName, problemOf } from './problem.ts';
import { markRefused } from './refused-requests.ts';
import { type AskedLimit, type LimitAnswer, stepsOf } from './take-together.ts';
import { Taken } from './taken.ts';

/** What to do with a request. */
export interface GuardAnswer {
  /** The response to send in place of the handler's; `undefined` when the request may pass. */
  readonly refusal: RefusalResponse | undefined;
  /** Fields for the response, whatever it is. */
  readonly fields: ResponseFields;
  /**
   * To be called when the response is over: gives permits back, and units that were not used. A second
   * call does nothing.
   */
  readonly release: (answer: HttpAnswer) => void;
}

/** What an adapter knows about a request. */
export interface RawRequest {
  /** As {@link HttpRequest.raw}. */
  readonly raw: unknown;
  readonly method: string;
  /** Path and query, as the client sent them. */
  readonly url: string;
  /** Address of the other end of the connection; `undefined` when unknown. */
  readonly remote: string | undefined;
  /** The client's address by the framework's own settings, where it has any. */
  readonly framework?: string | undefined;
  /** Reads a header, by its lower-case name. */
  readonly header: (name: string) => string | undefined;
}

/** The key of requests whose address is unknown, or whose key is empty. */
const UNKNOWN = 'unknown';

/** Asks the limits about a request; the middlewares of the frameworks are built on it. */
export class HttpGuard {
  readonly #owner: string;
  readonly #options: ResolvedHttpOptions;
  readonly #address: ClientAddress;
  readonly #blocked = new BlockedKeys();
  readonly #checked = new WeakSet<HttpLimiter>();

  /**
   * @param owner - who refuses bad options, in messages
   * @throws {TypeError | RangeError} when an option is unknown or out of range
   */
  constructor(owner: string, options: HttpRateLimitOptions) {
    this.#owner = owner;
    this.#options = resolveHttpOptions(owner, options);
    this.#address = new ClientAddress(owner, options);
  }

  /**
   * Decides about a request.
   *
   * @throws what `key`, `cost`, a choice of a limiter, or a limiter throws (as a rejection), with
   * everything given back. It is always an `Error`: frameworks take `undefined` and some texts for a
   * request that may pass.
   */
  async ask(raw: RawRequest): Promise<GuardAnswer> {
    const request = new SeenRequest(raw, this.#address);
    const taken = new Taken(this.#owner, request);
    const announcement = new Announcement();
    try {
      if (await this.#skips(request)) {
        return { refusal: undefined, fields: {}, release: () => undefined };
      }
      const asked = await this.#asked(request);
      const refused = await this.#pass(asked, taken, announcement);
      if (refused !== undefined) {
        taken.undo();
        markRefused(raw.raw);
        return await this.#refuse(refused, request, announcement);
      }
    } catch (error) {
      taken.undo();
      throw errorOf(this.#owner, error);
    }
    this.#attach(raw.raw, announcement);
    const release = (answer: HttpAnswer): void => taken.close(answer);
    return { refusal: undefined, fields: this.#fieldsOf(announcement), release };
  }

  async #skips(request: HttpRequest): Promise<boolean> {
    const { skip } = this.#options;
    if (skip === undefined) return false;
    try {
      return Boolean(await skip(request));
    } catch (error) {
      reportCallbackError(this.#owner, 'skip', error);
      return false;
    }
  }

  /** The limits that apply to a request, and what it asks of each. */
  async #asked(request: HttpRequest): Promise<readonly AskedLimit[]> {
    const asked: AskedLimit[] = [];
    for (const limit of this.#options.limits) {
      const key = await keyOf(this.#owner, limit, request);
      if (limit.key !== undefined && key === undefined) continue;
      const limiter = await this.#limiterOf(limit, request);
      const cost = limit.cost === undefined ? undefined : await limit.cost(request);
      asked.push({ limit, limiter, key, cost });
    }
    return asked;
  }

  /** @returns why the request is refused; `undefined` when it passes */
  async #pass(
    asked: readonly AskedLimit[],
    taken: Taken,
    announcement: Announcement,
  ): Promise<Refused | undefined> {
    const answers = new Map<AskedLimit, LimitAnswer>();
    let refused: Refused | undefined;
    for (const step of stepsOf(asked)) {
      for (const [each, answer] of await step()) {
        answers.set(each, answer);
        const { lease } = answer as Partial<Decision>;
        if (lease !== undefined) taken.add(each.limit, lease);
        const found = await this.#judge(each, answer);
        refused ??= found;
      }
      if (refused !== undefined) break;
    }
    // In the order of the limits, whatever the order in which they were asked.
    for (const each of asked) {
      const answer = answers.get(each);
      if (answer === undefined || answer === 'unavailable' || answer instanceof Error) continue;
      const { limit, key } = each;
      announcement.add(limit.name, key, answer, this.#partitionOf(limit, key));
    }
    return refused;
  }

  /** @returns why a limit refuses the request; `undefined` when it lets it pass */
  async #judge(
    { limit, limiter, key }: AskedLimit,
    answer: LimitAnswer,
  ): Promise<Refused | undefined> {
    if (answer === 'unavailable') {
      if (this.#options.onStoreUnavailable === 'allow') return undefined;
      return { limit, problem: 'temporary-reduced-capacity', violated: false, seconds: 1 };
    }
    const problem = problemFor(limit);
    if (answer instanceof Error) {
      return { limit, problem, violated: true, seconds: secondsOf(answer.retryAfterMs) };
    }
    if (answer.allowed) {
      this.#blocked.remove(limit.name, key);
      return undefined;
    }
    const blockMs = await this.#block(limit, limiter, key);
    const seconds = Math.max(retryAfterSeconds(answer), Math.ceil(blockMs / 1000));
    return { limit, problem, violated: true, seconds };
  }

  async #limiterOf(limit: HttpLimit, request: HttpRequest): Promise<HttpLimiter> {
    if (typeof limit.limiter !== 'function') return limit.limiter;
    const limiter = await limit.limiter(request);
    if (!this.#checked.has(limiter)) {
      checkLimiter(this.#owner, limit, limiter);
      this.#checked.add(limiter);
    }
    return limiter;
  }

  /** @returns for how long the key is blocked from now on; 0 when nothing was changed */
  async #block(
    { name, blockDurationMs = 0 }: HttpLimit,
    limiter: HttpLimiter,
    key: string | undefined,
  ): Promise<number> {
    if (blockDurationMs === 0 || !this.#blocked.add(name, key)) return 0;
    try {
      await limiter.block?.(blockDurationMs, key === undefined ? undefined : { key });
      return blockDurationMs;
    } catch (error) {
      this.#blocked.remove(name, key);
      reportCallbackError(this.#owner, `blocking a key of '${name}'`, error);
      return 0;
    }
  }

  async #refuse(
    { limit, problem: name, violated, seconds }: Refused,
    request: HttpRequest,
    announcement: Announcement,
  ): Promise<GuardAnswer> {
    const problem = problemOf(name, violated ? [limit.name] : [], seconds);
    const { status } = problem;
    const refusal = { status, problem, limit: limit.name, retryAfterSeconds: seconds };
    const fields = this.#fieldsOf(announcement);
    return {
      refusal: await customResponse(this.#owner, this.#options.respond, refusal, request),
      fields: seconds === undefined ? fields : { ...fields, 'Retry-After': String(seconds) },
      release: () => undefined,
    };
  }

  #fieldsOf(announcement: Announcement): ResponseFields {
    const { fields, legacyFields } = this.#options;
    return announcement.fields(fields, legacyFields, systemClock.now());
  }

  #attach(raw: unknown, announcement: Announcement): void {
    const { requestProperty } = this.#options;
    if (requestProperty === undefined) return;
    const state = announcement.tightest(systemClock.now());
    try {
      if (state !== undefined) (raw as Record<string, unknown>)[requestProperty] = state;
    } catch (error) {
      reportCallbackError(this.#owner, 'requestProperty', error);
    }
  }

  #partitionOf({ partitionKey }: HttpLimit, key: string | undefined): Uint8Array | undefined {
    if (partitionKey === undefined || key === undefined) return undefined;
    const owner = this.#owner;
    let partition: unknown;
    notify(owner, 'partitionKey', () => {
      partition = partitionKey(key);
      return partition;
    });
    if (typeof partition === 'string') return new TextEncoder().encode(partition);
    if (partition instanceof Uint8Array) return partition;
    if (partition !== undefined) {
      const error = new TypeError('It must return a string or bytes.');
      reportCallbackError(owner, 'partitionKey', error);
    }
    return undefined;
  }
}

/** What the user's functions receive. The address is looked for when it is asked for. */
class SeenRequest implements HttpRequest {
  readonly raw: unknown;
  readonly method: string;
  readonly url: string;
  readonly header: RawRequest['header'];
  #address: string | undefined;
  #find: (() => string | undefined) | undefined;

  constructor(asked: RawRequest, address: ClientAddress) {
    this.raw = asked.raw;
    this.method = asked.method;
    this.url = asked.url;
    this.header = asked.header;
    this.#address = undefined;
    this.#find = () => address.of(asked);
  }

  get address(): string | undefined {
    if (this.#find !== undefined) this.#address = this.#find();
    this.#find = undefined;
    return this.#address;
  }
}

/** Why a request is refused. */
interface Refused {
  readonly limit: HttpLimit;
  readonly problem: ProblemName;
  /** Whether the limit is exceeded; otherwise it could not be asked. */
  readonly violated: boolean;
  /** When to try again; `undefined` for never, or when it is unknown. */
  readonly seconds: number | undefined;
}

/** An error as it is; anything else that was thrown as the cause of an error. */
function errorOf(owner: string, thrown: unknown): Error {
  if (isError(thrown)) return thrown;
  return new Error(
    `${owner}: a key or cost function or a limiter threw a value that is not an Error: ${messageOf(thrown)}`,
    { cause: thrown },
  );
}

/** @returns `undefined` for a limit of all requests, and for a request that is not limited */
async function keyOf(
  owner: string,
  { name, key }: HttpLimit,
  request: HttpRequest,
): Promise<string | undefined> {
  if (key === undefined) return undefined;
  if (key === 'address') return request.address ?? UNKNOWN;
  const own: unknown = await key(request);
  if (own !== undefined && typeof own !== 'string') {
    // Also before a limiter of the user's own, which may take all of them for one key.
    throw new TypeError(
      `${owner}: limit '${name}': key must be a string or undefined, got ${show(own)}.`,
    );
  }
  // A client can send an empty header; that must neither pass unlimited nor fail the request.
  return own === '' ? UNKNOWN : own;
}

/** Never earlier than the reset, as the draft asks, and at least 1, as clients would retry at once. */
function retryAfterSeconds(state: Decision): number {
  return Math.max(1, secondsOf(state.retryAfterMs) ?? 1, resetSeconds(state) ?? 0);
}

/** `undefined` when a retry can never pass, and when it is unknown when it can. */
function secondsOf(ms: number | undefined): number | undefined {
  return ms === undefined || ms === Number.POSITIVE_INFINITY ? undefined : Math.ceil(ms / 1000);
}

function problemFor({ problem, key }: HttpLimit): ProblemName {
  return problem ?? (key === undefined ? 'temporary-reduced-capacity' : 'quota-exceeded');
}
