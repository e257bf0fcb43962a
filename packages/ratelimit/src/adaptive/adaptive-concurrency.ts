import type { Operation, Outcome } from '@temper/core';
import {
  type Call,
  decide,
  isNeutral,
  Listeners,
  type MeasuredCall,
  PolicyBase,
  type PolicyDescription,
} from '@temper/core/policy';
import { readKey } from '../changes/rate-controls.ts';
import type { AcquireOptions, Decision, Lease, Limiter, LimitState } from '../limiter.ts';
import { MeasuredHeldCall } from '../limiters/held-call.ts';
import { type ConcurrencyStats, PermitGate } from '../limiters/permit-gate.ts';
import type { Levels } from '../observer.ts';
import type { RefusalListener, Refusing } from '../refusals.ts';
import { REPORTED } from '../telemetry.ts';
import type { ResolvedQueueOptions } from '../wait/options.ts';
import { UsualLatency } from '../wait/usual-latency.ts';
import {
  type AdaptiveConcurrencyOptions,
  type LimitChange,
  type ResolvedAdaptiveOptions,
  resolveAdaptiveOptions,
} from './options.ts';

/**
 * A lease whose end trains the limit. {@link release} reports that the call went well; only the first
 * report counts.
 */
export interface AdaptiveLease extends Lease {
  /** Gives the permits back, and reports overload: the call was refused or timed out. */
  overloaded(): void;
  /**
   * As {@link overloaded}: the call was given up as its time was over. The limit then keeps the latency below
   * half of the time that such calls have.
   */
  timedOut(): void;
  /** Gives the permits back, and reports nothing. */
  ignore(): void;
}

/** A concurrency limiter that finds its own limit. */
export interface AdaptiveConcurrencyLimiter extends Limiter<AdaptiveLease>, Refusing {
  /** Adds a listener as the option `onLimitChange`; disposing of the result removes it. */
  onLimitChange(listener: (change: LimitChange) => unknown): Disposable;
  stats(): ConcurrencyStats;
}

/** `cut-short`: too little of its time was left when its turn came; see {@link Sample.cutShort}. */
type Ending = 'well' | 'overloaded' | 'timed-out' | 'cut-short' | 'ignored';

class TrainingLease implements AdaptiveLease {
  readonly cost: number;
  #limiter: AdaptivePolicy | undefined;
  /** On the monotonic scale, in milliseconds. */
  readonly startedAt: number;
  readonly #inFlight: number;

  constructor(limiter: AdaptivePolicy, cost: number, startedAt: number, inFlight: number) {
    this.cost = cost;
    this.#limiter = limiter;
    this.startedAt = startedAt;
    this.#inFlight = inFlight;
  }

  /** @param waitedMs - how much of its time the call has waited by our own doing */
  end(ending: Ending, waitedMs = 0): void {
    const limiter = this.#limiter;
    if (limiter === undefined) return;
    this.#limiter = undefined;
    // The limit moves first: the calls that the returned permits let in count under the new one.
    if (ending !== 'ignored') limiter.train(this.startedAt + waitedMs, this.#inFlight, ending);
    limiter.giveBack(this.cost);
  }

  release(): void {
    this.end('well');
  }

  overloaded(): void {
    this.end('overloaded');
  }

  timedOut(): void {
    this.end('timed-out');
  }

  ignore(): void {
    this.end('ignored');
  }

  [Symbol.dispose](): void {
    this.end('well');
  }
}

class AdaptivePolicy extends PolicyBase implements AdaptiveConcurrencyLimiter {
  readonly #adaptive: ResolvedAdaptiveOptions;
  readonly #changes: Listeners<LimitChange>;
  readonly #gate: PermitGate;
  readonly #levels: Disposable;
  readonly #usual = new UsualLatency();

  constructor(adaptive: ResolvedAdaptiveOptions, options: ResolvedQueueOptions) {
    super(options.name, options.clock);
    this.#adaptive = adaptive;
    // A cost above the present limit may fit later.
    this.#gate = new PermitGate(
      options,
      REPORTED,
      Math.floor(adaptive.initialLimit),
      adaptive.maxLimit,
    );
    this.#changes = new Listeners(this.name, 'onLimitChange', adaptive.onLimitChange);
    this.#levels = REPORTED.observeLevels(this, options.telemetry);
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  onReject(listener: RefusalListener): Disposable {
    return this.#gate.refusals.onReject(listener);
  }

  onLimitChange(listener: (change: LimitChange) => unknown): Disposable {
    return this.#changes.add(listener);
  }

  tryAcquire(options?: AcquireOptions): TrainingLease | undefined {
    const { turns } = this.#gate;
    const cost = options === undefined ? 1 : turns.costOf(options);
    return turns.tryEnter(cost) ? this.#lease(cost) : undefined;
  }

  async acquire(options?: AcquireOptions): Promise<TrainingLease> {
    return this.#lease(await this.#gate.turns.acquire(options));
  }

  take(options?: AcquireOptions): Decision<TrainingLease> {
    const lease = this.tryAcquire(options);
    const allowed = lease !== undefined;
    return { ...this.peek(), allowed, retryAfterMs: allowed ? 0 : undefined, lease };
  }

  peek(options?: Pick<AcquireOptions, 'key'>): LimitState {
    if (options !== undefined) readKey(this.name, options);
    return this.#gate.peek();
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const { turns } = this.#gate;
    const answered = turns.enter(call.cost) ? undefined : await turns.wait(call);
    const lease = this.#lease(call.cost);
    if (call.aborted) {
      lease.end('ignored');
      throw call.reason;
    }
    const held = this.#gate.holders.hold(call.cost);
    const measured = new MeasuredHeldCall(call, held);
    let outcome: Outcome<T>;
    try {
      outcome = { ok: true, value: await operation(measured) };
    } catch (error) {
      outcome = { ok: false, error };
    }
    this.#gate.holders.end(held);
    const { waitedMs } = measured;
    const tookMs = this.clock.monotonic() - lease.startedAt - waitedMs;
    lease.end(this.#endingOf(outcome, measured, tookMs, answered !== undefined), waitedMs);
    if (!outcome.ok) throw outcome.error;
    answered?.();
    return outcome.value;
  }

  /**
   * @param tookMs - without what it waited by our own doing
   * @param waited - whether the call has waited for its turn
   */
  #endingOf(
    outcome: Outcome<unknown>,
    call: MeasuredCall,
    tookMs: number,
    waited: boolean,
  ): Ending {
    if (isNeutral(outcome, call)) return 'ignored';
    const now = this.clock.monotonic();
    const cutOff = call.endedBy !== undefined;
    // A value that comes after the end is too late.
    if ((cutOff && outcome.ok) || decide(this.name, this.#adaptive.shouldHandle, outcome, call)) {
      if (!cutOff) return 'overloaded';
      if (!this.#usual.cutShort(tookMs, waited, now)) return 'timed-out';
      return waited ? 'cut-short' : 'ignored';
    }
    // Errors, and answers from elsewhere, may come sooner or later than real answers: their latency means
    // nothing.
    if (!outcome.ok || call.timing !== 'measured') return 'ignored';
    this.#usual.answered(tookMs, now);
    return 'well';
  }

  #lease(cost: number): TrainingLease {
    return new TrainingLease(this, cost, this.clock.monotonic(), this.#gate.inFlight);
  }

  giveBack(cost: number): void {
    this.#gate.giveBack(cost);
  }

  train(startedAt: number, inFlight: number, ending: Exclude<Ending, 'ignored'>): void {
    const { algorithm } = this.#adaptive;
    const timedOut = ending === 'timed-out';
    const overloaded = timedOut || ending === 'overloaded';
    const cutShort = ending === 'cut-short';
    algorithm.observe({
      startedAt,
      endedAt: this.clock.monotonic(),
      inFlight,
      overloaded,
      timedOut,
      cutShort,
    });
    const from = this.#gate.limit;
    const to = Math.floor(algorithm.limit);
    if (from === to) return;
    this.#gate.limit = to;
    if (!this.#changes.empty) this.#changes.emit({ policy: this.name, from, to });
  }

  levels(): Levels {
    return this.#gate.levels();
  }

  stats(): ConcurrencyStats {
    return this.#gate.stats();
  }

  [Symbol.dispose](): void {
    this.#levels[Symbol.dispose]();
    this.#gate[Symbol.dispose]();
  }
}

/**
 * Limits how many calls run at the same time, and finds the limit by itself: how many calls the
 * dependency can take, also when that changes.
 *
 * ```ts
 * const search = adaptiveConcurrency({ name: 'search', maxQueue: 50 });
 * const hits = await search.execute(({ signal }) => fetch(url, { signal }));
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown, out of range or of the other algorithm
 */
export function adaptiveConcurrency(
  options: AdaptiveConcurrencyOptions = {},
): AdaptiveConcurrencyLimiter {
  const { adaptive, queue } = resolveAdaptiveOptions(options);
  return new AdaptivePolicy(adaptive, queue);
}
