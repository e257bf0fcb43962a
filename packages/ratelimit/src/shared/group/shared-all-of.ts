import type { Operation, Policy } from '@temper/core';
import { Call, PolicyBase, type PolicyDescription } from '@temper/core/policy';
import { KEYED_BY_ITSELF } from '../../brands.ts';
import { readKey } from '../../changes/rate-controls.ts';
import type { JointDecision } from '../../joint/all-of.ts';
import type { AcquireOptions, Lease, LimitState, RequestCounts } from '../../limiter.ts';
import type { Levels } from '../../observer.ts';
import type { RefusalListener } from '../../refusals.ts';
import { observeLevels } from '../../telemetry.ts';
import { readOptions } from '../../wait/acquire-options.ts';
import type { SharedLimiter } from '../contract.ts';
import { runWhileHeld } from '../held-lease.ts';
import { SharedObserver } from '../telemetry.ts';
import { unlessAborted } from '../unless-aborted.ts';
import {
  type GroupAnswer,
  type GroupPart,
  partsOf,
  takeOfAll,
  tooLarge,
  worstOf,
} from './group-ask.ts';
import { GroupLease } from './group-lease.ts';
import { GroupQueue, GroupRefusal } from './group-queue.ts';
import {
  type ResolvedSharedAllOf,
  resolveSharedAllOf,
  type SharedAllOfOptions,
} from './options.ts';

/** A snapshot of {@link sharedAllOf}. */
export interface SharedAllOfStats extends RequestCounts {
  /** Refused with `StoreUnavailableError`. */
  readonly unavailable: number;
  /** Calls that wait for their turn. */
  readonly queued: number;
}

/** Several shared limits as one. A refusal names the limit that refuses (`error.policy`). */
export interface SharedAllOfLimiter extends SharedLimiter {
  take(options?: AcquireOptions): Promise<JointDecision>;
  stats(): SharedAllOfStats;
}

/** The state when no limit applies to a call. */
const UNLIMITED: LimitState = {
  limit: Number.MAX_SAFE_INTEGER,
  windowMs: undefined,
  remaining: Number.MAX_SAFE_INTEGER,
  resetMs: 0,
};

class SharedAllOfPolicy extends PolicyBase implements SharedAllOfLimiter, Policy {
  readonly #options: ResolvedSharedAllOf;
  readonly #observer: SharedObserver;
  readonly #levels: Disposable;
  readonly #queue: GroupQueue;

  constructor(options: ResolvedSharedAllOf) {
    super(options.name, options.clock);
    this.#options = options;
    this.#observer = new SharedObserver(this, options);
    this.#levels = observeLevels(this, options.telemetry);
    this.#queue = new GroupQueue(options.clock, options.maxQueue, takeOfAll);
  }

  get [KEYED_BY_ITSELF](): boolean {
    return true;
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  onReject(listener: RefusalListener): Disposable {
    return this.#observer.refusals.onReject(listener);
  }

  #partsFor(key: string | undefined, cost: number): readonly GroupPart[] {
    return partsOf(this.name, this.#options.limits, key, cost);
  }

  async tryAcquire(options?: AcquireOptions): Promise<Lease | undefined> {
    return (await this.take(options)).lease;
  }

  async take(options: AcquireOptions = {}): Promise<JointDecision> {
    const { cost, key, signal } = readOptions(this.name, options);
    const parts = this.#partsFor(key, cost);
    const call = new Call(1, undefined, undefined, signal);
    if (call.aborted) throw call.reason;
    try {
      this.#checkCost(parts);
      const behind = this.#behind(parts);
      const answers = behind === undefined ? await this.#askFor(parts, signal) : [behind];
      const refused = worstOf(answers);
      if (call.aborted) {
        if (refused === undefined) undoAll(answers);
        throw call.reason;
      }
      this.#observer.answered(refused === undefined);
      if (refused !== undefined) {
        const { part, decision } = refused;
        part.member.observer.answered(false);
        return { ...decision, allowed: false, lease: undefined, refusedBy: part.member.name };
      }
      const lease = this.#passed(answers, cost, 'allowed');
      const state = tightestOf(answers) ?? UNLIMITED;
      return { ...state, allowed: true, retryAfterMs: 0, lease, refusedBy: undefined };
    } catch (error) {
      this.#observer.failedAtOnce(error);
      throw error;
    }
  }

  /** @throws `signal.reason` (as a rejection) when the signal aborts */
  #askFor(
    parts: readonly GroupPart[],
    signal: AbortSignal | undefined,
  ): Promise<readonly GroupAnswer[]> {
    return unlessAborted(takeOfAll(parts, 0), signal, undoAll);
  }

  /** @throws {RateLimitExceededError} when one of the limits can never grant it */
  #checkCost(parts: readonly GroupPart[]): void {
    const part = tooLarge(parts);
    if (part === undefined) return;
    const error = part.member.parts.tooMuch(part.member.backend.capacity(part.key), part.cost);
    part.member.observer.countOf(error);
    throw error;
  }

  /** The answer of a limit for which calls of this group wait, which come first. */
  #behind(parts: readonly GroupPart[]): GroupAnswer | undefined {
    const part = this.#queue.behind(parts);
    if (part === undefined) return undefined;
    const state = { ...part.member.backend.unused(part.key), remaining: 0, resetMs: undefined };
    const decision = { ...state, allowed: false, retryAfterMs: undefined, lease: undefined };
    // When its turn comes, it is asked at once.
    return { part, fits: false, decision, askAgainMs: 0, undo: () => undefined };
  }

  #passed(answers: readonly GroupAnswer[], cost: number, how: 'allowed' | 'delayed'): GroupLease {
    for (const { part } of answers) part.member.observer.countOf(how);
    return new GroupLease(this.name, cost, answers, () => this.#queue.wake());
  }

  async acquire(options: AcquireOptions = {}): Promise<Lease> {
    const { cost, key, signal, maxWaitMs } = readOptions(this.name, options);
    const parts = this.#partsFor(key, cost);
    return this.#turn(parts, cost, new Call(1, undefined, undefined, signal), maxWaitMs);
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const { key, cost } = call;
    const parts = this.#partsFor(key, cost);
    const lease = await call.awaitCapacity(() => this.#turn(parts, cost, call), this.clock);
    try {
      return await runWhileHeld(operation, call, lease);
    } finally {
      lease.release();
    }
  }

  /** Waits for a turn, counts and reports it. */
  async #turn(
    parts: readonly GroupPart[],
    cost: number,
    call: Call,
    longestMs: number = Number.POSITIVE_INFINITY,
  ): Promise<GroupLease> {
    const open = this.#observer.begin(call, cost);
    try {
      if (call.aborted) throw call.reason;
      const large = tooLarge(parts);
      if (large !== undefined) throw new GroupRefusal(unknownOf(large), 'cost');
      const waitMs = Math.min(longestMs, this.#options.maxWaitMs);
      const deadline = Math.min(call.deadline ?? Number.POSITIVE_INFINITY, open.since + waitMs);
      const { answers, waited } = await this.#pass(parts, deadline, call);
      if (call.aborted) {
        undoAll(answers);
        throw call.reason;
      }
      this.#observer.passed(open, waited);
      return this.#passed(answers, cost, waited ? 'delayed' : 'allowed');
    } catch (error) {
      if (!(error instanceof GroupRefusal)) {
        this.#observer.failed(open, error);
        throw error;
      }
      const { refusal, part } = error;
      part.member.observer.countOf(refusal);
      part.member.observer.refusals.tell(refusal);
      this.#observer.failed(open, refusal);
      throw refusal;
    }
  }

  async #pass(
    parts: readonly GroupPart[],
    deadline: number,
    call: Call,
  ): Promise<{ readonly answers: readonly GroupAnswer[]; readonly waited: boolean }> {
    const behind = this.#behind(parts);
    const answers = behind === undefined ? await this.#askFor(parts, call.abortable) : [behind];
    const refused = worstOf(answers);
    if (refused === undefined) return { answers, waited: false };
    const { maxQueue, maxWaitMs } = this.#options;
    if (maxQueue === 0 || maxWaitMs === 0) throw new GroupRefusal(refused, 'limit');
    const granted = await this.#queue.join(parts, refused, deadline, call.abortable);
    return { answers: granted, waited: true };
  }

  async peek(options: Pick<AcquireOptions, 'key'> = {}): Promise<LimitState> {
    const parts = this.#partsFor(readKey(this.name, options), 1);
    const found = await Promise.all(parts.map(({ member, caller }) => member.peek(caller)));
    return tightest(found, parts) ?? UNLIMITED;
  }

  levels(): Levels {
    return { queued: this.#queue.size };
  }

  stats(): SharedAllOfStats {
    const all = this.#observer.stats(this.#queue.size, 1);
    const { allowed, delayed, rejected, aborted, unavailable, queued } = all;
    return { allowed, delayed, rejected, aborted, unavailable, queued };
  }

  [Symbol.dispose](): void {
    this.#levels[Symbol.dispose]();
  }
}

function undoAll(answers: readonly GroupAnswer[]): void {
  for (const { undo } of answers) undo();
}

/** The state of the limit of which the smallest share is left. */
function tightestOf(answers: readonly GroupAnswer[]): LimitState | undefined {
  const states = answers.map(({ decision: { limit, windowMs, remaining, resetMs } }) => {
    return { limit, windowMs, remaining, resetMs };
  });
  return tightest(
    states,
    answers.map(({ part }) => part),
  );
}

function tightest(
  states: readonly LimitState[],
  parts: readonly GroupPart[],
): LimitState | undefined {
  let found: LimitState | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const [i, state] of states.entries()) {
    const { member, key } = parts[i]!;
    const share = state.remaining / member.backend.capacity(key);
    if (share < least) found = state;
    least = Math.min(least, share);
  }
  return found;
}

/** An answer for a call that was not asked for. */
function unknownOf(part: GroupPart): GroupAnswer {
  const state = part.member.backend.unused(part.key);
  const decision = { ...state, allowed: false, retryAfterMs: undefined, lease: undefined };
  return { part, fits: false, decision, askAgainMs: undefined, undo: () => undefined };
}

/**
 * Asks several limits that processes share as one: a call takes from all of them, or from none. Limits in one store
 * are asked in one step, between whose parts no other call comes, where the store offers that (`takeAll`); those in
 * different stores one after another, and what was taken is given back when one refuses.
 *
 * ```ts
 * const api = sharedAllOf({
 *   name: 'api',
 *   limits: [{ limiter: perUser }, { limiter: perTenant, key: tenantOf }, { limiter: everybody }],
 * });
 * const { allowed, refusedBy, retryAfterMs } = await api.take({ key: user });
 * ```
 *
 * A call that waits holds nothing of any limit. `settle` of the lease corrects all of them, and `settle(0)` gives
 * everything back. Disposing of it does not dispose of the limiters.
 *
 * @throws {TypeError | RangeError} when an option is unknown, missing or out of range
 */
export function sharedAllOf(options: SharedAllOfOptions): SharedAllOfLimiter {
  return new SharedAllOfPolicy(resolveSharedAllOf(options));
}
