import type { Operation } from '@temper/core';
import { Call, PolicyBase, type PolicyDescription } from '@temper/core/policy';
import { KEYED_BY_ITSELF } from '../brands.ts';
import { readKey } from '../changes/rate-controls.ts';
import { RateLimitExceededError } from '../errors.ts';
import { UnitLease } from '../lease.ts';
import type { AcquireOptions, Decision, Lease, LimitState } from '../limiter.ts';
import type { Levels } from '../observer.ts';
import type { RefusalListener } from '../refusals.ts';
import { TOLERANCE } from '../rules/rule.ts';
import { observeLevels } from '../telemetry.ts';
import { readOptions } from '../wait/acquire-options.ts';
import {
  type Answer,
  isLosable,
  type SharedBackend,
  type SharedParts,
  type Turn,
  type TurnRequest,
} from './backend.ts';
import type { SharedLimiter } from './contract.ts';
import { StoreUnavailableError } from './errors.ts';
import { takeTogether } from './group/take-together.ts';
import { runWhileHeld } from './held-lease.ts';
import { markShared, type SharedMember } from './shared-member.ts';
import { StoreFailure } from './store-access.ts';
import { SharedObserver, type SharedStats } from './telemetry.ts';
import { unlessAborted } from './unless-aborted.ts';

/** What decides about a call: the store, and while it is unavailable one of the others. */
interface Deciders<T> {
  readonly store: () => Promise<T>;
  /** @param lostMs - how long the request took that the store did not answer */
  readonly local: (lostMs: number) => T | Promise<T>;
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
  /** For groups of limits. */
  readonly sharedMember: SharedMember;

  constructor(backend: SharedBackend<L>, parts: SharedParts) {
    super(parts.options.name, parts.options.clock);
    this.#backend = backend;
    this.#parts = parts;
    this.#observer = new SharedObserver(this, parts.options);
    this.#levels = observeLevels(this, parts.options.telemetry);
    this.sharedMember = {
      name: this.name,
      kind: backend.kind,
      backend,
      parts,
      observer: this.#observer,
      limitOf: (key) => this.#limitOf(key),
      peek: (key) => this.peek(key === '' ? undefined : { key }),
      takeTogether,
      unavailable: (cause) => this.#unavailable(cause),
    };
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  onReject(listener: RefusalListener): Disposable {
    return this.#observer.refusals.onReject(listener);
  }

  async tryAcquire(options?: AcquireOptions): Promise<Lease | undefined> {
    return (await this.take(options)).lease;
  }

  async take(options: AcquireOptions = {}): Promise<Decision> {
    const { cost, signal, ...given } = readOptions(this.name, options);
    const key = this.#limitOf(given.key);
    this.#backend.checkCost(cost);
    const call = new Call(1, undefined, undefined, signal);
    if (call.aborted) throw call.reason;
    this.#checkCapacity(key, cost);
    try {
      const asked = this.#decide<Answer>(
        {
          store: () => this.#backend.take(key, cost, given.key ?? ''),
          local: () => this.#takeLocally(key, cost),
          open: () => this.#passUnchecked(key, cost),
        },
        call,
      );
      const { decision, undo } = await unlessAborted(asked, signal, (late) => late.undo());
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
    const { cost, key: caller = '', signal, maxWaitMs = Number.POSITIVE_INFINITY } = checked;
    this.#backend.checkCost(cost);
    const request = { key: this.#limitOf(caller), caller, cost, signal };
    return this.#turn(request, new Call(1, undefined, undefined, signal), maxWaitMs);
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const { key: caller = '', cost } = call;
    this.#backend.checkCost(cost);
    const request = { key: this.#limitOf(caller), caller, cost, signal: call.abortable };
    const lease = await call.awaitCapacity(() => this.#turn(request, call), this.clock);
    try {
      return isLosable(lease) ? await runWhileHeld(operation, call, lease) : await operation(call);
    } finally {
      lease.release();
    }
  }

  async peek(options?: Pick<AcquireOptions, 'key'>): Promise<LimitState> {
    const key = this.keyOf(options);
    try {
      const state = await this.#backend.peek(key);
      this.#observer.storeAnswered();
      return state;
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      this.#observer.storeFailed(error.cause);
      const mode = this.#parts.options.onStoreFailure;
      if (mode === 'closed') throw this.#unavailable(error.cause);
      return mode === 'local' ? this.#backend.local.of(key).peek() : this.#backend.unused(key);
    }
  }

  /** The key in the options of a caller that takes nothing. @throws {TypeError} when it is not allowed */
  protected keyOf(options: Pick<AcquireOptions, 'key'> | undefined): string {
    return this.#limitOf(options === undefined ? undefined : readKey(this.name, options));
  }

  /** The key of the limit that a call is for: in fair order, all keys share one. */
  #limitOf(key = ''): string {
    return this.#parts.options.queue === undefined ? key : '';
  }

  /** Makes a request that nothing can decide but the store. @throws {StoreUnavailableError} */
  protected async asking(request: () => Promise<void>): Promise<void> {
    try {
      await request();
      this.#observer.storeAnswered();
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      this.#observer.storeFailed(error.cause);
      throw this.#unavailable(error.cause);
    }
  }

  /** Waits for a turn, counts and reports it. */
  async #turn(
    request: Omit<TurnRequest, 'deadline'>,
    call: Call,
    longestMs: number = Number.POSITIVE_INFINITY,
  ): Promise<Lease> {
    const { key, cost } = request;
    const open = this.#observer.begin(call, cost);
    try {
      if (call.aborted) throw call.reason;
      this.#checkCapacity(key, cost);
      const deadline = open.since + Math.min(longestMs, this.#parts.options.maxWaitMs);
      // A request that was not answered is not the call's waiting, and takes nothing from it but from `timeoutMs`.
      const until = (latest: number): TurnRequest => {
        return { ...request, deadline: Math.min(latest, call.deadline ?? latest) };
      };
      const { lease, waited, undo } = await this.#decide<Turn>(
        {
          store: () => this.#backend.acquire(until(deadline)),
          local: (lostMs) => this.#acquireLocally(until(deadline + lostMs)),
          open: () => turnOf(this.#uncounted(cost), false),
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
      return mode === 'local' ? await by.local(error.tookMs) : by.open();
    }
  }

  #unavailable(cause: unknown): StoreUnavailableError {
    return cause instanceof StoreUnavailableError
      ? cause
      : new StoreUnavailableError(this.name, cause);
  }

  #checkCapacity(key: string, cost: number): void {
    const capacity = this.#backend.capacity(key);
    if (cost > capacity + TOLERANCE) throw this.#parts.tooMuch(capacity, cost);
  }

  async #acquireLocally({ key, caller, cost, deadline, signal }: TurnRequest): Promise<Turn> {
    try {
      const local = this.#backend.local.of(key);
      const lease = local.tryAcquire({ cost });
      if (lease !== undefined) return turnOf(lease, false);
      const maxWaitMs = Math.max(0, deadline - this.clock.monotonic());
      const asked = { cost, maxWaitMs, signal, ...(caller === '' ? {} : { key: caller }) };
      return turnOf(await local.acquire(asked), true);
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

  #passUnchecked(key: string, cost: number): Answer {
    const lease = this.#uncounted(cost);
    const decision = { ...this.#backend.unused(key), allowed: true, retryAfterMs: 0, lease };
    return { decision, undo: () => undefined };
  }

  /** The lease of units that nobody has counted. */
  #uncounted(cost: number): Lease {
    return new UnitLease(cost, { name: this.name, correct: () => undefined }, 0);
  }

  get #queued(): number {
    return this.#parts.slots.used + this.#backend.local.queued;
  }

  levels(): Levels {
    const { limit } = this.#backend.unused('');
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
markShared(SharedPolicy.prototype);

function turnOf(lease: Lease, waited: boolean): Turn {
  return { lease, waited, undo: () => lease.release() };
}
