import type { Operation } from '@temper/core';
import {
  Call,
  checkNumber,
  type PartWait,
  PolicyBase,
  type PolicyDescription,
} from '@temper/core/policy';
import { KEYED_BY_ITSELF } from '../brands.ts';
import { readKey } from '../changes/rate-controls.ts';
import { RateLimitExceededError } from '../errors.ts';
import type {
  AcquireOptions,
  Decision,
  Lease,
  Limiter,
  LimitState,
  RequestCounts,
} from '../limiter.ts';
import { type Levels, type LimiterObserver, totalsOf } from '../observer.ts';
import type { RefusalListener, Refusing } from '../refusals.ts';
import { REPORTED } from '../telemetry.ts';
import { readOptions } from '../wait/acquire-options.ts';
import { giveBack, JointAsk, type JointParts, refusalBy, type Shortage } from './joint-ask.ts';
import { JointQueue, JointRefusal } from './joint-queue.ts';
import { type AllOfOptions, isKeyed, resolveAllOf } from './options.ts';

/** The answer of several limits: the state is that of the limit that refuses, or has the smallest share left. */
export interface JointDecision extends Decision {
  /** Name of the limiter that refuses: of several, the one that lacks units for longest. */
  readonly refusedBy: string | undefined;
}

/** A snapshot of {@link allOf}. */
export interface AllOfStats extends RequestCounts {
  /** Calls that wait for their turn. */
  readonly queued: number;
}

/**
 * Several limits as one. A refusal names the limit that refuses (`error.policy`) and when it can pass it; of
 * several, the longest time.
 */
export interface AllOfLimiter extends Limiter, Refusing {
  take(options?: AcquireOptions): JointDecision;
  stats(): AllOfStats;
}

/** The state when no limit applies to a call. */
const UNLIMITED: LimitState = {
  limit: Number.MAX_SAFE_INTEGER,
  windowMs: undefined,
  remaining: Number.MAX_SAFE_INTEGER,
  resetMs: 0,
};

class JointLease implements Lease {
  readonly cost: number;
  readonly #owner: string;
  readonly #ask: JointAsk;
  readonly #leases: readonly Lease[];
  #settled = false;

  constructor(owner: string, cost: number, ask: JointAsk, leases: readonly Lease[]) {
    this.#owner = owner;
    this.cost = cost;
    this.#ask = ask;
    this.#leases = leases;
  }

  settle(cost: number): void {
    checkNumber(this.#owner, 'cost', cost, { min: 0, infinite: false });
    if (this.#settled) return;
    this.#ask.settle(this.#leases, cost);
    this.#settled = true;
  }

  release(): void {
    for (const lease of this.#leases) lease.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

class AllOfPolicy extends PolicyBase implements AllOfLimiter {
  readonly #options: ReturnType<typeof resolveAllOf>;
  readonly #observer: LimiterObserver;
  readonly #levels: Disposable;
  readonly #queue: JointQueue;

  constructor(options: ReturnType<typeof resolveAllOf>) {
    super(options.name, options.clock);
    this.#options = options;
    this.#observer = REPORTED.observe(this, options);
    this.#levels = REPORTED.observeLevels(this, options.telemetry);
    this.#queue = new JointQueue(options.clock, options.maxQueue);
  }

  get [KEYED_BY_ITSELF](): boolean {
    return this.#options.limits.some(({ limiter }) => isKeyed(limiter));
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  onReject(listener: RefusalListener): Disposable {
    return this.#observer.refusals.onReject(listener);
  }

  #askFor(key: string | undefined, cost: number): JointAsk {
    return new JointAsk(this.name, this.#options.limits, key, cost);
  }

  tryAcquire(options?: AcquireOptions): Lease | undefined {
    return this.take(options).lease;
  }

  take(options: AcquireOptions = {}): JointDecision {
    const { cost, key } = readOptions(this.name, options);
    const ask = this.#askFor(key, cost);
    const answer = this.#queue.enter(ask);
    if ('leases' in answer) {
      const lease = this.#passed(ask, cost, answer, 'allowed');
      const state = ask.peek() ?? UNLIMITED;
      return { ...state, allowed: true, retryAfterMs: 0, lease, refusedBy: undefined };
    }
    if (answer.reason === 'cost') throw refusalBy(answer);
    answer.member.count(answer.reason === 'keys' ? 'keys' : 'limit');
    this.#observer.counts.limit++;
    const { retryAfterMs } = refusalBy(answer);
    const { name } = answer.member;
    return {
      ...answer.member.peek(),
      allowed: false,
      retryAfterMs,
      lease: undefined,
      refusedBy: name,
    };
  }

  #passed(
    ask: JointAsk,
    cost: number,
    { leases, members }: JointParts,
    how: 'allowed' | 'delayed',
  ): Lease {
    for (const member of members) member.count(how);
    this.#observer.counts[how]++;
    return new JointLease(this.name, cost, ask, leases);
  }

  async acquire(options: AcquireOptions = {}): Promise<Lease> {
    const { cost, key, signal, maxWaitMs } = readOptions(this.name, options);
    if (signal?.aborted === true) throw signal.reason;
    const ask = this.#askFor(key, cost);
    const answer = this.#queue.enter(ask);
    if ('leases' in answer) return this.#passed(ask, cost, answer, 'allowed');
    const call = new Call(1, undefined, undefined, signal);
    return this.#passed(ask, cost, await this.#wait(ask, cost, answer, call, maxWaitMs), 'delayed');
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const { key, cost } = call;
    const ask = this.#askFor(key, cost);
    const answer = this.#queue.enter(ask);
    if ('leases' in answer) return this.#run(operation, call, ask, answer, 'allowed');
    const remainingMs = call.remainingMs(this.clock);
    const turn = (): Promise<JointParts> => this.#wait(ask, cost, answer, call, remainingMs);
    const parts = await call.awaitCapacity(turn, this.clock);
    return this.#run(operation, call, ask, parts, 'delayed');
  }

  /** In a context by which the parts of the call are recognised at the limits whose permits it holds. */
  async #run<T>(
    operation: Operation<T>,
    call: Call,
    ask: JointAsk,
    parts: JointParts,
    how: 'allowed' | 'delayed',
  ): Promise<T> {
    const lease = this.#passed(ask, call.cost, parts, how);
    if (call.aborted) {
      giveBack(lease);
      throw call.reason;
    }
    let context = call;
    const ends: (() => void)[] = [];
    for (const [i, { permits }] of parts.members.entries()) {
      if (permits === undefined) continue;
      const held = permits.hold(context, parts.leases[i]!.cost);
      context = held.context;
      ends.push(() => held.end());
    }
    try {
      return await operation(context);
    } finally {
      for (const end of ends) end();
      lease.release();
    }
  }

  /** Waits for a call that did not pass at once. Counts and reports a refusal, and not that it passes. */
  async #wait(
    ask: JointAsk,
    cost: number,
    shortage: Shortage,
    call: Call,
    longestMs: number = Number.POSITIVE_INFINITY,
  ): Promise<JointParts> {
    const { maxQueue, maxWaitMs, clock } = this.#options;
    const since = clock.monotonic();
    const observed = this.#observer.begin(call, cost);
    const waits: (PartWait | undefined)[] = [];
    try {
      if (maxQueue === 0 || maxWaitMs === 0 || shortage.reason !== 'limit') {
        throw new JointRefusal(shortage, 'limit');
      }
      for (const [i, { permits }] of ask.members.entries()) {
        waits.push(permits?.beginWait(call, ask.costs[i]!));
      }
      const deadline = since + Math.min(longestMs, maxWaitMs);
      const isUrgent = (): boolean => waits.some((wait) => wait?.urgent === true);
      const parts = await this.#queue.join(ask, shortage, deadline, call.abortable, isUrgent);
      this.#observer.ended(observed, 'delayed', clock.monotonic() - since);
      return parts;
    } catch (error) {
      const waitedMs = clock.monotonic() - since;
      if (error instanceof JointRefusal) {
        const { refusal } = error;
        const { member } = error.shortage;
        member.count(refusal.reason as 'limit');
        this.#observer.counts[refusal.reason === 'keys' ? 'limit' : (refusal.reason as 'limit')]++;
        this.#observer.ended(observed, 'rejected', waitedMs, refusal);
        member.tell(refusal);
        this.#observer.refusals.tell(refusal);
        throw refusal;
      }
      // A call that would wait for itself is refused by the permits that it holds.
      if (error instanceof RateLimitExceededError && error !== call.reason) {
        this.#refusedByPermits(ask, error);
        this.#observer.ended(observed, 'rejected', waitedMs, error);
        this.#observer.refusals.tell(error);
      } else {
        this.#observer.counts.aborted++;
        this.#observer.ended(observed, 'aborted', waitedMs);
      }
      throw error;
    } finally {
      for (const wait of waits) wait?.end();
    }
  }

  #refusedByPermits(ask: JointAsk, error: RateLimitExceededError): void {
    const reason = error.reason as 'calls-itself';
    const member = ask.members.find(({ name }) => name === error.policy);
    member?.count(reason);
    member?.tell(error);
    this.#observer.counts[reason]++;
  }

  peek(options: Pick<AcquireOptions, 'key'> = {}): LimitState {
    const ask = this.#askFor(readKey(this.name, options), 1);
    return ask.peek() ?? UNLIMITED;
  }

  levels(): Levels {
    return { queued: this.#queue.size };
  }

  stats(): AllOfStats {
    return { queued: this.#queue.size, ...totalsOf(this.#observer) };
  }

  [Symbol.dispose](): void {
    this.#levels[Symbol.dispose]();
    this.#observer[Symbol.dispose]();
  }
}

/**
 * Asks several limits of this process as one: a call takes its units from all of them, or from none. Between two
 * limits no other call is asked, so that nobody sees units taken of one that another one then refuses.
 *
 * ```ts
 * const api = allOf({
 *   name: 'api',
 *   limits: [{ limiter: perUser }, { limiter: perTenant, key: tenantOf }, { limiter: everybody }],
 * });
 * const { allowed, refusedBy, retryAfterMs } = api.take({ key: user });
 * ```
 *
 * A call that waits holds nothing of any limit. Calls that wait at one of the limiters by themselves come first.
 * `settle` of the lease corrects all of them, and `settle(0)` gives everything back. Disposing of it does not
 * dispose of the limiters.
 *
 * @throws {TypeError | RangeError} when an option is unknown, missing or out of range
 */
export function allOf(options: AllOfOptions): AllOfLimiter {
  return new AllOfPolicy(resolveAllOf(options));
}
