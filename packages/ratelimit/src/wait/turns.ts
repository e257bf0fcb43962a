import type { Call } from '@temper/core/policy';
import type { RateLimitExceededError } from '../errors.ts';
import type { AcquireOptions, Lease } from '../limiter.ts';
import type { LimiterObserver } from '../observer.ts';
import type { Gate } from './gate.ts';
import type { Watchers } from './watchers.ts';

/**
 * Decides for each call at a gate whether it passes at once, waits or is refused, and counts it. All that a
 * limiter knows of its queue.
 */
export interface Turns {
  /** How many calls wait. */
  readonly queued: number;
  /** Who hears, after the calls that wait, that units may have come back. */
  readonly watchers: Watchers;
  /** Takes the units if they are available and no call waits. */
  enter(cost: number): boolean;
  /** As {@link enter}, for a caller that does not wait: a refusal is counted. */
  tryEnter(cost: number): boolean;
  /**
   * The cost in the options of a caller that does not wait.
   *
   * @throws {TypeError | RangeError} when an option is not allowed
   * @throws {RateLimitExceededError} when the cost can never pass
   */
  costOf(options: AcquireOptions): number;
  /** Takes units for a call by hand, waiting for them if need be. @returns the cost */
  acquire(options?: AcquireOptions): Promise<number>;
  /**
   * Waits for the turn of a call that did not pass at once. The units are taken when this resolves,
   * even if the call has been aborted in the same moment. It does not wait longer than leaves its operation as
   * much time as others take.
   *
   * @returns to be called when the operation has returned a value
   */
  wait(call: Call): Promise<() => void>;
  /**
   * Refuses a call that would not wait: nothing is asynchronous but the promise.
   *
   * @returns `undefined` when it may wait
   */
  refuse(call: Call): RateLimitExceededError | undefined;
  /** Units have come back: serves the calls whose turn has come. */
  wake(): void;
  /** As {@link wake}, when the limit changes in a way that no forecast includes. */
  changed(): void;
}

/** A limit that calls wait for at one gate, as `allOf` asks it together with others. */
export interface OneGate {
  readonly gate: Gate;
  readonly turns: Turns;
  readonly observer: LimiterObserver;
  /** The lease of units that were taken. */
  leaseOf(cost: number): Lease;
}
