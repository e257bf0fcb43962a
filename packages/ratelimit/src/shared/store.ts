/** What a store holds a key to. Sent with each request: a store keeps numbers, and no configuration. */
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

/** Names one limit in the fleet. */
export interface StoreKey {
  /** The limiter's name: the same in every process. */
  readonly limiter: string;
  /** Whose limit it is; empty for a limiter without keys. */
  readonly key: string;
}

/** One call that wants units. */
export interface TakeAsk {
  readonly cost: number;
  /** How long the caller could wait for them, in milliseconds; 0 for not at all. */
  readonly maxWaitMs: number;
}

/** Several calls of one process, first come first. */
export interface TakeRequest extends StoreKey {
  readonly rule: StoreRule;
  readonly asks: readonly TakeAsk[];
}

/**
 * The answer to one call. Where the rule has a schedule (`token-bucket`, `gcra`), units can be taken
 * before they are there: the caller then waits `waitMs` and goes, without asking again.
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
      /** When it is worth asking again, all else staying the same. */
      readonly retryAfterMs: number;
    };

/** How the limit stands after it. */
export interface TakeResult {
  /** One per ask, in order. */
  readonly answers: readonly TakeAnswer[];
  /** Units that could be taken now. */
  readonly remaining: number;
  /** Milliseconds until there is more; 0 when there is no more. */
  readonly resetMs: number;
}

/** One permit, or several, of a bulkhead that the fleet shares. */
export interface PermitRequest extends StoreKey {
  /** Names the lease, uniquely in the fleet. */
  readonly lease: string;
  /** Whole permits. */
  readonly cost: number;
  readonly limit: number;
  /** After so many milliseconds without renewal the permits are free, whatever became of their holder. */
  readonly leaseMs: number;
}

export interface PermitResult {
  readonly granted: boolean;
  /** Permits in use after it. */
  readonly inUse: number;
  /** When the first lease expires if nobody renews it, in milliseconds; 0 when none is out. */
  readonly expiryMs: number;
}

/**
 * The port through which limiters of several processes share a limit. `@temper/redis` implements it;
 * {@link MemoryRateLimitStore} is the reference that an implementation is held to.
 *
 * Every method is one round trip, must be atomic per key, and goes by the store's own clock. It
 * rejects when the store cannot answer, whatever the reason, and does so in bounded time: a limiter
 * then decides by itself.
 */
export interface RateLimitStore {
  /**
   * Takes units for calls in their order. With a schedule, each call that could wait long enough gets
   * its place; with a window, the calls behind the first that is refused are refused too.
   */
  take(request: TakeRequest): Promise<TakeResult>;
  /**
   * Gives units back that were taken and will not be used, if nobody has taken any since: otherwise
   * their place in the schedule is lost, as moving the others would let too many through at once.
   */
  giveBack(
    request: StoreKey & {
      readonly rule: StoreRule;
      readonly cost: number;
      readonly receipt: string;
    },
  ): Promise<void>;
  /** Takes permits, if so many are free. */
  takePermits(request: PermitRequest): Promise<PermitResult>;
  /** Makes leases last for `leaseMs` from now. @returns those that have expired and are lost */
  renewPermits(
    request: StoreKey & { readonly leases: readonly string[]; readonly leaseMs: number },
  ): Promise<readonly string[]>;
  /** Gives permits back. A lease that has expired is ignored. */
  returnPermits(request: StoreKey & { readonly lease: string }): Promise<void>;
  /** Says that a process is there, for `ttlMs`. @returns how many are, itself included */
  announce(request: {
    readonly limiter: string;
    readonly node: string;
    readonly ttlMs: number;
  }): Promise<number>;
}
