import {
  type CallContext,
  type Clock,
  checkClock,
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  systemClock,
} from '@temper/core';
import { EVENT_SPANS, type EventSpans } from '../telemetry.ts';

/** What {@link CachedOptions.onStale} hears. */
export interface StaleEvent {
  readonly policy: string;
  readonly key: string;
  /** How old the answer is that was served, in milliseconds. */
  readonly ageMs: number;
  /** Why it was served: what the call failed with. */
  readonly error: unknown;
  /** {@link ExecuteOptions.operation} of the call. */
  readonly operation: string | undefined;
}

/** Options of {@link cached}. */
export interface CachedOptions {
  /**
   * Names the policy in errors, spans and metrics.
   *
   * @defaultValue 'cached'
   */
  readonly name?: string;
  /**
   * An answer younger than this is served without a call, in milliseconds. With 0 every call is made,
   * and memory only helps when it fails.
   *
   * @defaultValue 0
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly freshMs?: number;
  /**
   * Oldest answer that is served when the call fails, in milliseconds.
   *
   * @defaultValue 300_000
   * @throws {RangeError} at construction, unless >= `freshMs`
   */
  readonly maxAgeMs?: number;
  /**
   * What tells answers apart. Also see {@link CachedPolicy.forKey}.
   *
   * @defaultValue the call's `operation`
   */
  readonly key?: (call: Pick<CallContext, 'operation' | 'attributes'>) => string;
  /**
   * Most answers kept; the one used longest ago is forgotten first.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly maxKeys?: number;
  /**
   * Whether calls of one key that overlap share one run of the operation. It is aborted when the last
   * of its callers has given up. Each caller is held to its own deadline, but what runs knows of none.
   *
   * @defaultValue false
   */
  readonly singleFlight?: boolean;
  /**
   * Whether an old answer may be served for this error. A predicate that throws is reported, and has
   * said no. Never asked about an abort of the call.
   *
   * @defaultValue every error
   */
  readonly isServable?: (error: unknown) => boolean;
  /**
   * Whether an answer is worth keeping. One that can be read only once, such as a `Response`, is not.
   *
   * @defaultValue every answer
   */
  readonly isCacheable?: (value: unknown) => boolean;
  /**
   * Whether a returned value means failure: an old answer is served in its place, if there is one.
   *
   * @defaultValue no value does
   */
  readonly isFailure?: (value: unknown) => boolean;
  /** Called when a stale answer is served. What it throws is reported, no more. */
  readonly onStale?: (event: StaleEvent) => void;
  /**
   * Whether a stale answer gets a span.
   *
   * @defaultValue 'failures'
   */
  readonly spans?: EventSpans;
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
}

/** The defaults, as the README's table shows them. */
export const CACHED_DEFAULTS: {
  readonly name: 'cached';
  readonly freshMs: 0;
  readonly maxAgeMs: 300_000;
  readonly maxKeys: 1000;
  readonly singleFlight: false;
  readonly spans: 'failures';
} = {
  name: 'cached',
  freshMs: 0,
  maxAgeMs: 300_000,
  maxKeys: 1000,
  singleFlight: false,
  spans: 'failures',
};

const HOOKS = ['isServable', 'isCacheable', 'isFailure', 'onStale'] as const;
type Hook = (typeof HOOKS)[number];

/** Checked options. */
export interface ResolvedCachedOptions
  extends Required<Omit<CachedOptions, Hook>>,
    Pick<CachedOptions, Hook> {}

export function resolveCachedOptions(options: CachedOptions): ResolvedCachedOptions {
  const owner = 'cached';
  checkKnown(owner, options, [...Object.keys(CACHED_DEFAULTS), ...HOOKS, 'key', 'clock']);
  const freshMs = checkNumber(owner, 'freshMs', options.freshMs ?? CACHED_DEFAULTS.freshMs, {
    min: 0,
  });
  const key = options.key ?? ((call) => call.operation ?? '');
  checkType(owner, 'key', key, 'function');
  const singleFlight = options.singleFlight ?? CACHED_DEFAULTS.singleFlight;
  checkType(owner, 'singleFlight', singleFlight, 'boolean');
  const hooks: Pick<CachedOptions, Hook> = {};
  for (const hook of HOOKS) {
    if (options[hook] === undefined) continue;
    checkType(owner, hook, options[hook], 'function');
    Object.assign(hooks, { [hook]: options[hook] });
  }
  return {
    ...hooks,
    name: checkName(owner, options.name ?? CACHED_DEFAULTS.name),
    freshMs,
    maxAgeMs: checkNumber(
      owner,
      'maxAgeMs',
      options.maxAgeMs ?? Math.max(CACHED_DEFAULTS.maxAgeMs, freshMs),
      { min: freshMs },
    ),
    key,
    maxKeys: checkNumber(owner, 'maxKeys', options.maxKeys ?? CACHED_DEFAULTS.maxKeys, {
      min: 1,
      integer: true,
    }),
    singleFlight,
    spans: checkOneOf(owner, 'spans', options.spans ?? CACHED_DEFAULTS.spans, EVENT_SPANS),
    clock: checkClock(owner, options.clock ?? systemClock),
  };
}
