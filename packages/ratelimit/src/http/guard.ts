import { isTemperError } from '@temper/core';
import { ask, isError, messageOf, notify, reportCallbackError, show } from '@temper/core/policy';
import type { RateLimitExceededError } from '../errors.ts';
import type { Decision, Lease } from '../limiter.ts';
import { ClientAddress } from './client-address.ts';
import {
  formatRateLimit,
  formatRateLimitPolicy,
  type QuotaPolicy,
  type ServiceLimit,
} from './fields.ts';
import {
  type HttpLimit,
  type HttpRateLimitOptions,
  type HttpRequest,
  type ResolvedHttpOptions,
  resolveHttpOptions,
} from './options.ts';
import { type Problem, type ProblemName, problemOf } from './problem.ts';

/** Header fields of a response, by their names. */
export type ResponseFields = Readonly<Record<string, string>>;

/** What to do with a request. */
export interface GuardAnswer {
  /** The response to send in place of the handler's; `undefined` when the request may pass. */
  readonly refusal: { readonly status: number; readonly problem: Problem } | undefined;
  /** Fields for the response, whatever it is. */
  readonly fields: ResponseFields;
  /**
   * To be called when the response is over: gives permits back. A second call does nothing.
   *
   * @param served - whether the whole response was sent; otherwise limits that learn learn nothing
   */
  readonly release: (served: boolean) => void;
}

/** The key of requests whose address is unknown, or whose key is empty. */
const UNKNOWN = 'unknown';

/** Asks the limits about a request; the middlewares of the frameworks are built on it. */
export class HttpGuard {
  readonly #owner: string;
  readonly #options: ResolvedHttpOptions;
  readonly #address: ClientAddress;

  /**
   * @param owner - who refuses bad options, in messages
   * @throws {TypeError | RangeError} when an option is unknown or out of range
   */
  constructor(owner: string, options: HttpRateLimitOptions) {
    this.#owner = owner;
    this.#options = resolveHttpOptions(owner, options);
    this.#address = new ClientAddress(owner, options);
  }

  /** Creates what the functions of a limit receive. */
  request(
    raw: unknown,
    method: string,
    url: string,
    remote: string | undefined,
    header: (name: string) => string | undefined,
  ): HttpRequest {
    return { raw, method, url, header, address: this.#address.of(remote, header) };
  }

  /**
   * @throws what `key`, `cost` or a limiter throws (as a rejection), with all permits given back. It is
   * always an `Error`: frameworks take `undefined` and some texts for a request that may pass.
   */
  async ask(request: HttpRequest): Promise<GuardAnswer> {
    const { skip, limits, onStoreUnavailable } = this.#options;
    const announced = new Announced();
    const leases: Lease[] = [];
    const release = (served: boolean): void => {
      for (const lease of leases.splice(0)) giveBack(lease, served);
    };
    const pass: GuardAnswer = { refusal: undefined, fields: {}, release };
    if (skip !== undefined && ask(this.#owner, 'skip', skip, request)) return pass;
    try {
      for (const limit of limits) {
        const key = await keyOf(this.#owner, limit, request);
        if (limit.key !== undefined && key === undefined) continue;
        const answer = await this.#take(limit, key, request);
        if (answer === 'unavailable') {
          if (onStoreUnavailable === 'allow') continue;
          release(false);
          return refuse('temporary-reduced-capacity', [], 1, announced.fields);
        }
        if (answer instanceof Error) {
          release(false);
          const seconds = secondsOf(answer.retryAfterMs);
          return refuse(problemFor(limit), [limit.name], seconds, announced.fields);
        }
        if (answer.lease !== undefined) leases.push(answer.lease);
        announced.add(limit.name, answer, this.#partitionOf(limit, key));
        if (answer.allowed) continue;
        release(false);
        const seconds = retryAfterSeconds(answer);
        return refuse(problemFor(limit), [limit.name], seconds, announced.fields);
      }
    } catch (error) {
      release(false);
      throw errorOf(this.#owner, error);
    }
    return { ...pass, fields: announced.fields };
  }

  /** A cost that can never pass, and a key that there is no room for, are refusals like any other here. */
  async #take(
    limit: HttpLimit,
    key: string | undefined,
    request: HttpRequest,
  ): Promise<Decision | RateLimitExceededError | 'unavailable'> {
    const cost = limit.cost === undefined ? undefined : await limit.cost(request);
    try {
      return await limit.limiter.take({ key, cost });
    } catch (error) {
      if (isTemperError(error, 'RATE_LIMIT_EXCEEDED')) return error as RateLimitExceededError;
      if (isTemperError(error, 'STORE_UNAVAILABLE')) return 'unavailable';
      throw error;
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

/** A lease that trains its limit must not report a success of a request that was not served. */
function giveBack(lease: Lease & { ignore?: unknown }, served: boolean): void {
  if (!served && typeof lease.ignore === 'function') lease.ignore();
  else lease.release();
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

/** The limits that a response announces. */
class Announced {
  readonly #policies: QuotaPolicy[] = [];
  readonly #limits: ServiceLimit[] = [];

  add(name: string, state: Decision, partitionKey: Uint8Array | undefined): void {
    this.#policies.push(policyOf(name, state, partitionKey));
    const { remaining } = state;
    this.#limits.push({ name, remaining, resetSeconds: resetSeconds(state), partitionKey });
  }

  get fields(): ResponseFields {
    if (this.#policies.length === 0) return {};
    return {
      'RateLimit-Policy': formatRateLimitPolicy(this.#policies),
      RateLimit: formatRateLimit(this.#limits),
    };
  }
}

function policyOf(
  name: string,
  { limit, windowMs }: Decision,
  partitionKey: Uint8Array | undefined,
): QuotaPolicy {
  if (windowMs === undefined) {
    return { name, quota: limit, unit: 'concurrent-requests', partitionKey };
  }
  // The window is announced in whole seconds; the quota is that of the announced window.
  const windowSeconds = Math.max(1, Math.round(windowMs / 1000));
  return { name, quota: (limit * windowSeconds * 1000) / windowMs, windowSeconds, partitionKey };
}

function resetSeconds({ resetMs }: Decision): number | undefined {
  return resetMs === undefined || resetMs === 0 ? undefined : Math.ceil(resetMs / 1000);
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

function refuse(
  name: ProblemName,
  violated: readonly string[],
  retryAfter: number | undefined,
  fields: ResponseFields,
): GuardAnswer {
  const problem = problemOf(name, violated, retryAfter);
  return {
    refusal: { status: problem.status, problem },
    fields: retryAfter === undefined ? fields : { ...fields, 'Retry-After': String(retryAfter) },
    release: () => undefined,
  };
}
