import {
  checkKnown,
  checkName,
  checkNumber,
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
import { KEYED_BY_ITSELF } from '../brands.ts';
import { MAX_BLOCK_MS } from '../changes/rate-controls.ts';
import type { Decision } from '../limiter.ts';
import type { ClientAddressOptions } from './client-address.ts';
import { PROBLEM_NAMES, type Problem, type ProblemName } from './problem.ts';

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
  /** As of rate limiters; only `blockDurationMs` needs it. */
  block?(durationMs: number, options?: { readonly key?: string | undefined }): unknown;
}

/** How a request that had passed was answered. */
export interface HttpAnswer {
  /** Status of the response; `undefined` when it is not known, as of a handler that failed. */
  readonly status: number | undefined;
  /** Whether the whole response was sent. */
  readonly served: boolean;
}

/** What a response says about the load of the service that has sent it; `ignored`: nothing. */
export type ResponseVerdict = 'success' | 'overload' | 'ignored';

export const RESPONSE_VERDICTS: readonly ResponseVerdict[] = ['success', 'overload', 'ignored'];

/** One limit that requests have to pass. */
export interface HttpLimit {
  /**
   * Name of the limit in the fields and in the problem detail. Printable ASCII, at most 128 characters.
   *
   * @throws {TypeError} at construction, when it is anything else
   */
  readonly name: string;
  /**
   * The limiter, or a function that chooses one for each request, such as by the plan of a customer.
   * Without {@link key} it is one limit for all requests together. An error of the function is passed
   * on to the framework, which answers 500.
   *
   * @throws {TypeError} at construction (of a chosen one: to the framework), when it has no `take`; is
   * made by `keyed` and there is no {@link key}; or has no keys and there is one
   */
  readonly limiter: HttpLimiter | ((request: HttpRequest) => MaybePromise<HttpLimiter>);
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
   * Which requests count, by how they were answered: `({ status }) => status === 401` counts failed
   * logins only. A request takes its units when it comes, so that no more than the limit are under way
   * at once, and gets them back when it turns out not to count. One whose client did not wait for the
   * answer counts. An error and a promise are logged; the request counts.
   *
   * @defaultValue every request
   */
  readonly countOnly?: (answer: HttpAnswer, request: HttpRequest) => boolean;
  /**
   * What a request turned out to cost, such as bytes that were sent or tokens that were used: finite and
   * >= 0. Less than it took is given back; more is taken, at most all that is left. As with
   * {@link countOnly}, of which it takes the place; an error, a promise and any other value are logged.
   *
   * @defaultValue what was taken
   */
  readonly settle?: (answer: HttpAnswer, request: HttpRequest) => number;
  /**
   * What a response that was sent says about the load of this service, for a limit that learns
   * (`adaptiveConcurrency`, `throttle`). Returns `undefined` for the default. An error and anything else are
   * logged; the default holds then. It is not asked about a response that was cut short, or that is a refusal
   * of another of these middlewares: both are ignored.
   *
   * @defaultValue `overload` for 503 and 504; `ignored` for other statuses of 500 or more, 408, 429 and an
   * unknown one; `success` for all others
   */
  readonly verdict?: (answer: HttpAnswer, request: HttpRequest) => ResponseVerdict | undefined;
  /**
   * How long a key is blocked when a request of it is refused, in milliseconds, from 0 to 7 days. Requests
   * while it is blocked do not prolong that.
   *
   * @defaultValue 0: a key may go on as soon as its limit allows
   * @throws {RangeError | TypeError} at construction, when out of range, or the limiter has no `block`
   */
  readonly blockDurationMs?: number;
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

/** A request that was refused. */
export interface HttpRefusal {
  readonly status: number;
  /** The problem detail that is sent by default. */
  readonly problem: Problem;
  /** Name of the limit that refused it. */
  readonly limit: string;
  /** When to try again, in whole seconds; `undefined` when that is not known, or never. */
  readonly retryAfterSeconds: number | undefined;
}

/** A response of the user's own to a refused request. What is left out stays as it would be. */
export interface CustomResponse {
  /** From 200 to 599. */
  readonly status?: number;
  /** In addition to the fields of the limits. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Text, sent as `text/plain`, or a value that is sent as JSON, unless `headers` name a type. */
  readonly body?: unknown;
}

/** How limits are announced: the draft whose fields are sent. */
export type AnnouncedFields = 'current' | 'draft-7' | 'draft-6' | 'none';

const ANNOUNCED_FIELDS: readonly AnnouncedFields[] = ['current', 'draft-7', 'draft-6', 'none'];

/** Options of the middlewares. */
export interface HttpRateLimitOptions extends ClientAddressOptions {
  /** The limits, in the order in which they are asked. The first refusal is the answer. */
  readonly limits: readonly HttpLimit[];
  /**
   * Requests that are not limited at all. An error is logged and counts as `false`.
   *
   * @defaultValue none
   */
  readonly skip?: (request: HttpRequest) => MaybePromise<boolean>;
  /**
   * What happens to a request when the store of a shared limit is unavailable and the limiter fails
   * (`onStoreFailure: 'closed'`): a response with status 503, or no limit of that name.
   *
   * @defaultValue 'refuse'
   */
  readonly onStoreUnavailable?: 'allow' | 'refuse';
  /**
   * The response to a refused request; `undefined` for the problem detail. An error, and a response that
   * is not one, are logged, and the problem detail is sent.
   *
   * @defaultValue none
   */
  readonly respond?: (
    refusal: HttpRefusal,
    request: HttpRequest,
  ) => MaybePromise<CustomResponse | undefined>;
  /**
   * The fields that announce the limits, of draft-ietf-httpapi-ratelimit-headers: those of drafts 8 to
   * 11, which name every limit, or those of an older one, which know one: the limit of which the
   * smallest part is left.
   *
   * @defaultValue 'current'
   */
  readonly fields?: AnnouncedFields;
  /**
   * Whether to send `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset` too, the last in
   * seconds since 1970, for the limit of which the smallest part is left.
   *
   * @defaultValue false
   */
  readonly legacyFields?: boolean;
  /**
   * Property of the framework's request under which handlers find a {@link RequestLimit}, such as
   * `rateLimit`.
   *
   * @defaultValue none
   */
  readonly requestProperty?: string;
}

type Unset = 'limits' | 'skip' | 'trustedProxies' | 'respond' | 'requestProperty';

/** Options that were checked, with their defaults filled in. */
export type ResolvedHttpOptions = Resolved<HttpRateLimitOptions, Exclude<Unset, 'limits'>>;

/** The defaults, as the README's table shows them. */
export const HTTP_DEFAULTS: Defaults<HttpRateLimitOptions, Unset> = {
  onStoreUnavailable: 'refuse',
  fields: 'current',
  legacyFields: false,
  forwardedHeader: 'x-forwarded-for',
  ipv6Prefix: 64,
};

const LIMIT_OPTIONS: readonly (keyof HttpLimit)[] = [
  'name',
  'limiter',
  'key',
  'cost',
  'countOnly',
  'settle',
  'verdict',
  'blockDurationMs',
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
    respond: typeRule('function'),
    fields: oneOfRule(ANNOUNCED_FIELDS),
    legacyFields: typeRule('boolean'),
    requestProperty: typeRule('string'),
    trustedProxies: () => undefined,
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
  const { name, limiter, problem } = limit;
  checkName(`${owner}: limits`, name);
  if (!/^[ -~]+$/.test(name)) {
    throw new TypeError(`${owner}: limits must have printable ASCII names, got ${show(name)}.`);
  }
  const where = `${owner}: limit '${name}'`;
  checkFunctions(where, limit);
  if (problem !== undefined) checkOneOf(where, 'problem', problem, PROBLEM_NAMES);
  if (limit.blockDurationMs !== undefined) {
    checkNumber(where, 'blockDurationMs', limit.blockDurationMs, { min: 0, max: MAX_BLOCK_MS });
  }
  if (typeof limiter !== 'function') checkLimiter(owner, limit, limiter);
}

function checkFunctions(where: string, limit: HttpLimit): void {
  const { key, partitionKey, countOnly, settle } = limit;
  for (const option of ['cost', 'countOnly', 'settle', 'verdict', 'partitionKey'] as const) {
    if (limit[option] !== undefined) checkType(where, option, limit[option], 'function');
  }
  if (key !== undefined && key !== 'address') checkType(where, 'key', key, 'function');
  if (partitionKey !== undefined && key === undefined) {
    throw new TypeError(`${where}: partitionKey has no meaning without key.`);
  }
  if (countOnly !== undefined && settle !== undefined) {
    throw new TypeError(`${where}: settle says what countOnly says and more; give one of them.`);
  }
}

/**
 * @param limiter - that of the limit, or the one that was chosen for a request
 * @throws {TypeError} when it cannot do what the limit asks of it
 */
export function checkLimiter(owner: string, limit: HttpLimit, limiter: HttpLimiter): void {
  const where = `${owner}: limit '${limit.name}'`;
  methodsRule('take')(where, 'limiter', limiter);
  if ((limit.blockDurationMs ?? 0) > 0) methodsRule('block')(where, 'limiter', limiter);
  checkKeys(where, limiter, limit.key !== undefined);
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
