import type { Operation } from '@temper/core';
import { Call, PolicyBase, type PolicyDescription } from '@temper/core/policy';
import { RateLimitExceededError } from '../errors.ts';
import { KEYED_BY_ITSELF } from '../keyed/brand.ts';
import { leaseOf } from '../lease.ts';
import type { AcquireOptions, Decision, Lease, LimitState, SharedLimiter } from '../limiter.ts';
import { TOLERANCE } from '../rules/rule.ts';
import { type Levels, observeLevels } from '../telemetry.ts';
import { readOptions, readPeek } from '../wait/acquire-options.ts';
import {
  type Answer,
  type SharedBackend,
  type SharedParts,
  StoreFailure,
  type Turn,
  type TurnRequest,
} from './backend.ts';
import { StoreUnavailableError } from './errors.ts';
import { SharedObserver, type SharedStats } from './telemetry.ts';

/** What decides about a call: the store, and while it is unavailable one of the others. */
interface Deciders<T> {
  readonly store: () => Promise<T>;
  readonly local: () => T | Promise<T>;
  readonly open: () => T;
}

/**
 * A limiter whose state is in a store: it asks the store about each call, and decides as
 * `onStoreFailure` says while the store is unavailable.
 */
export class SharedPolicy<L extends Levels> extends PolicyBase implements SharedLimiter {
  readonly #backend: SharedBackend<L>;
  readonly #parts: SharedParts;
  readonly #observer: SharedObserver;
  readonly #levels: Disposable;

  constructor(backend: SharedBackend<L>, parts: SharedParts) {
    super(parts.options.name, parts.options.clock);
    this.#backend = backend;
    this.#parts = parts;
    this.#observer = new SharedObserver(this, parts.options);
    this.#levels = observeLevels(this);
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  async tryAcquire(options?: AcquireOptions): Promise<Lease | undefined> {
    return (await this.take(options)).lease;
  }

  async take(options: AcquireOptions = {}): Promise<Decision> {
    const { cost, key = '', signal } = readOptions(this.name, options);
    this.#backend.checkCost(cost);
    const call = new Call(1, undefined, undefined, signal);
    if (call.aborted) throw call.reason;
    this.#checkCapacity(cost);
    try {
      const { decision, undo } = await this.#decide<Answer>(
        {
          store: () => this.#backend.take(key, cost),
          local: () => this.#takeLocally(key, cost),
          open: () => this.#passUnchecked(cost),
        },
        call,
      );
      if (call.aborted) {
        undo();
        throw call.reason;
      }
      this.#observer.answered(decision.allowed);
      return decision;
    } catch (error) {
      this.#observer.failedAtOnce(error);
      throw error;
    }
  }

  async acquire(options: AcquireOptions = {}): Promise<Lease> {
    const checked = readOptions(this.name, options);
    const { cost, key = '', signal, maxWaitMs = Number.POSITIVE_INFINITY } = checked;
    this.#backend.checkCost(cost);
    const deadline = this.clock.monotonic() + maxWaitMs;
    return this.#turn({ key, cost, deadline, signal }, new Call(1, undefined, undefined, signal));
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const { key = '', cost, deadline = Number.POSITIVE_INFINITY } = call;
    this.#backend.checkCost(cost);
    const lease = await this.#turn({ key, cost, deadline, signal: call.abortable }, call);
    try {
      return await operation(call);
    } finally {
      lease.release();
    }
  }

  async peek(options?: Pick<AcquireOptions, 'key'>): Promise<LimitState> {
    const key = (options === undefined ? undefined : readPeek(this.name, options)) ?? '';
    try {
      const state = await this.#backend.peek(key);
      this.#observer.storeAnswered();
      return state;
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      this.#observer.storeFailed(error.cause);
      const mode = this.#parts.options.onStoreFailure;
      if (mode === 'closed') throw this.#unavailable(error.cause);
      return mode === 'local' ? this.#backend.local.of(key).peek() : this.#backend.unused();
    }
  }

  /** Waits for a turn, counts and reports it. */
  async #turn(request: TurnRequest, call: Call): Promise<Lease> {
    const { cost } = request;
    const open = this.#observer.begin(call, cost);
    try {
      if (call.aborted) throw call.reason;
      this.#checkCapacity(cost);
      const deadline = Math.min(request.deadline, open.since + this.#parts.options.maxWaitMs);
      const limited: TurnRequest = { ...request, deadline };
      const { lease, waited, undo } = await this.#decide<Turn>(
        {
          store: () => this.#backend.acquire(limited),
          local: () => this.#acquireLocally(limited),
          open: () => turnOf(leaseOf(cost), false),
        },
        call,
      );
      if (call.aborted) {
        undo();
        throw call.reason;
      }
      this.#observer.passed(open, waited);
      return lease;
    } catch (error) {
      this.#observer.failed(open, error);
      throw error;
    }
  }

  async #decide<T>(by: Deciders<T>, call: Call): Promise<T> {
    this.#parts.nodes.refresh(this.clock.monotonic());
    try {
      const answer = await by.store();
      this.#observer.storeAnswered();
      return answer;
    } catch (error) {
      if (error instanceof RateLimitExceededError) this.#observer.storeAnswered();
      if (!(error instanceof StoreFailure)) throw error;
      this.#observer.storeFailed(error.cause);
      if (call.aborted) throw call.reason;
      const mode = this.#parts.options.onStoreFailure;
      this.#observer.fellBack(mode);
      if (mode === 'closed') throw this.#unavailable(error.cause);
      return mode === 'local' ? await by.local() : by.open();
    }
  }

  #unavailable(cause: unknown): StoreUnavailableError {
    return cause instanceof StoreUnavailableError
      ? cause
      : new StoreUnavailableError(this.name, cause);
  }

  #checkCapacity(cost: number): void {
    const { capacity } = this.#backend;
    if (cost > capacity + TOLERANCE) throw this.#parts.tooMuch(capacity, cost);
  }

  async #acquireLocally({ key, cost, deadline, signal }: TurnRequest): Promise<Turn> {
    try {
      const local = this.#backend.local.of(key);
      const lease = local.tryAcquire({ cost });
      if (lease !== undefined) return turnOf(lease, false);
      const maxWaitMs = Math.max(0, deadline - this.clock.monotonic());
      return turnOf(await local.acquire({ cost, maxWaitMs, signal }), true);
    } catch (error) {
      throw this.#withoutNever(error, cost);
    }
  }

  #takeLocally(key: string, cost: number): Answer {
    try {
      const decision = this.#backend.local.of(key).take({ cost });
      return { decision, undo: () => decision.lease?.release() };
    } catch (error) {
      throw this.#withoutNever(error, cost);
    }
  }

  /** A cost above the share of one process can pass when the store is back: it is not one that never can. */
  #withoutNever(error: unknown, cost: number): unknown {
    return error instanceof RateLimitExceededError && error.reason === 'cost'
      ? this.#parts.refusal(error.limit, 'limit', cost, undefined)
      : error;
  }

  #passUnchecked(cost: number): Answer {
    const lease = leaseOf(cost);
    const decision = { ...this.#backend.unused(), allowed: true, retryAfterMs: 0, lease };
    return { decision, undo: () => undefined };
  }

  get #queued(): number {
    return this.#parts.slots.used + this.#backend.local.queued;
  }

  levels(): Levels {
    const { limit } = this.#backend.unused();
    return { limit, queued: this.#queued, ...this.#backend.levels() };
  }

  stats(): SharedStats & L {
    const shared = this.#observer.stats(this.#queued, this.#parts.nodes.nodes);
    return { ...shared, ...this.#backend.levels() };
  }

  [Symbol.dispose](): void {
    this.#levels[Symbol.dispose]();
  }
}

Object.defineProperty(SharedPolicy.prototype, KEYED_BY_ITSELF, { value: true });

function turnOf(lease: Lease, waited: boolean): Turn {
  return { lease, waited, undo: () => lease.release() };
}
