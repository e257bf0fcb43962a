import type { RateChange } from '../changes/rate-change.ts';

export type { RateChange };

/**
 * A rate limit as a store enforces it. Sent with each request: a store keeps state and no configuration.
 * `token-bucket` and `gcra` are the same rule.
 */
export type StoreRule =
  | {
      readonly kind: 'token-bucket' | 'gcra';
      readonly limit: number;
      readonly windowMs: number;
      readonly burst: number;
    }
  | {
      readonly kind: 'sliding-window';
      readonly limit: number;
      readonly windowMs: number;
      readonly segments: number;
    }
  | { readonly kind: 'fixed-window'; readonly limit: number; readonly windowMs: number };

/** Names one limit among all processes. */
export interface StoreKey {
  /** The limiter's name: the same in every process. */
  readonly limiter: string;
  /** Whose limit it is; empty for calls without a key. */
  readonly key: string;
}

/** One call that asks for units. */
export interface TakeCall {
  readonly cost: number;
  /** How long the call can wait for its units, in milliseconds; 0 for not at all. May be `Infinity`. */
  readonly maxWaitMs: number;
  /**
   * Who asks, where all callers together share the limit fairly, over all processes; at most 129
   * characters. Either all calls of a request have one, or none.
   */
  readonly caller?: string;
  /** The weight of the caller, from 0.001 to 1000. @defaultValue 1 */
  readonly weight?: number;
}

/** Several calls of one process, in order of arrival. Without calls, nothing is taken. */
export interface TakeRequest extends StoreKey {
  readonly rule: StoreRule;
  readonly calls: readonly TakeCall[];
}

/**
 * How far ahead units can be taken under a rule with a schedule, in milliseconds. A process that dies
 * while its calls wait delays the others by no more than this.
 */
export const RESERVATION_MS = 1000;

/**
 * The answer to one call. Where the rule has a schedule (`token-bucket`, `gcra`), units can be taken up
 * to {@link RESERVATION_MS} before they are due: the caller then waits `waitMs` and goes ahead without a
 * second request.
 */
export type TakeAnswer =
  | {
      readonly taken: true;
      readonly waitMs: number;
      /** For {@link RateLimitStore.giveBack}. */
      readonly receipt: string;
    }
  | {
      readonly taken: false;
      /**
       * When the units are there if nothing else changes, in milliseconds: after those of the calls
       * before it in the same request that can wait for theirs.
       */
      readonly retryAfterMs: number;
      /** When to ask again, in milliseconds, where callers share fairly; otherwise, when units are there. */
      readonly askAgainMs?: number;
    };

/** The answers, and the state of the limit after them. */
export interface TakeResult {
  /** One per call, in order. */
  readonly answers: readonly TakeAnswer[];
  /** Units that could be taken now. */
  readonly remaining: number;
  /** Milliseconds until there will be more; 0 when there is no more. */
  readonly resetMs: number;
}

/** Permits that one call asks for. */
export interface PermitCall {
  /** Names the lease, uniquely among all processes. */
  readonly lease: string;
  /** Whole permits, at least 1. */
  readonly cost: number;
}

/** Permits of a concurrency limit that processes share, for several calls in order of arrival. */
export interface PermitRequest extends StoreKey {
  /** Without calls, nothing is taken. */
  readonly calls: readonly PermitCall[];
  readonly limit: number;
  /** The permits are free again after this long without renewal, in milliseconds. */
  readonly leaseMs: number;
}

/** The answer to a {@link PermitRequest}, and the state of the limit after it. */
export interface PermitResult {
  /** How many calls were granted, from the first on; the others were refused. */
  readonly granted: number;
  /** Permits in use. */
  readonly inUse: number;
  /** When the first lease expires unless it is renewed, in milliseconds; 0 when there is none. */
  readonly expiryMs: number;
}

/** One call that asks several limits in one step: each request has exactly one call. */
export interface JointRequest {
  readonly rates: readonly TakeRequest[];
  readonly permits: readonly PermitRequest[];
}

/** The answer to a {@link JointRequest}. */
export interface JointResult {
  /** Whether the units and permits of all limits were taken; otherwise, none. */
  readonly taken: boolean;
  /**
   * The answer of each limit, and its state after it. What was taken has a `waitMs` of 0. When nothing was
   * taken, `retryAfterMs` is 0 where only others refuse.
   */
  readonly rates: readonly TakeResult[];
  /** Likewise. When nothing was taken, `granted` is 0, also where the permits were free. */
  readonly permits: readonly PermitResult[];
}

/**
 * The port through which limiters of several processes share a limit. `@temper/redis` implements it;
 * {@link MemoryRateLimitStore} is the reference, and {@link rateLimitStoreLaws} what every
 * implementation is held to.
 *
 * Every method is one round trip, must be atomic per key, and uses the store's own clock. It rejects
 * when the store cannot answer, whatever the reason, and does so in bounded time: the limiter then
 * decides as its option `onStoreFailure` says. Answers are checked by the limiter before they are used.
 *
 * The state of a rate limit says under which rule it was written. When a key is asked for under another
 * rule, a state for that rule is derived from the existing ones: the units in use stay in use. Until a
 * rule has not been asked for during its whole recovery, every call is charged to its state too, so that
 * two releases with different limits can share a key. A clock that is set back does not prolong a wait.
 */
export interface RateLimitStore {
  /**
   * Takes units for calls in their order. A call that has to wait longer than its `maxWaitMs` is refused
   * and holds up no other; behind one that can wait, but not be served yet, none is served.
   *
   * Where calls name their caller, that holds among those of one caller. Who has had more than its max-min
   * fair share then leaves room for callers that wait and have had less, whatever process they are in.
   */
  take(request: TakeRequest): Promise<TakeResult>;
  /**
   * Takes from several limits at the same instant, or from none: what `take` and `takePermits` take for a call
   * without a wait. Nothing is taken ahead of time. A `maxWaitMs` says how long the call can wait to be asked for
   * again, where callers share fairly.
   *
   * Optional: without it, limits are asked one after another, and what was taken is given back.
   *
   * @returns `undefined` when these limits cannot be asked in one step, and nothing was taken
   */
  takeAll?(request: JointRequest): Promise<JointResult | undefined>;
  /** Gives back units that were taken and will not be used, in any order. */
  giveBack(
    request: StoreKey & {
      readonly rule: StoreRule;
      readonly cost: number;
      readonly receipt: string;
    },
  ): Promise<void>;
  /** Changes the state of a rate limit. */
  change(
    request: StoreKey & { readonly rule: StoreRule; readonly change: RateChange },
  ): Promise<void>;
  /** Takes permits for calls in their order, until one finds too few. */
  takePermits(request: PermitRequest): Promise<PermitResult>;
  /** Makes leases last for `leaseMs` from now. @returns the leases that have expired */
  renewPermits(
    request: StoreKey & { readonly leases: readonly string[]; readonly leaseMs: number },
  ): Promise<readonly string[]>;
  /** Gives the permits of leases back. One that has expired is ignored. */
  returnPermits(
    request: StoreKey & { readonly leases: readonly string[]; readonly leaseMs: number },
  ): Promise<void>;
  /** Registers a process for `ttlMs`. @returns how many are registered, this one included */
  announce(request: {
    readonly limiter: string;
    readonly node: string;
    readonly ttlMs: number;
  }): Promise<number>;
}
