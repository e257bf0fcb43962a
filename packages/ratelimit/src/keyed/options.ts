import type { Clock, ExecutionContext, Operation, Outcome } from '@temper/core';
import type {
  AcquireOptions,
  CostedExecuteOptions,
  Lease,
  Limiter,
  Quota,
  RequestCounts,
  Verdict,
} from './limiter.ts';

/** Options of {@link keyed}. */
export interface KeyedOptions {
  /**
   * Names the limiter in errors, spans and metrics, for all its keys together.
   *
   * @defaultValue the name of the limiters that the factory makes
   */
  readonly name?: string;
  /**
   * Most keys kept. To make room for another, the one used longest ago is forgotten, unless somebody
   * waits for it or holds a permit of it; its limit then starts afresh.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless an integer from 1 to 2 ** 30
   */
  readonly maxKeys?: number;
  /**
   * How long a key is kept after its last use, in milliseconds. Nothing runs for it in between: keys
   * are looked at when others come and when metrics are read.
   *
   * @defaultValue 600_000, or as long as the limiter takes to be as good as new when that is longer
   * @throws {RangeError} unless at least as long as the limiter takes to be as good as new, as a key
   * forgotten before would get its limit twice
   */
  readonly idleMs?: number;
  /** @defaultValue the clock of the limiters that the factory makes, or the machine's */
  readonly clock?: Clock;
}

export const KNOWN_KEYED_OPTIONS: readonly string[] = ['name', 'maxKeys', 'idleMs', 'clock'];

/** The defaults, as the README's table shows them. */
export const KEYED_DEFAULTS: { readonly maxKeys: 10_000; readonly idleMs: 600_000 } = {
  maxKeys: 10_000,
  idleMs: 600_000,
};

/** What {@link keyed} has done, all keys together. */
export interface KeyedStats extends RequestCounts {
  /** Keys that are kept. */
  readonly keys: number;
  /** Keys forgotten to make room for others. */
  readonly evictions: number;
  /** Calls waiting for their turn. */
  readonly queued: number;
}

/** What {@link keyed} can keep one of per key. */
export interface Keyable extends Limiter {
  tryAcquire(cost?: number): boolean | Lease | undefined;
  stats(): RequestCounts & { readonly queued: number; readonly inFlight?: number };
}

/** A limiter for each key, of which only so many are kept. */
export interface KeyedLimiter<L extends Keyable = Keyable> extends Disposable {
  readonly name: string;
  /** As the limiter's own `tryAcquire`, for one key. */
  tryAcquire(key: string, cost?: number): ReturnType<L['tryAcquire']>;
  /** As {@link Limiter.check}, for one key. */
  check(key: string, cost?: number): Verdict;
  /** As {@link Limiter.acquire}, for one key. */
  acquire(key: string, options?: AcquireOptions): Promise<Lease>;
  /** As {@link Limiter.quota}, for one key. Does not count as a use of it. */
  quota(key: string): Quota;
  /** As {@link Limiter.execute}, for one key. */
  execute<T>(
    key: string,
    operation: Operation<T>,
    options?: CostedExecuteOptions | ExecutionContext,
  ): Promise<T>;
  /** As `tryExecute`, for one key. */
  tryExecute<T>(
    key: string,
    operation: Operation<T>,
    options?: CostedExecuteOptions | ExecutionContext,
  ): Promise<Outcome<T>>;
  /** A function of the same type whose calls run under the key that `keyOf` reads from their arguments. */
  wrap<This, Args extends readonly unknown[], R>(
    fn: (this: This, ...args: Args) => R,
    keyOf: (...args: Args) => string,
  ): (this: This, ...args: Args) => Promise<Awaited<R>>;
  /** The limiter of one key as a policy, to be put into a pipeline. Holding it does not keep the key. */
  for(key: string): Limiter;
  /** Forgets a key, unless it is in use; its limit then starts afresh. @returns whether it is gone */
  forget(key: string): boolean;
  stats(): KeyedStats;
}

/** What keeps the state of the keys. */
export interface KeyTable {
  tryAcquire(key: string, cost?: number): boolean | Lease | undefined;
  quota(key: string): Quota;
  limiter(key: string): Limiter;
  forget(key: string): boolean;
  stats(): KeyedStats;
}
