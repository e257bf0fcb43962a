import type { Call, PartWait } from '@temper/core/policy';
import { JOINABLE } from '../brands.ts';
import type { RateLimitExceededError } from '../errors.ts';
import type { Lease, LimitState } from '../limiter.ts';
import type { Answer } from '../observer.ts';
import type { OneGate } from '../wait/turns.ts';
import type { Watchers } from '../wait/watchers.ts';

/** What permits can do that units cannot. */
export interface MemberPermits {
  /** Whether permits for this cost could be taken now. */
  fits(cost: number): boolean;
  /** As of `Gate`. */
  beginWait(call: Call, cost: number): PartWait | undefined;
  /** A call has taken permits. @returns the context for its operation, and what ends it */
  hold(call: Call, cost: number): { readonly context: Call; end(): void };
}

/** One limit among several that are asked together: a limiter, or one key of it. It lives for one call. */
export interface Member {
  readonly name: string;
  /** Most units that can ever be taken at once. */
  readonly capacity: number;
  /** How many calls wait at the limit itself. They come first. */
  readonly queued: number;
  /** Whether there is no room for the key. */
  readonly full: boolean;
  /** Who hears when units come back before they are due. */
  readonly watchers: Watchers;
  /** Of a limit whose units are given back when a call ends. */
  readonly permits: MemberPermits | undefined;
  /** Milliseconds until `cost` could be taken; 0 for now, `undefined` when unknown. Changes nothing. */
  delay(cost: number): number | undefined;
  /** Takes units without counting the call. @returns whether they were there */
  tryTake(cost: number): boolean;
  /** The lease of units that were taken. */
  leaseOf(cost: number): Lease;
  peek(): LimitState;
  /** Counts a call that the limit has answered. */
  count(answer: Answer | 'keys'): void;
  /** Tells those who listen of a refusal by the limit. */
  tell(error: RateLimitExceededError): void;
}

/** A limiter that can be asked together with others. */
export interface Joinable {
  /** @throws {TypeError} when the limiter needs a key and there is none */
  joined(key: string | undefined): JoinedLimit;
}

/** How a limiter is asked: by its gate, where it has only one. */
export type JoinedLimit = Member | (OneGate & { readonly permits?: MemberPermits });

export function isJoinable(value: unknown): value is Joinable {
  return (value as { [JOINABLE]?: unknown } | null | undefined)?.[JOINABLE] === true;
}

/** A limiter as one limit among several. @throws {TypeError} when it needs a key and there is none */
export function memberOf(limiter: Joinable, key: string | undefined): Member {
  const joined = limiter.joined(key);
  if (!('gate' in joined)) return joined;
  const { gate, turns, observer, permits } = joined;
  return {
    name: gate.name,
    capacity: gate.capacity,
    queued: turns.queued,
    full: false,
    watchers: turns.watchers,
    permits,
    delay: (cost) => (permits?.fits(cost) === true ? 0 : gate.delay(cost)),
    tryTake: (cost) => gate.tryTake(cost),
    leaseOf: (cost) => joined.leaseOf(cost),
    peek: () => gate.peek(),
    count: (answer) => {
      if (answer !== 'keys') observer.counts[answer]++;
    },
    tell: (error) => observer.refusals.tell(error),
  };
}
