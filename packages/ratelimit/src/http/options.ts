import {
  checkKnown,
  checkName,
  checkOneOf,
  checkType,
  type Defaults,
  methodsRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  show,
  typeRule,
} from '@temper/core/policy';
import { KEYED_BY_ITSELF } from '../keyed/brand.ts';
import type { Decision } from '../limiter.ts';
import type { ClientAddressOptions } from './client-address.ts';
import { PROBLEM_NAMES, type ProblemName } from './problem.ts';

/** What the functions of a limit receive. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query, as the client sent them. */
  readonly url: string;
  /** Where the request came from, by {@link ClientAddressOptions}; `undefined` when unknown. */
  readonly address: string | undefined;
  /** A header, by its lower-case name. */
  header(name: string): string | undefined;
  /** The framework's own request: `IncomingMessage`, Fastify's request, Hono's context. */
  readonly raw: unknown;
}

/** What a limiter needs here: every limiter of this package has it, keyed and shared ones included. */
export interface HttpLimiter {
  take(options: {
    readonly key: string | undefined;
    readonly cost: number | undefined;
  }): Decision | Promise<Decision>;
}

/** One limit that requests have to pass. */
export interface HttpLimit {
  /**
   * Name of the limit in the fields and in the problem detail. Printable ASCII, at most 128 characters.
   *
   * @throws {TypeError} at construction, when it is anything else
   */
  readonly name: string;
  /**
   * The limiter. Without {@link key} it is one limit for all requests together.
   *
   * @throws {TypeError} at construction, when it has no `take`; is made by `keyed` and there is no
   * {@link key}; or has no keys and there is one
   */
  readonly limiter: HttpLimiter;
  /**
   * Whose limit it is, for a keyed or shared limiter: the client's address, or what the function
   * returns. A request for which it returns `undefined` is not limited. Requests with an empty key, or
   * from an unknown address, share the key `unknown`. An error of the function, and anything but a
   * string or `undefined`, is passed on to the framework, which answers 500.
   *
   * @defaultValue none: one limit for all requests
   */
  readonly key?: 'address' | ((request: HttpRequest) => MaybePromise<string | undefined>);
  /**
   * Units that a request takes. An error of the function, and a number that is not finite and > 0, is
   * passed on to the framework, which answers 500.
   *
   * @defaultValue 1
   */
  readonly cost?: (request: HttpRequest) => MaybePromise<number>;
  /**
   * The partition key (`pk`) that is announced, so that a client can distinguish several. Must not
   * contain anything that the client must not know. An error and a promise are logged; no `pk` is
   * announced then.
   *
   * @defaultValue none
   */
  readonly partitionKey?: (key: string) => Uint8Array | string;
  /**
   * The problem type of a refusal.
   *
   * @defaultValue `quota-exceeded` (429) with a {@link key}, `temporary-reduced-capacity` (503) without
   */
  readonly problem?: ProblemName;
}

type MaybePromise<T> = T | Promise<T>;

/** Options of the middlewares. */
export interface HttpRateLimitOptions extends ClientAddressOptions {
  /** The limits, in the order in which they are asked. The first refusal is the answer. */
  readonly limits: readonly HttpLimit[];
  /**
   * Requests that are not limited at all. An error and a promise are logged and count as `false`.
   *
   * @defaultValue none
   */
  readonly skip?: (request: HttpRequest) => boolean;
  /**
   * What happens to a request when the store of a shared limit is unavailable and the limiter fails
   * (`onStoreFailure: 'closed'`): a response with status 503, or no limit of that name.
   *
   * @defaultValue 'refuse'
   */
  readonly onStoreUnavailable?: 'allow' | 'refuse';
}

type Unset = 'limits' | 'skip' | 'trustedProxies';

/** Options that were checked, with their defaults filled in. */
export type ResolvedHttpOptions = Resolved<HttpRateLimitOptions, 'skip' | 'trustedProxies'>;

/** The defaults, as the README's table shows them. */
export const HTTP_DEFAULTS: Defaults<HttpRateLimitOptions, Unset> = {
  onStoreUnavailable: 'refuse',
  forwardedHeader: 'x-forwarded-for',
  ipv6Prefix: 64,
};

const LIMIT_OPTIONS: readonly (keyof HttpLimit)[] = [
  'name',
  'limiter',
  'key',
  'cost',
  'partitionKey',
  'problem',
];

/** Checks the options and fills in the defaults. The address options are checked by `ClientAddress`. */
export function resolveHttpOptions(
  owner: string,
  options: HttpRateLimitOptions,
): ResolvedHttpOptions {
  const all = resolveOptions<HttpRateLimitOptions, Unset>(owner, options, HTTP_DEFAULTS, {
    limits: checkLimits,
    skip: typeRule('function'),
    onStoreUnavailable: oneOfRule(['allow', 'refuse']),
    trustedProxies: typeRule('object'),
    forwardedHeader: typeRule('string'),
    ipv6Prefix: () => undefined,
  });
  if (all.limits === undefined) checkLimits(owner, 'limits', undefined);
  return all as ResolvedHttpOptions;
}

function checkLimits(owner: string, _option: string, limits: unknown): void {
  if (!Array.isArray(limits) || limits.length === 0) {
    throw new TypeError(
      `${owner}: limits must be a list of at least one limit, got ${show(limits)}.`,
    );
  }
  const names = new Set<string>();
  for (const limit of limits as readonly HttpLimit[]) {
    checkLimit(owner, limit);
    if (names.has(limit.name)) {
      throw new TypeError(
        `${owner}: limits must have different names, got ${show(limit.name)} twice.`,
      );
    }
    names.add(limit.name);
  }
}

function checkLimit(owner: string, limit: HttpLimit): void {
  checkKnown(`${owner}: limits`, limit, LIMIT_OPTIONS);
  const { name, limiter, key, cost, partitionKey, problem } = limit;
  checkName(`${owner}: limits`, name);
  if (!/^[ -~]+$/.test(name)) {
    throw new TypeError(`${owner}: limits must have printable ASCII names, got ${show(name)}.`);
  }
  const where = `${owner}: limit '${name}'`;
  methodsRule('take')(where, 'limiter', limiter);
  if (key !== undefined && key !== 'address') checkType(where, 'key', key, 'function');
  if (cost !== undefined) checkType(where, 'cost', cost, 'function');
  if (partitionKey !== undefined) checkType(where, 'partitionKey', partitionKey, 'function');
  if (problem !== undefined) checkOneOf(where, 'problem', problem, PROBLEM_NAMES);
  if (partitionKey !== undefined && key === undefined) {
    throw new TypeError(`${where}: partitionKey has no meaning without key.`);
  }
  checkKeys(where, limiter, key !== undefined);
}

/** Refuses a limiter that would be one limit for all keys, and one that needs a key and gets none. */
function checkKeys(where: string, limiter: object, hasKey: boolean): void {
  const parts = limiter as { execute?: unknown; forget?: unknown; [KEYED_BY_ITSELF]?: unknown };
  const keyed = parts[KEYED_BY_ITSELF] === true;
  // A limiter of the user's own, which is no policy, is trusted to know about keys.
  if (hasKey && !keyed && typeof parts.execute === 'function') {
    throw new TypeError(
      `${where}: the limiter has one limit for all keys; make one per key by keyed({ template }) or keyed({ limiter }), or leave key out.`,
    );
  }
  // A shared limiter is keyed too, but works without keys.
  if (!hasKey && keyed && typeof parts.forget === 'function') {
    throw new TypeError(`${where}: a keyed limiter needs key: 'address', or a function.`);
  }
}
