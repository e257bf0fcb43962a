/** What a store enforces for a key. Sent with each request: a store keeps state, and no configuration. */
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
  /** How long the call can wait for its units, in milliseconds; 0 for not at all. */
  readonly maxWaitMs: number;
}

/** Several calls of one process, in order of arrival. Without calls, nothing is taken. */
export interface TakeRequest extends StoreKey {
  readonly rule: StoreRule;
  readonly calls: readonly TakeCall[];
}

/**
 * The answer to one call. Where the rule has a schedule (`token-bucket`, `gcra`), units can be taken
 * before they are due: the caller then waits `waitMs` and goes ahead without a second request.
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
      /** When another request can succeed if nothing else changes, in milliseconds. */
      readonly retryAfterMs: number;
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

/** Permits of a concurrency limit that processes share. */
export interface PermitRequest extends StoreKey {
  /** Names the lease, uniquely among all processes. */
  readonly lease: string;
  /** Whole permits; 0 takes nothing and returns the state. */
  readonly cost: number;
  readonly limit: number;
  /** The permits are free again after this long without renewal, in milliseconds. */
  readonly leaseMs: number;
}

/** The answer to a {@link PermitRequest}, and the state of the limit after it. */
export interface PermitResult {
  readonly granted: boolean;
  /** Permits in use. */
  readonly inUse: number;
  /** When the first lease expires unless it is renewed, in milliseconds; 0 when there is none. */
  readonly expiryMs: number;
}

/**
 * The port through which limiters of several processes share a limit. `@temper/redis` implements it;
 * {@link MemoryRateLimitStore} is the reference that an implementation is compared with.
 *
 * Every method is one round trip, must be atomic per key, and uses the store's own clock. It rejects
 * when the store cannot answer, whatever the reason, and does so in bounded time: the limiter then
 * decides as its option `onStoreFailure` says.
 */
export interface RateLimitStore {
  /**
   * Takes units for calls in their order. With a schedule, each call that can wait long enough gets its
   * place; with a window, the calls behind the first refused one are refused too.
   */
  take(request: TakeRequest): Promise<TakeResult>;
  /**
   * Gives back units that were taken and will not be used, if no others were taken since. Otherwise
   * they are lost: to move the calls behind them would let too many through at once.
   */
  giveBack(
    request: StoreKey & {
      readonly rule: StoreRule;
      readonly cost: number;
      readonly receipt: string;
    },
  ): Promise<void>;
  /** Takes permits if enough are free. */
  takePermits(request: PermitRequest): Promise<PermitResult>;
  /** Makes leases last for `leaseMs` from now. @returns the leases that have expired */
  renewPermits(
    request: StoreKey & { readonly leases: readonly string[]; readonly leaseMs: number },
  ): Promise<readonly string[]>;
  /** Gives permits back. A lease that has expired is ignored. */
  returnPermits(request: StoreKey & { readonly lease: string }): Promise<void>;
  /** Registers a process for `ttlMs`. @returns how many are registered, this one included */
  announce(request: {
    readonly limiter: string;
    readonly node: string;
    readonly ttlMs: number;
  }): Promise<number>;
}
