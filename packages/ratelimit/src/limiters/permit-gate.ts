import { type Call, Holders, type PartWait } from '@temper/core/policy';
import type { MemberPermits } from '../joint/member.ts';
import type { LimitState, RequestCounts } from '../limiter.ts';
import { type Levels, type LimiterObserver, type Observation, totalsOf } from '../observer.ts';
import type { Refusals } from '../refusals.ts';
import { Permits } from '../rules/permits.ts';
import { TOLERANCE } from '../rules/rule.ts';
import type { Gate } from '../wait/gate.ts';
import type { ResolvedQueueOptions } from '../wait/options.ts';
import { QueuedTurns } from '../wait/queued-turns.ts';
import type { OneGate } from '../wait/turns.ts';
import { refusal } from '../wait/wait-queue.ts';
import { HeldCall } from './held-call.ts';

/** A snapshot of a concurrency limiter. */
export interface ConcurrencyStats extends RequestCounts {
  /** Units in use. */
  readonly inFlight: number;
  /** Calls that wait for their turn. */
  readonly queued: number;
  /** Most units in use at the same time. */
  readonly limit: number;
}

/** Permits and the calls that wait for them: what fixed and adaptive concurrency limits share. */
export class PermitGate implements Gate, Disposable {
  readonly name: string;
  readonly capacity: number;
  readonly turns: QueuedTurns<PermitGate>;
  /** The calls that run. Permits that are held by hand belong to no call. */
  readonly holders: Holders;
  readonly #permits: Permits;
  readonly #observer: LimiterObserver;

  /** @param capacity - most that the limit can become, where it moves */
  constructor(
    options: ResolvedQueueOptions,
    { observe }: Observation,
    limit: number,
    capacity: number = limit,
  ) {
    this.name = options.name;
    this.capacity = capacity;
    this.#permits = new Permits(limit);
    // A limit that moves may rise while other calls end.
    this.holders = new Holders(
      (cost, stuck) => {
        const most = stuck < this.#permits.used ? this.capacity : this.#permits.limit;
        return stuck + cost <= most + TOLERANCE;
      },
      () => this.turns.hurry(),
    );
    this.#observer = observe(this, options);
    this.turns = new QueuedTurns<PermitGate>(this, options, this.#observer);
  }

  [Symbol.dispose](): void {
    this.#observer[Symbol.dispose]();
  }

  /** Who hears of refusals. */
  get refusals(): Refusals {
    return this.#observer.refusals;
  }

  get limit(): number {
    return this.#permits.limit;
  }

  /** Moves the limit, and serves the calls that it now has room for. */
  set limit(limit: number) {
    this.#permits.limit = limit;
    this.turns.wake();
  }

  get inFlight(): number {
    return this.#permits.used;
  }

  tryTake(cost: number): boolean {
    return this.#permits.take(cost, this.capacity);
  }

  /** Whether {@link tryTake} would take them. */
  fits(cost: number): boolean {
    return this.#permits.fits(cost, this.capacity);
  }

  hold(call: Call, cost: number): { readonly context: Call; end(): void } {
    const held = this.holders.hold(cost);
    return { context: new HeldCall(call, held), end: () => this.holders.end(held) };
  }

  /** The limit as one of several that are asked together. */
  get joined(): OneGate & { readonly permits: MemberPermits } {
    return {
      gate: this,
      turns: this.turns,
      observer: this.#observer,
      permits: this,
      leaseOf: (cost) => new PermitLease(this, cost),
    };
  }

  giveBack(cost: number): void {
    this.#permits.giveBack(cost);
    this.turns.wake();
  }

  beginWait(call: Call, cost: number): PartWait | undefined {
    const wait = this.holders.beginWait(call, cost);
    if (wait !== 'stuck') return wait;
    throw refusal(this, 'calls-itself', cost, Number.POSITIVE_INFINITY);
  }

  /** Unknown: permits come back when their holders finish. */
  delay(): undefined {
    return undefined;
  }

  peek(): LimitState {
    const { limit, available } = this.#permits;
    return {
      limit,
      windowMs: undefined,
      remaining: this.turns.queued > 0 ? 0 : Math.max(0, Math.floor(available + TOLERANCE)),
      resetMs: available >= limit ? 0 : undefined,
    };
  }

  levels(): Levels {
    const { limit, used, available } = this.#permits;
    const { queued } = this.turns;
    return { available: Math.max(0, available), limit, inFlight: used, queued };
  }

  stats(): ConcurrencyStats {
    const { limit, used } = this.#permits;
    return { inFlight: used, queued: this.turns.queued, limit, ...totalsOf(this.#observer) };
  }
}

/** Permits that are in use until their holder gives them back. */
export class PermitLease {
  readonly cost: number;
  #gate: PermitGate | undefined;

  constructor(gate: PermitGate, cost: number) {
    this.#gate = gate;
    this.cost = cost;
  }

  release(): void {
    const gate = this.#gate;
    this.#gate = undefined;
    gate?.giveBack(this.cost);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
