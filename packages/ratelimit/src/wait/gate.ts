import type { Call, PartWait } from '@temper/core/policy';
import type { LimitState } from '../limiter.ts';

/** What calls wait at: a limiter, or one key of a keyed limiter. */
export interface Gate {
  /** The limiter's name. */
  readonly name: string;
  /** Most units that can ever be taken at once. */
  readonly capacity: number;
  /**
   * Takes `cost` units if they are available, whether or not calls wait.
   *
   * @param now - the clock's monotonic time, where the caller has read it already
   * @returns whether they were taken
   */
  tryTake(cost: number, now?: number): boolean;
  /** Milliseconds until `cost` may be available; `undefined` when unknown. */
  delay(cost: number): number | undefined;
  /** The state of the limit. */
  peek(): LimitState;
  /**
   * A call begins to wait. Absent where nothing is held while a call runs.
   *
   * @returns to be ended when it waits no longer; `undefined` for a call that is no part of one that holds something
   * @throws {RateLimitExceededError} when it would wait for calls that it is a part of
   */
  beginWait?(call: Call, cost: number): PartWait | undefined;
}
