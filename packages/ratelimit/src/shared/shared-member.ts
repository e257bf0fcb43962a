import type { Decision, LimitState } from '../limiter.ts';
import type { SharedBackend, SharedParts } from './backend.ts';
import type { StoreUnavailableError } from './errors.ts';
import type { SharedObserver } from './telemetry.ts';

/** Marks a limiter with a {@link SharedMember}, made by any copy of this package whose members have the same shape. */
const SHARED_MEMBER: unique symbol = Symbol.for('temper.ratelimit.shared-member.1');

/** What a call asks of one of several shared limits. */
export interface SharedAsk {
  readonly member: SharedMember;
  readonly key: string | undefined;
  readonly cost: number;
}

/** What one of several shared limits has answered. */
export interface SharedAnswer {
  /** Its place among those that were asked. */
  readonly place: number;
  /** Of a limit that would let the call pass if others did, `allowed` without a lease. */
  readonly decision: Decision;
}

/** What a group of shared limits needs of each. */
export interface SharedMember {
  readonly name: string;
  /** What it limits: two limits of a kind and a name in one store are one. */
  readonly kind: 'rate' | 'permits';
  readonly backend: SharedBackend;
  readonly parts: SharedParts;
  readonly observer: SharedObserver;
  /** The key of the limit that a call with this key is for. */
  limitOf(key: string | undefined): string;
  /** The state of the limit that a call with this key is for. */
  peek(key: string): Promise<LimitState>;
  /** Takes from several limits at once, or from none, as `sharedAllOf` does for a call that does not wait. */
  takeTogether(asks: readonly SharedAsk[]): Promise<readonly SharedAnswer[]>;
  /** The error of a call while the store is away, in mode `closed`. */
  unavailable(cause: unknown): StoreUnavailableError;
}

/** A limiter that can be a member. */
interface Shared {
  readonly sharedMember: SharedMember;
}

/** Marks the limiters of a class. */
export function markShared(prototype: Shared): void {
  Object.defineProperty(prototype, SHARED_MEMBER, { value: true });
}

/** The member that a limiter is; `undefined` when it is none. */
export function sharedMemberOf(limiter: unknown): SharedMember | undefined {
  const marked = limiter as (Shared & { readonly [SHARED_MEMBER]?: true }) | null | undefined;
  return marked?.[SHARED_MEMBER] === true ? marked.sharedMember : undefined;
}
