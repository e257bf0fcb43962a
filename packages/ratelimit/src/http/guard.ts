import { isTemperError } from '@temper/core';
import type { RateLimitExceededError } from '../errors.ts';
import type { Lease, Verdict } from '../limiter.ts';
import { ClientAddress } from './client-address.ts';
import {
  formatRateLimit,
  formatRateLimitPolicy,
  type QuotaPolicy,
  type ServiceLimit,
} from './fields.ts';
import {
  checkHttpOptions,
  type HttpLimit,
  type HttpRateLimitOptions,
  type HttpRequest,
} from './options.ts';
import { type Problem, type ProblemName, problemOf } from './problem.ts';

/** Header fields of a response, by their names. */
export type ResponseFields = Readonly<Record<string, string>>;

/** What to do with a request. */
export interface GuardAnswer {
  /** The response to give in place of the handler's; undefined when the request may pass. */
  readonly refusal: { readonly status: number; readonly problem: Problem } | undefined;
  /** Fields for the response, whatever it is. */
  readonly fields: ResponseFields;
  /** To be called once, when the response is over: gives permits back. */
  readonly release: () => void;
}

const NOTHING: GuardAnswer = { refusal: undefined, fields: {}, release: () => undefined };

/** Asks the limits about a request; what the frameworks' middlewares are made of. */
export class HttpGuard {
  readonly #options: HttpRateLimitOptions;
  readonly #address: ClientAddress;

  /** @throws {TypeError | RangeError} when an option is unknown or out of range */
  constructor(owner: string, options: HttpRateLimitOptions) {
    checkHttpOptions(owner, options);
    this.#options = options;
    this.#address = new ClientAddress(owner, options);
  }

  /** Makes what a limit may look at. */
  request(
    raw: unknown,
    method: string,
    url: string,
    remote: string | undefined,
    header: (name: string) => string | undefined,
  ): HttpRequest {
    return { raw, method, url, header, address: this.#address.of(remote, header) };
  }

  /** @throws what a user's `key`, `cost`, `skip` or limiter throws, permits taken so far given back */
  async ask(request: HttpRequest): Promise<GuardAnswer> {
    if (this.#options.skip?.(request) === true) return NOTHING;
    const policies: QuotaPolicy[] = [];
    const limits: ServiceLimit[] = [];
    const leases: Lease[] = [];
    const release = (): void => {
      for (const lease of leases.splice(0)) lease.release();
    };
    try {
      for (const limit of this.#options.limits) {
        const asked = await this.#askOne(limit, request);
        if (asked === undefined) continue;
        const { verdict, key } = asked;
        if (verdict instanceof Error) {
          release();
          const seconds = secondsOf(verdict.retryAfterMs);
          return refuse(problemFor(limit), [limit.name], seconds, fieldsOf(policies, limits));
        }
        const partitionKey = partitionOf(limit, key);
        policies.push(policyOf(limit.name, verdict, partitionKey));
        limits.push(limitOf(limit.name, verdict, partitionKey));
        if (verdict.allowed) {
          if (verdict.lease !== undefined) leases.push(verdict.lease);
          continue;
        }
        release();
        const seconds = retryAfterOf(verdict);
        return refuse(problemFor(limit), [limit.name], seconds, fieldsOf(policies, limits));
      }
    } catch (error) {
      release();
      if (!isTemperError(error, 'STORE_UNAVAILABLE')) throw error;
      if (this.#options.onStoreUnavailable === 'allow') return NOTHING;
      return refuse('temporary-reduced-capacity', [], 1, {});
    }
    return { refusal: undefined, fields: fieldsOf(policies, limits), release };
  }

  async #askOne(
    limit: HttpLimit,
    request: HttpRequest,
  ): Promise<
    | { readonly verdict: Verdict | RateLimitExceededError; readonly key: string | undefined }
    | undefined
  > {
    const cost = limit.cost?.(request);
    if (limit.keyed === undefined) {
      return { verdict: await answer(() => limit.limiter!.check(cost)), key: undefined };
    }
    const key = limit.key === undefined ? (request.address ?? 'unknown') : await limit.key(request);
    if (key === undefined) return undefined;
    const { keyed } = limit;
    return { verdict: await answer(() => keyed.check(key, cost)), key };
  }
}

/** A cost that can never fit, or a key that there is no room for, is a refusal like any other here. */
async function answer(
  ask: () => Verdict | Promise<Verdict>,
): Promise<Verdict | RateLimitExceededError> {
  try {
    return await ask();
  } catch (error) {
    if (isTemperError(error, 'RATE_LIMIT_EXCEEDED')) return error as RateLimitExceededError;
    throw error;
  }
}

function policyOf(
  name: string,
  { limit, windowMs }: Verdict,
  partitionKey: Uint8Array | undefined,
): QuotaPolicy {
  if (windowMs === undefined)
    return { name, quota: limit, unit: 'concurrent-requests', partitionKey };
  // The window is told in whole seconds; the quota is that of the window told.
  const windowSeconds = Math.max(1, Math.round(windowMs / 1000));
  return { name, quota: (limit * windowSeconds * 1000) / windowMs, windowSeconds, partitionKey };
}

function limitOf(
  name: string,
  verdict: Verdict,
  partitionKey: Uint8Array | undefined,
): ServiceLimit {
  return { name, remaining: verdict.remaining, resetSeconds: resetOf(verdict), partitionKey };
}

function resetOf({ resetMs }: Verdict): number | undefined {
  return resetMs === undefined || resetMs === 0 ? undefined : Math.ceil(resetMs / 1000);
}

/** Never earlier than the reset, as the draft asks; and never nothing, as clients would come at once. */
function retryAfterOf(verdict: Verdict): number {
  return Math.max(1, secondsOf(verdict.retryAfterMs) ?? 1, resetOf(verdict) ?? 0);
}

/** Undefined when there is no use in coming back, or nobody can tell when. */
function secondsOf(ms: number | undefined): number | undefined {
  return ms === undefined || ms === Number.POSITIVE_INFINITY ? undefined : Math.ceil(ms / 1000);
}

function partitionOf(limit: HttpLimit, key: string | undefined): Uint8Array | undefined {
  if (limit.partitionKey === undefined || key === undefined) return undefined;
  const told = limit.partitionKey(key);
  return typeof told === 'string' ? Buffer.from(told) : told;
}

const problemFor = (limit: HttpLimit): ProblemName =>
  limit.problem ?? (limit.keyed === undefined ? 'temporary-reduced-capacity' : 'quota-exceeded');

function fieldsOf(
  policies: readonly QuotaPolicy[],
  limits: readonly ServiceLimit[],
): ResponseFields {
  if (policies.length === 0) return {};
  return {
    'RateLimit-Policy': formatRateLimitPolicy(policies),
    RateLimit: formatRateLimit(limits),
  };
}

function refuse(
  name: ProblemName,
  violated: readonly string[],
  retryAfterSeconds: number | undefined,
  fields: ResponseFields,
): GuardAnswer {
  const problem = problemOf(name, violated, retryAfterSeconds);
  return {
    refusal: { status: problem.status, problem },
    fields:
      retryAfterSeconds === undefined
        ? fields
        : { ...fields, 'Retry-After': String(retryAfterSeconds) },
    release: () => undefined,
  };
}
