import type { CircuitBreakerOptions } from '@temper/breaker';
import {
  type Clock,
  checkClock,
  checkKnown,
  checkName,
  checkNumber,
  checkType,
  type Executor,
  type Random,
  show,
  systemClock,
  systemRandom,
} from '@temper/core';
import type { RetryOptions } from '@temper/retry';

/** The retry of a request, where it may be sent again. */
export type HttpRetryOptions = Omit<
  RetryOptions,
  'name' | 'isFailure' | 'attemptTimeoutMs' | 'clock' | 'random'
>;

/** The circuit breaker of an origin. */
export type HttpBreakerOptions = Omit<
  CircuitBreakerOptions,
  'name' | 'isFailure' | 'clock' | 'shared'
>;

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
   * Most requests under way at one time, all origins together; one more is rejected at once, with
   * `TooManyInFlightError`. A request is under way until its response's headers are there.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless an integer >= 1 (`Infinity` allowed)
   */
  readonly maxInFlight?: number;
  /** A rate limiter of your own, in place of `maxInFlight`: anything with `execute`. @defaultValue none */
  readonly limiter?: Executor;
  /**
   * Longest time until the response's headers are there, in milliseconds: all attempts, and the waits
   * between them.
   *
   * @defaultValue 30_000
   * @throws {RangeError} at construction, unless finite and more than `attemptTimeoutMs`
   */
  readonly totalTimeoutMs?: number;
  /**
   * How a request is sent again, or `false` never to: after network errors, timeouts of an attempt,
   * 408, 429 and 5xx, and only when its method is one of `methods` and its body can be sent again.
   *
   * @defaultValue { maxAttempts: 4, initialDelayMs: 2000, jitter: 'equal' }
   */
  readonly retry?: HttpRetryOptions | false;
  /**
   * The breaker of each origin, or `false` for none.
   *
   * @defaultValue { window: { durationMs: 30_000 }, failureRateThreshold: 0.1, minimumThroughput: 100, openDurationMs: 5000, successThreshold: 1 }
   */
  readonly breaker?: HttpBreakerOptions | false;
  /**
   * Longest time until the headers of one attempt's response are there, in milliseconds. The body is
   * not timed: it streams as before.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless > 0 and less than `totalTimeoutMs`
   */
  readonly attemptTimeoutMs?: number;
  /**
   * Methods that may be sent again.
   *
   * @defaultValue GET, HEAD, OPTIONS, TRACE, PUT, DELETE: the idempotent ones of RFC 9110, section 9.2.2
   */
  readonly methods?: readonly string[];
  /**
   * Whether a status means failure.
   *
   * @defaultValue 408, 429 and 500 to 599
   */
  readonly isFailureStatus?: (status: number) => boolean;
  /**
   * Most origins that breakers are kept for; the one used longest ago is forgotten first.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly maxOrigins?: number;
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
  /** @defaultValue `Math.random` */
  readonly random?: Random;
}

/** The defaults, as the README's table shows them. */
export const HTTP_DEFAULTS: {
  readonly name: 'http';
  readonly maxInFlight: 1000;
  readonly totalTimeoutMs: 30_000;
  readonly retry: {
    readonly maxAttempts: 4;
    readonly initialDelayMs: 2000;
    readonly jitter: 'equal';
  };
  readonly breaker: {
    readonly window: { readonly durationMs: 30_000 };
    readonly failureRateThreshold: 0.1;
    readonly minimumThroughput: 100;
    readonly openDurationMs: 5000;
    readonly successThreshold: 1;
  };
  readonly attemptTimeoutMs: 10_000;
  readonly methods: readonly string[];
  readonly maxOrigins: 1000;
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
};

/** Checked options. */
export interface ResolvedHttpOptions
  extends Required<Omit<HttpResilienceOptions, 'limiter' | 'methods'>> {
  readonly limiter: Executor | undefined;
  readonly methods: ReadonlySet<string>;
}

const KNOWN = [...Object.keys(HTTP_DEFAULTS), 'limiter', 'isFailureStatus', 'clock', 'random'];

/** 408, 429 and 5xx: what may be gone when the request is sent again. */
function isFailureStatus(status: number): boolean {
  return status >= 500 || status === 429 || status === 408;
}

export function resolveHttpOptions(
  owner: string,
  options: HttpResilienceOptions,
): ResolvedHttpOptions {
  checkKnown(owner, options, KNOWN);
  const all = { ...HTTP_DEFAULTS, ...options };
  const count = { min: 1, integer: true };
  const methods: unknown = all.methods;
  if (!Array.isArray(methods) || methods.some((method) => typeof method !== 'string')) {
    throw new TypeError(`${owner}: methods must be an array of strings, got ${show(methods)}.`);
  }
  const ownStatus = options.isFailureStatus ?? isFailureStatus;
  checkType(owner, 'isFailureStatus', ownStatus, 'function');
  if (options.limiter !== undefined) {
    checkType(owner, 'limiter.execute', options.limiter.execute, 'function');
  }
  for (const part of ['retry', 'breaker'] as const) {
    if (options[part] !== undefined && options[part] !== false) {
      checkType(owner, part, options[part], 'object');
    }
  }
  return {
    name: checkName(owner, all.name),
    maxInFlight: checkNumber(owner, 'maxInFlight', all.maxInFlight, count),
    limiter: options.limiter,
    totalTimeoutMs: checkNumber(owner, 'totalTimeoutMs', all.totalTimeoutMs, {
      min: 0,
      aboveMin: true,
      infinite: false,
    }),
    retry: options.retry === false ? false : { ...HTTP_DEFAULTS.retry, ...options.retry },
    breaker: options.breaker === false ? false : (options.breaker ?? HTTP_DEFAULTS.breaker),
    attemptTimeoutMs: checkNumber(owner, 'attemptTimeoutMs', all.attemptTimeoutMs, {
      min: 0,
      aboveMin: true,
      infinite: false,
    }),
    methods: new Set(methods.map((method: string) => method.toUpperCase())),
    isFailureStatus: ownStatus,
    maxOrigins: checkNumber(owner, 'maxOrigins', all.maxOrigins, count),
    clock: checkClock(owner, options.clock ?? systemClock),
    random: options.random ?? systemRandom,
  };
}
