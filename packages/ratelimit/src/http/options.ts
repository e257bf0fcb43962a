import { checkKnown, checkName, checkOneOf, checkType, show } from '@temper/core';
import type { KeyedLimiter } from '../keyed-options.ts';
import type { Verdict } from '../limiter.ts';
import type { ClientAddressOptions } from './client-address.ts';
import { PROBLEM_NAMES, type ProblemName } from './problem.ts';

/** What a limit may look at. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query, as the client sent them. */
  readonly url: string;
  /** Where the request came from, as {@link ClientAddressOptions} say; undefined when nobody knows. */
  readonly address: string | undefined;
  /** A header, by its lower-case name. */
  header(name: string): string | undefined;
  /** The framework's own request: `IncomingMessage`, Fastify's request, Hono's context. */
  readonly raw: unknown;
}

/** Whatever can say yes or no: every limiter of this package, of one key or of many, shared or not. */
export interface Asked {
  check(cost?: number): Verdict | Promise<Verdict>;
}

/** The same for limiters that are asked about a key. */
export interface AskedByKey {
  check(key: string, cost?: number): Verdict | Promise<Verdict>;
}

/** One limit that requests have to pass. */
export interface HttpLimit {
  /**
   * Name of the policy in the fields and in the problem detail. Printable ASCII.
   *
   * @throws {TypeError} at construction, when it is empty or something else
   */
  readonly name: string;
  /** A limiter for all clients together, ... */
  readonly limiter?: Asked;
  /** ... or one for each. One of the two has to be there. */
  readonly keyed?: AskedByKey | KeyedLimiter;
  /**
   * Reads the key. A request without one (`undefined`) is not limited by this limit.
   *
   * @defaultValue the client's address; requests without one share the key `unknown`
   */
  readonly key?: (request: HttpRequest) => string | undefined | Promise<string | undefined>;
  /** Units that a request takes. @defaultValue 1 */
  readonly cost?: (request: HttpRequest) => number;
  /**
   * What to tell of the partition key (`pk`), so that a client can keep several apart. Must not
   * contain what is not the client's to know.
   *
   * @defaultValue nothing
   */
  readonly partitionKey?: (key: string) => Uint8Array | string;
  /**
   * What kind of problem a refusal is.
   *
   * @defaultValue `quota-exceeded` (429) for a limit by key, `temporary-reduced-capacity` (503) for one of all
   */
  readonly problem?: ProblemName;
}

/** Options of the middlewares. */
export interface HttpRateLimitOptions extends ClientAddressOptions {
  /** The limits, in the order in which they are asked. The first refusal is the answer. */
  readonly limits: readonly HttpLimit[];
  /** Requests that are not limited at all. @defaultValue none */
  readonly skip?: (request: HttpRequest) => boolean;
  /**
   * What a request gets when a shared store is unavailable and its limiter says so: through, or a 503.
   *
   * @defaultValue 'refuse'
   */
  readonly onStoreUnavailable?: 'allow' | 'refuse';
}

const KNOWN = [
  'limits',
  'skip',
  'onStoreUnavailable',
  'trustedProxies',
  'forwardedHeader',
  'ipv6Prefix',
];
const LIMIT_KNOWN = ['name', 'limiter', 'keyed', 'key', 'cost', 'partitionKey', 'problem'];

/** Holds the options to what is possible. */
export function checkHttpOptions(owner: string, options: HttpRateLimitOptions): void {
  checkKnown(owner, options, KNOWN);
  if (!Array.isArray(options.limits) || options.limits.length === 0) {
    throw new TypeError(
      `${owner}: limits must be a list of at least one limit, got ${show(options.limits)}.`,
    );
  }
  if (options.skip !== undefined) checkType(owner, 'skip', options.skip, 'function');
  if (options.onStoreUnavailable !== undefined) {
    checkOneOf(owner, 'onStoreUnavailable', options.onStoreUnavailable, ['allow', 'refuse']);
  }
  const names = new Set<string>();
  for (const limit of options.limits) {
    checkLimit(owner, limit);
    if (names.has(limit.name)) {
      throw new TypeError(
        `${owner}: limits must have names of their own, got ${show(limit.name)} twice.`,
      );
    }
    names.add(limit.name);
  }
}

function checkLimit(owner: string, limit: HttpLimit): void {
  checkKnown(`${owner}: limits`, limit, LIMIT_KNOWN);
  checkName(`${owner}: limits`, limit.name);
  if (!/^[ -~]+$/.test(limit.name)) {
    throw new TypeError(
      `${owner}: limits must have printable ASCII names, got ${show(limit.name)}.`,
    );
  }
  if ((limit.limiter === undefined) === (limit.keyed === undefined)) {
    throw new TypeError(
      `${owner}: limit '${limit.name}' must have either a limiter or a keyed one.`,
    );
  }
  for (const option of ['key', 'partitionKey'] as const) {
    if (limit[option] !== undefined && limit.keyed === undefined) {
      throw new TypeError(
        `${owner}: ${option} of limit '${limit.name}' has no meaning without keyed.`,
      );
    }
  }
  for (const option of ['key', 'cost', 'partitionKey'] as const) {
    if (limit[option] !== undefined) checkType(owner, option, limit[option], 'function');
  }
  if (limit.problem !== undefined) checkOneOf(owner, 'problem', limit.problem, PROBLEM_NAMES);
}
