import type { Operation } from '@temper/core';
import type { Call } from '@temper/core/policy';
import type { KeyDump } from '../changes/limit-dump.ts';
import type { RateChange } from '../changes/rate-change.ts';
import { RateLimitExceededError } from '../errors.ts';
import type { JoinedLimit } from '../joint/member.ts';
import type { AcquireOptions, Decision, Lease, LimitState } from '../limiter.ts';
import type { Refusing } from '../refusals.ts';
import type { KeyedStats } from './options.ts';

/** Keeps the limits of the keys. `cost` is the one in the options, which were checked. */
export interface KeyTable extends Refusing, Disposable {
  tryAcquire(key: string, cost: number, options: AcquireOptions): Lease | undefined;
  acquire(key: string, cost: number, options: AcquireOptions): Promise<Lease>;
  take(key: string, cost: number, options: AcquireOptions): Decision;
  peek(key: string): LimitState;
  /** The limit of a key as one of several that are asked together. */
  joined(key: string): JoinedLimit;
  runInCall<T>(key: string, operation: Operation<T>, call: Call): Promise<T>;
  forget(key: string): boolean;
  change(key: string, change: RateChange): void;
  /** The keys of which something is in use or that are blocked. */
  dump(): KeyDump[];
  restore(keys: readonly KeyDump[]): void;
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
