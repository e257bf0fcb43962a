import type { Operation } from '@temper/core';
import type { Call } from '@temper/core/policy';
import { RateLimitExceededError } from '../errors.ts';
import type { AcquireOptions, Decision, Lease, LimitState } from '../limiter.ts';
import type { KeyedStats } from './options.ts';

/** Keeps the limits of the keys. `cost` is the one in the options, which were checked. */
export interface KeyTable {
  tryAcquire(key: string, cost: number, options: AcquireOptions): Lease | undefined;
  acquire(key: string, cost: number, options: AcquireOptions): Promise<Lease>;
  take(key: string, cost: number, options: AcquireOptions): Decision;
  peek(key: string): LimitState;
  runInCall<T>(key: string, operation: Operation<T>, call: Call): Promise<T>;
  forget(key: string): boolean;
  stats(): KeyedStats;
}

/** No slot. */
export const NONE = -1;

/** The error for a call when all `kept` keys are in use. */
export function noRoom(policy: string, kept: number, cost: number): RateLimitExceededError {
  return new RateLimitExceededError(policy, {
    reason: 'keys',
    limit: kept,
    remaining: 0,
    retryAfterMs: undefined,
    cost,
  });
}
