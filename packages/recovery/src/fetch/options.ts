import type { CircuitBreakerOptions } from '@temper/breaker';
import {
  type Clock,
  type Executor,
  isFailure,
  type Outcome,
  type Random,
  type ShouldHandle,
  systemClock,
} from '@temper/core';
import {
  checkType,
  clockRule,
  type Defaults,
  methodsRule,
  nameRule,
  numberRule,
  type OptionRule,
  type Resolved,
  resolveOptions,
  show,
  statusOf,
  systemRandom,
  typeRule,
} from '@temper/core/policy';
import type { RetryOptions } from '@temper/retry';
import { checkReserved } from '../reserved-options.ts';

/** Options of the retry of a request. */
export type HttpRetryOptions = Omit<RetryOptions, keyof typeof RETRY_RESERVED>;

/** Options of the circuit breaker of an origin. */
export type HttpBreakerOptions = Omit<CircuitBreakerOptions, keyof typeof BREAKER_RESERVED>;

const RETRY_RESERVED = {
  name: 'set name beside it',
  attemptTimeoutMs: 'set attemptTimeoutMs beside it',
  clock: 'set clock beside it',
  random: 'set random beside it',
} as const;
const BREAKER_RESERVED = {
  name: 'set name beside it',
  shouldHandle: 'set shouldHandle beside it',
  clock: 'set clock beside it',
  shared: 'each origin has a breaker of its own',
} as const;

/**
 * Options of {@link resilientFetch} and {@link dispatcherInterceptor}. The defaults are those of .NET's
 * standard resilience handler, with the exceptions that the README names.
 */
export interface HttpResilienceOptions {
  /**
   * Names the policies in errors, spans and metrics. All origins share it, and so their series.
   *
   * @defaultValue 'http'
   */
  readonly name?: string;
  /**
   * Most requests in flight at the same time, all origins together; one more is rejected at once, with
   * `TooManyInFlightError`. A request is in flight until the headers of its response have arrived. It
   * counts as many times as the `cost` of its call says.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless an integer >= 1 (`Infinity` allowed)
   */
  readonly maxInFlight?: number;
  /** A limiter in place of `maxInFlight`: anything with `execute`. @defaultValue none */
  readonly limiter?: Executor;
  /**
   * Longest time until the headers of the response have arrived, in milliseconds: all attempts, and the
   * waits between them. A request that cannot be retried has `attemptTimeoutMs`.
   *
   * @defaultValue 30_000
   * @throws {RangeError} at construction, unless finite and more than `attemptTimeoutMs`
   */
  readonly totalTimeoutMs?: number;
  /**
   * The retry, or `false` for none. Only requests are retried whose method is one of `methods` and whose
   * body can be sent again. Its own `shouldHandle` says which of the outcomes that count as failed are
   * retried: by default responses, and errors that are transient.
   *
   * @defaultValue { maxAttempts: 4, initialDelayMs: 2000, jitter: 'equal' }
   * @throws {TypeError} at construction, when an option is unknown or set here already
   */
  readonly retry?: HttpRetryOptions | false;
  /**
   * The breaker of each origin, or `false` for none.
   *
   * @defaultValue { window: { durationMs: 30_000 }, failureRateThreshold: 0.1, minimumThroughput: 100, openDurationMs: 5000, successThreshold: 1 }
   * @throws {TypeError} at construction, when an option is unknown or set here already
   */
  readonly breaker?: HttpBreakerOptions | false;
  /**
   * Longest time until the headers of one attempt's response have arrived, in milliseconds. The body is
   * not timed.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless > 0 and less than `totalTimeoutMs`
   */
  readonly attemptTimeoutMs?: number;
  /**
   * Methods that may be retried.
   *
   * @defaultValue GET, HEAD, OPTIONS, TRACE, PUT, DELETE: the idempotent ones of RFC 9110, section 9.2.2
   */
  readonly methods?: readonly string[];
  /**
   * Which outcomes of an attempt count as failed, for retry and breaker alike: errors, responses, or
   * both. The value is a `Response`, so that `(o: Outcome<Response>) => …` compiles; with
   * `dispatcherInterceptor` it is an object with `status` and `headers`. Not asked about requests that
   * were cancelled. An error in the predicate is logged and counts as `false`.
   *
   * @defaultValue `isFailedResponse`: status 408, 429 and 500 to 599, and every error but the caller's
   * own mistakes
   */
  readonly shouldHandle?: ShouldHandle;
  /**
   * Most origins that a breaker is kept for. Of those that are idle and have counted no failure, the one
   * used longest ago is dropped first; then idle ones, then those with requests in flight, and a circuit that
   * is not closed only when there is no closed one.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly maxOrigins?: number;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
  /** @defaultValue `Math.random` */
  readonly random?: Random;
}

/** The options that may stay unset. */
type Unset = 'limiter' | 'shouldHandle';

/** The defaults, as the README's table shows them. */
export const HTTP_DEFAULTS: Omit<Defaults<HttpResilienceOptions, Unset>, 'retry' | 'breaker'> & {
  readonly retry: HttpRetryOptions;
  readonly breaker: HttpBreakerOptions;
} = {
  name: 'http',
  maxInFlight: 1000,
  totalTimeoutMs: 30_000,
  retry: { maxAttempts: 4, initialDelayMs: 2000, jitter: 'equal' },
  breaker: {
    window: { durationMs: 30_000 },
    failureRateThreshold: 0.1,
    minimumThroughput: 100,
    openDurationMs: 5000,
    successThreshold: 1,
  },
  attemptTimeoutMs: 10_000,
  methods: ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'],
  maxOrigins: 1000,
  clock: systemClock,
  random: systemRandom,
};

/** Options that were checked, with their defaults filled in. */
export type ResolvedHttpOptions = Omit<Resolved<HttpResilienceOptions, Unset>, 'methods'> & {
  readonly methods: ReadonlySet<string>;
};

const COUNT = numberRule({ min: 1, integer: true });
const DURATION = numberRule({ min: 0, aboveMin: true, infinite: false });

const RULES: { readonly [K in keyof HttpResilienceOptions]-?: OptionRule } = {
  name: nameRule,
  maxInFlight: COUNT,
  limiter: methodsRule('execute'),
  totalTimeoutMs: DURATION,
  retry: partRule(RETRY_RESERVED),
  breaker: partRule(BREAKER_RESERVED),
  attemptTimeoutMs: DURATION,
  methods: (owner, option, methods) => {
    if (Array.isArray(methods) && methods.every((method) => typeof method === 'string')) return;
    throw new TypeError(`${owner}: ${option} must be an array of strings, got ${show(methods)}.`);
  },
  shouldHandle: typeRule('function'),
  maxOrigins: COUNT,
  clock: clockRule,
  random: typeRule('function'),
};

function partRule(reserved: Readonly<Record<string, string>>): OptionRule {
  return (owner, option, value) => {
    if (value === false) return;
    checkType(owner, option, value, 'object');
    checkReserved(owner, option, value as object, reserved);
  };
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws {TypeError | RangeError} naming owner, option, range and value
 */
export function resolveHttpOptions(
  owner: string,
  options: HttpResilienceOptions,
): ResolvedHttpOptions {
  const all = resolveOptions<HttpResilienceOptions, Unset>(owner, options, HTTP_DEFAULTS, RULES);
  return {
    ...all,
    retry: all.retry === false ? false : withDefaults(all.retry, HTTP_DEFAULTS.retry),
    methods: new Set(all.methods.map((method) => method.toUpperCase())),
  };
}

/** `undefined` is the same as absent. */
function withDefaults<O extends object>(options: O, defaults: O): O {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) };
}

/**
 * Whether an outcome of a request counts as failed: a response with status 408, 429 or 500 to 599, or
 * an error that is not the caller's own mistake.
 */
export function isFailedResponse(outcome: Outcome<unknown>): boolean {
  if (!outcome.ok) return isFailure(outcome);
  const status = statusOf(outcome.value);
  return status !== undefined && (status >= 500 || status === 429 || status === 408);
}
