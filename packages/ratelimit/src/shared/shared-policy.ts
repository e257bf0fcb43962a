import {
  type CallContext,
  checkNumber,
  type ExecuteOptions,
  type ExecutionContext,
  enterCall,
  isCallContext,
  type Operation,
  type Outcome,
  type Policy,
  PolicyBase,
  type PolicyDescription,
} from '@temper/core';
import { RateLimitExceededError, type RejectionReason, StoreUnavailableError } from '../errors.ts';
import type { AcquireOptions, CostedExecuteOptions, Lease, Limiter, Verdict } from '../limiter.ts';
import { type Levels, observeLevels } from '../telemetry.ts';
import { Alarm } from './alarm.ts';
import { FleetSize } from './fleet-size.ts';
import type { ResolvedSharedOptions, StoreFailureMode } from './options.ts';
import { SharedBooks, type SharedStats } from './shared-books.ts';
import { WaitingRoom } from './waiting-room.ts';

/** How a caller wants to wait, and for whose limit. */
export interface SharedAcquireOptions extends AcquireOptions {
  /** Whose limit. @defaultValue '' */
  readonly key?: string;
}

/** {@link ExecuteOptions} with a key and a cost. */
export interface SharedExecuteOptions extends CostedExecuteOptions {
  /** Whose limit. @defaultValue '' */
  readonly key?: string;
}

/** A limiter whose limit several processes share. */
export interface SharedLimiter extends Policy {
  /**
   * Takes a place, waiting for it if need be, in the order in which the calls of this process came.
   *
   * @throws {RateLimitExceededError} (as a rejection, as soon as it is known) when the queue is full,
   * the deadline cannot be met, or the cost can never fit
   * @throws {StoreUnavailableError} (as a rejection) when the store is away and `onStoreFailure` is `closed`
   * @throws {DeadlineExceededError} (as a rejection) when the store has not answered by the deadline
   * @throws `signal.reason` (as a rejection, at once) when the signal aborts
   */
  acquire(options?: SharedAcquireOptions): Promise<Lease>;
  /** Asks without waiting, and tells everything about the answer. Errors as {@link acquire}. */
  check(key?: string, cost?: number): Promise<Verdict>;
  execute<T>(
    operation: Operation<T>,
    options?: SharedExecuteOptions | ExecutionContext,
  ): Promise<T>;
  tryExecute<T>(
    operation: Operation<T>,
    options?: SharedExecuteOptions | ExecutionContext,
  ): Promise<Outcome<T>>;
  stats(): SharedStats;
}

/** One call that wants its turn. */
export interface Turn {
  readonly key: string;
  readonly cost: number;
  /** On the clock's monotonic scale. */
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

/** A turn that has come. */
export interface Turned {
  readonly lease: Lease;
  readonly waited: boolean;
}

/** The store has failed, with this cause: for telling it from answers. */
export class StoreFailure extends Error {
  constructor(cause: unknown) {
    super('The store has failed.', { cause });
  }
}

/** What all shared limiters have in common: asking, falling back, and telling of it. */
export abstract class SharedPolicy extends PolicyBase implements SharedLimiter {
  protected readonly shared: ResolvedSharedOptions;
  protected readonly alarm: Alarm;
  protected readonly fleet: FleetSize;
  protected readonly room: WaitingRoom;
  readonly #books: SharedBooks;
  readonly #observer: Disposable;

  constructor(shared: ResolvedSharedOptions) {
    const { queue, store, nodes } = shared;
    super(queue.name, queue.clock);
    this.shared = shared;
    this.alarm = new Alarm(queue.clock);
    this.fleet = new FleetSize(store, queue.name, queue.clock, nodes);
    this.room = new WaitingRoom(queue.maxWaitMs === 0 ? 0 : queue.maxQueue);
    this.#books = new SharedBooks(queue);
    this.#observer = observeLevels(this);
  }

  /** The limit, for whoever is told of it. */
  protected abstract readonly limit: number;
  /** @throws when the cost is no cost, or can never fit */
  protected abstract checkCost(cost: number): void;
  /** Waits for a turn from the store. @throws {StoreFailure} when it cannot be had from there */
  protected abstract ask(turn: Turn): Promise<Turned>;
  /** Asks the store without waiting. @throws {StoreFailure} */
  protected abstract askNow(key: string, cost: number): Promise<Verdict>;
  /** The limiter of this process alone for a key, holding it to its share. */
  protected abstract local(key: string): Limiter;
  /** How many wait there. */
  protected abstract readonly localQueued: number;
  /** What everything gets while all doors are open. */
  protected abstract free(cost: number): Verdict & { readonly lease: Lease };
  /** Runs the operation with what has been taken. */
  protected abstract run<T>(
    operation: Operation<T>,
    context: CallContext,
    lease: Lease,
  ): Promise<T>;

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  async acquire(options: SharedAcquireOptions = {}): Promise<Lease> {
    const { key = '', cost = 1, signal, deadlineMs } = options;
    if (deadlineMs !== undefined) checkNumber(this.name, 'deadlineMs', deadlineMs, { min: 0 });
    signal?.throwIfAborted();
    const deadline = this.clock.monotonic() + (deadlineMs ?? Number.POSITIVE_INFINITY);
    return this.#turn({ key, cost, signal, deadline }, undefined);
  }

  async check(key = '', cost = 1): Promise<Verdict> {
    this.checkCost(cost);
    const verdict = await this.#decide(
      () => this.askNow(key, cost),
      () => this.#locally(cost, () => this.local(key).check(cost)),
      () => this.free(cost),
    );
    if (verdict.allowed) this.#books.count(false);
    else this.#books.refused();
    return verdict;
  }

  override execute<T>(
    operation: Operation<T>,
    options?: SharedExecuteOptions | ExecuteOptions | ExecutionContext,
  ): Promise<T> {
    if (options === undefined || isCallContext(options)) return super.execute(operation, options);
    const { key = '', cost = 1 } = options as SharedExecuteOptions;
    const runInCall = <R>(op: Operation<R>, context: CallContext): Promise<R> =>
      this.#runFor(key, cost, op, context);
    return enterCall({ runInCall }, operation, options as ExecuteOptions, this.clock);
  }

  runInCall<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    return this.#runFor('', 1, operation, context);
  }

  async #runFor<T>(
    key: string,
    cost: number,
    operation: Operation<T>,
    context: CallContext,
  ): Promise<T> {
    const deadline = context.deadline ?? Number.POSITIVE_INFINITY;
    const lease = await this.#turn({ key, cost, signal: context.abortable, deadline }, context);
    if (context.aborted) {
      lease.release();
      throw context.reason;
    }
    return this.run(operation, context, lease);
  }

  async #turn(turn: Turn, call: CallContext | undefined): Promise<Lease> {
    const request = this.#books.begin(turn.cost, call);
    try {
      this.checkCost(turn.cost);
      const deadline = Math.min(turn.deadline, request.since + this.shared.queue.maxWaitMs);
      const limited = { ...turn, deadline };
      const { lease, waited } = await this.#decide(
        () => this.ask(limited),
        () => this.#locally(turn.cost, () => this.#askLocally(limited)),
        () => ({ lease: this.free(turn.cost).lease, waited: false }),
      );
      this.#books.passed(request, waited);
      return lease;
    } catch (error) {
      this.#books.failed(request, error);
      throw error;
    }
  }

  async #askLocally({ key, cost, deadline, signal }: Turn): Promise<Turned> {
    const local = this.local(key);
    const { lease } = local.check(cost);
    if (lease !== undefined) return { lease, waited: false };
    const deadlineMs = Math.max(0, deadline - this.clock.monotonic());
    const options = { cost, deadlineMs, ...(signal === undefined ? {} : { signal }) };
    return { lease: await local.acquire(options), waited: true };
  }

  /** What is too much for the share of one process may yet fit when the store is back. */
  async #locally<T>(cost: number, ask: () => T | Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof RateLimitExceededError) || error.reason !== 'cost') throw error;
      throw this.refusal('limit', cost, undefined);
    }
  }

  /** Asks the store, or who decides in its place. */
  async #decide<T>(
    store: () => Promise<T>,
    local: () => T | Promise<T>,
    open: () => T,
  ): Promise<T> {
    this.fleet.keepUp(this.clock.monotonic());
    try {
      const answer = await store();
      this.#books.found();
      return answer;
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      const mode: StoreFailureMode = this.shared.onStoreFailure;
      this.#books.lost(error.cause, mode);
      if (mode === 'local') return local();
      if (mode === 'open') return open();
      throw this.#unavailable(error.cause);
    }
  }

  #unavailable(cause: unknown): StoreUnavailableError {
    return cause instanceof StoreUnavailableError
      ? cause
      : new StoreUnavailableError(this.name, cause);
  }

  protected refusal(
    reason: RejectionReason,
    cost: number,
    retryAfterMs: number | undefined,
  ): RateLimitExceededError {
    const { limit } = this;
    // A queue of no length is no queue: it is the limit that was met.
    const said =
      reason !== 'cost' && this.room.free === 0 && this.room.size === 0 ? 'limit' : reason;
    return new RateLimitExceededError(this.name, {
      reason: said,
      limit,
      remaining: 0,
      retryAfterMs,
      cost,
    });
  }

  levels(): Levels {
    return { limit: this.limit, queued: this.room.size + this.localQueued };
  }

  stats(): SharedStats {
    return this.#books.stats(this.room.size + this.localQueued, this.fleet.nodes);
  }

  [Symbol.dispose](): void {
    this.#observer[Symbol.dispose]();
  }
}
