import type { CircuitBreakerOptions } from '@temper/breaker';
import {
  type Clock,
  type Executor,
  isFailure,
  type Outcome,
  type Random,
  type ShouldHandle,
  systemClock,
  type TelemetryScope,
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
  telemetryRule,
  typeRule,
} from '@temper/core/policy';
import type { RetryOptions } from '@temper/retry';
import type { HedgeOptions } from '../hedge/options.ts';
import { checkReserved } from '../reserved-options.ts';

/** Options of the retry of a request. */
export type HttpRetryOptions = Omit<RetryOptions, keyof typeof RETRY_RESERVED>;

/** Options of the circuit breaker of an origin. */
export type HttpBreakerOptions = Omit<CircuitBreakerOptions, keyof typeof BREAKER_RESERVED>;

/** Options of the hedge of safe requests. */
export interface HttpHedgeOptions extends Omit<HedgeOptions, keyof typeof HEDGE_RESERVED> {
  /**
   * Origins that serve the same resources, such as `https://replica.example`: the second attempt goes to the
   * first of them, and so on, around. They get the whole request, its credentials included.
   *
   * @defaultValue none: all attempts go to the origin of the request
   * @throws {TypeError} at construction, unless all are origins of HTTP
   */
  readonly endpoints?: readonly string[];
}

/** A request, as far as the options decide by it. */
export interface HttpRequestInfo {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Of the URL, without its query. */
  readonly path: string;
  /** In upper case. */
  readonly method: string;
}

const RETRY_RESERVED = {
  name: 'set name beside it',
  attemptTimeoutMs: 'set attemptTimeoutMs beside it',
  clock: 'set clock beside it',
  telemetry: 'set telemetry beside it',
  random: 'set random beside it',
} as const;
const BREAKER_RESERVED = {
  name: 'set name beside it',
  shouldHandle: 'set shouldHandle beside it',
  clock: 'set clock beside it',
  telemetry: 'set telemetry beside it',
  shared: 'each origin has a breaker of its own',
} as const;
const HEDGE_RESERVED = {
  name: 'set name beside it',
  shouldHandle: 'set shouldHandle beside it',
  onDiscard: 'discarded responses are cancelled',
  clock: 'set clock beside it',
  telemetry: 'set telemetry beside it',
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
   * Most attempts in flight at the same time for each origin (or {@link HttpResilienceOptions.keyOf | key}).
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless an integer >= 1 (`Infinity` allowed)
   */
  readonly maxInFlightPerOrigin?: number;
  /**
   * Makes the limiter of an origin (or key) in place of `maxInFlightPerOrigin`: anything with `execute`.
   * It is dropped with the breaker; see `maxOrigins`.
   *
   * @defaultValue none
   */
  readonly limiterOf?: (key: string) => Executor;
  /**
   * What a request shares its breaker and its limit with. An error, and what is no text, is logged and
   * counts as the origin.
   *
   * @defaultValue the origin
   */
  readonly keyOf?: (request: HttpRequestInfo) => string;
  /**
   * Longest time until the headers of the response have arrived, in milliseconds: all attempts, and the
   * waits between them. A request that cannot be retried has `attemptTimeoutMs`.
   *
   * @defaultValue 30_000
   * @throws {RangeError} at construction, unless finite and more than `attemptTimeoutMs`
   */
  readonly totalTimeoutMs?: number;
  /**
   * The retry, or `false` for none. A request is retried after any failure when its method is one of
   * `methods`, it has an `Idempotency-Key`, or its options say so; any other one only where its origin has
   * not got it, as after a refused connection. Its own `shouldHandle` says which of the outcomes that count as failed are
   * retried: by default responses, and errors that are transient.
   *
   * @defaultValue { maxAttempts: 4, initialDelayMs: 2000, jitter: 'equal' }
   * @throws {TypeError} at construction, when an option is unknown or set here already
   */
  readonly retry?: HttpRetryOptions | false;
  /**
   * Hedges requests without a body whose method is safe (GET, HEAD, OPTIONS, TRACE): when an attempt is slow,
   * another one starts beside it, and the first answer wins. With `endpoints`, also when it fails. A budget of
   * the retry is shared.
   *
   * @defaultValue false
   * @throws {TypeError | RangeError} at construction, when an option is unknown, out of range or set here
   */
  readonly hedge?: HttpHedgeOptions | false;
  /**
   * The breaker of each origin, or `false` for none. Options that are not given have these defaults;
   * `failureThreshold` or a `window` replaces the default window together with its rate and throughput.
   *
   * @defaultValue { window: { durationMs: 30_000 }, failureRateThreshold: 0.1, minimumThroughput: 100, openDurationMs: 5000, successThreshold: 1 }
   * @throws {TypeError} at construction, when an option is unknown or set here already
   */
  readonly breaker?: HttpBreakerOptions | false;
  /**
   * Longest time until an attempt is written to a connection, in milliseconds: name resolution, connect, TLS
   * and the wait for a free connection. Known of undici and of the `fetch` of Node; others are not timed.
   * What has not been written may be retried, whatever its method.
   *
   * @defaultValue 5000
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly connectTimeoutMs?: number;
  /**
   * Most bytes of a request body that are kept for another attempt, where the body is a stream, an iterable
   * or that of a `Request`. A larger one is sent once.
   *
   * @defaultValue 1_048_576
   * @throws {RangeError} at construction, unless an integer >= 0
   */
  readonly maxReplayBytes?: number;
  /**
   * Longest time until the headers of one attempt's response have arrived, in milliseconds.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless > 0 and less than `totalTimeoutMs`
   */
  readonly attemptTimeoutMs?: number;
  /**
   * Longest wait for the next piece of a response's body, in milliseconds, while its reader wants one.
   *
   * @defaultValue 30_000
   * @throws {RangeError} at construction, unless > 0 (`Infinity` allowed)
   */
  readonly bodyIdleTimeoutMs?: number;
  /**
   * Longest time from the beginning of the request to the last byte of the response, in milliseconds. The
   * `timeoutMs` of a call holds as long.
   *
   * @defaultValue 300_000
   * @throws {RangeError} at construction, unless > 0 (`Infinity` allowed)
   */
  readonly exchangeTimeoutMs?: number;
  /**
   * Methods that may be retried although the origin may have got the request.
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
  /**
   * Where the telemetry of the policies goes, and which attributes their metrics have besides; see
   * `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
  /** @defaultValue `Math.random` */
  readonly random?: Random;
}

/** The options that may stay unset. */
type Unset = 'limiter' | 'limiterOf' | 'keyOf' | 'shouldHandle' | 'telemetry';

/** The defaults, as the README's table shows them. */
export const HTTP_DEFAULTS: Omit<Defaults<HttpResilienceOptions, Unset>, 'retry' | 'breaker'> & {
  readonly retry: HttpRetryOptions;
  readonly breaker: HttpBreakerOptions;
} = {
  name: 'http',
  maxInFlight: 1000,
  maxInFlightPerOrigin: Number.POSITIVE_INFINITY,
  totalTimeoutMs: 30_000,
  retry: { maxAttempts: 4, initialDelayMs: 2000, jitter: 'equal' },
  breaker: {
    window: { durationMs: 30_000 },
    failureRateThreshold: 0.1,
    minimumThroughput: 100,
    openDurationMs: 5000,
    successThreshold: 1,
  },
  hedge: false,
  connectTimeoutMs: 5000,
  maxReplayBytes: 1_048_576,
  attemptTimeoutMs: 10_000,
  bodyIdleTimeoutMs: 30_000,
  exchangeTimeoutMs: 300_000,
  methods: ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'],
  maxOrigins: 1000,
  clock: systemClock,
  random: systemRandom,
};

/** Options that were checked, with their defaults filled in. */
export type ResolvedHttpOptions = Omit<Resolved<HttpResilienceOptions, Unset>, 'methods'> & {
  readonly methods: ReadonlySet<string>;
  /** What all policies have alike. */
  readonly common: {
    readonly name: string;
    readonly clock: Clock;
    readonly telemetry?: TelemetryScope;
  };
};

const COUNT = numberRule({ min: 1, integer: true });
const DURATION = numberRule({ min: 0, aboveMin: true, infinite: false });

const RULES: { readonly [K in keyof HttpResilienceOptions]-?: OptionRule } = {
  name: nameRule,
  maxInFlight: COUNT,
  limiter: methodsRule('execute'),
  maxInFlightPerOrigin: COUNT,
  limiterOf: typeRule('function'),
  keyOf: typeRule('function'),
  totalTimeoutMs: DURATION,
  retry: partRule(RETRY_RESERVED),
  hedge: (owner, option, value) => {
    partRule(HEDGE_RESERVED)(owner, option, value);
    if (value !== false) checkEndpoints(owner, (value as HttpHedgeOptions).endpoints);
  },
  breaker: partRule(BREAKER_RESERVED),
  connectTimeoutMs: DURATION,
  maxReplayBytes: numberRule({ min: 0, integer: true, infinite: false }),
  attemptTimeoutMs: DURATION,
  bodyIdleTimeoutMs: numberRule({ min: 0, aboveMin: true }),
  exchangeTimeoutMs: numberRule({ min: 0, aboveMin: true }),
  methods: (owner, option, methods) => {
    if (Array.isArray(methods) && methods.every((method) => typeof method === 'string')) return;
    throw new TypeError(`${owner}: ${option} must be an array of strings, got ${show(methods)}.`);
  },
  shouldHandle: typeRule('function'),
  maxOrigins: COUNT,
  clock: clockRule,
  random: typeRule('function'),
  telemetry: telemetryRule,
};

function checkEndpoints(owner: string, endpoints: unknown): void {
  if (endpoints === undefined) return;
  if (Array.isArray(endpoints) && endpoints.length > 0 && endpoints.every(isOrigin)) return;
  throw new TypeError(
    `${owner}: hedge.endpoints must be an array of origins like 'https://replica.example', got ${show(endpoints)}.`,
  );
}

function isOrigin(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const { protocol, pathname, search, hash, username, password } = new URL(value);
  const bare = pathname === '/' && search + hash + username + password === '';
  return bare && (protocol === 'http:' || protocol === 'https:');
}

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
    breaker: all.breaker === false ? false : breakerWithDefaults(all.breaker),
    methods: new Set(all.methods.map((method) => method.toUpperCase())),
    common: {
      name: all.name,
      clock: all.clock,
      ...(all.telemetry === undefined ? {} : { telemetry: all.telemetry }),
    },
  };
}

/** Defaults that an option of the user's excludes are left out: each is one of two ways to say the same. */
function breakerWithDefaults(options: HttpBreakerOptions): HttpBreakerOptions {
  const { failureThreshold, window, halfOpenTrials } = options;
  const { openDurationMs, successThreshold, ...rates } = HTTP_DEFAULTS.breaker;
  return withDefaults<HttpBreakerOptions>(options, {
    ...(failureThreshold === undefined && window === undefined ? rates : {}),
    ...(halfOpenTrials === undefined ? { successThreshold } : {}),
    openDurationMs,
  } as HttpBreakerOptions);
}

/** `undefined` is the same as absent. Options may be inherited. */
function withDefaults<O extends object>(options: O, defaults: O): O {
  const all = { ...defaults };
  for (const name in options) if (options[name] !== undefined) all[name] = options[name];
  return all;
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
