import type { Operation } from '@temper/core';
import {
  type Call,
  checkNumber,
  PolicyBase,
  type PolicyDescription,
  rejectLater,
} from '@temper/core/policy';
import { JOINABLE, mark, WITH_RULE } from '../brands.ts';
import { type Dumpable, dumpOf, type LimitDump } from '../changes/limit-dump.ts';
import {
  blockTime,
  type KeyOptions,
  type RateControls,
  readKey,
  unitsOf,
} from '../changes/rate-controls.ts';
import { UnitLease, type UnitSource } from '../lease.ts';
import type {
  AcquireOptions,
  Decision,
  Lease,
  Limiter,
  LimitState,
  RequestCounts,
} from '../limiter.ts';
import { type Levels, type LimiterObserver, type Observation, totalsOf } from '../observer.ts';
import { pass } from '../pass.ts';
import type { RefusalListener, Refusing } from '../refusals.ts';
import { adjust } from '../rules/adjust.ts';
import { replay } from '../rules/replay.ts';
import { RollingCount } from '../rules/rolling-count.ts';
import { type Rule, TOLERANCE, type TokenLevels } from '../rules/rule.ts';
import type { Gate } from '../wait/gate.ts';
import type { ResolvedQueueOptions } from '../wait/options.ts';
import type { OneGate, Turns } from '../wait/turns.ts';

/** What every rate limiter reports about itself, besides its limit. */
export interface RateCounts extends RequestCounts {
  /** Calls that passed within the last window, exact to a twentieth of it. */
  readonly requestsInWindow: number;
  /** Calls that wait for their turn. */
  readonly queued: number;
}

/** A snapshot of a token bucket, or of a GCRA limiter. */
export type TokenBucketStats = RateCounts & TokenLevels;

/** A limiter of units per time. */
export interface RateLimiter<Stats extends RateCounts = RateCounts>
  extends Limiter,
    Refusing,
    RateControls,
    Dumpable {
  /**
   * Changes the limit at any time: units in use stay in use, and calls that wait follow the change. Those
   * whose cost can no longer be had are refused. The window, and the depth of a bucket, stay as they are.
   *
   * @param limit - units per window; finite and > 0 (for windows: >= 1)
   * @throws {TypeError | RangeError} when it is anything else; the limit stays
   */
  setLimit(limit: number): void;
  stats(): Stats;
}

/** What a rate limiter is built with that is not its algorithm. */
export interface RateParts extends Observation {
  /** Writes the state from a dump; throws on anything else. @returns the milliseconds of its block */
  loadDump(dump: LimitDump, options: ResolvedQueueOptions, rule: Rule, state: Float64Array): number;
  /** Creates the queue of the calls that cannot pass at once. */
  createTurns(
    limiter: RuleLimiter<object>,
    options: ResolvedQueueOptions,
    observer: LimiterObserver,
  ): Turns;
}

/** A limiter of units per time: a rule with its state, a queue, and an observer. */
export class RuleLimiter<L extends object>
  extends PolicyBase
  implements RateLimiter, Gate, UnitSource
{
  rule: Rule<L>;
  readonly options: ResolvedQueueOptions;
  readonly state: Float64Array;
  /** Until when every call is refused, on the clock's monotonic scale. */
  blockedUntil: number;
  /** Created when it is first needed. */
  #recent: RollingCount | undefined;
  readonly #observer: LimiterObserver;
  readonly #turns: Turns;
  readonly #levels: Disposable;
  readonly #parts: RateParts;

  constructor(rule: Rule<L>, options: ResolvedQueueOptions, parts: RateParts) {
    super(options.name, options.clock);
    this.rule = rule;
    this.options = options;
    this.state = new Float64Array(rule.slots);
    this.blockedUntil = 0;
    rule.reset(this.state, 0, this.clock.monotonic());
    this.#recent = undefined;
    this.#parts = parts;
    this.#observer = parts.observe(this, options);
    this.#turns = parts.createTurns(this, options, this.#observer);
    this.#levels = parts.observeLevels(this, options.telemetry);
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  onReject(listener: RefusalListener): Disposable {
    return this.#observer.refusals.onReject(listener);
  }

  tryAcquire(options?: AcquireOptions): Lease | undefined {
    const cost = options === undefined ? 1 : this.#turns.costOf(options);
    return this.#turns.tryEnter(cost) ? this.#leaseOf(cost) : undefined;
  }

  async acquire(options?: AcquireOptions): Promise<Lease> {
    return this.#leaseOf(await this.#turns.acquire(options));
  }

  #leaseOf(cost: number): Lease {
    return new UnitLease(cost, this, this.clock.monotonic());
  }

  correct(difference: number, takenAt: number): void {
    adjust(this.rule, this.state, 0, this.clock.monotonic(), difference, takenAt);
    this.#turns.changed();
  }

  take(options: AcquireOptions = {}): Decision {
    const cost = this.#turns.costOf(options);
    const allowed = this.#turns.tryEnter(cost);
    return {
      ...this.peek(),
      allowed,
      retryAfterMs: allowed ? 0 : this.delay(cost),
      lease: allowed ? this.#leaseOf(cost) : undefined,
    };
  }

  peek(options?: KeyOptions): LimitState {
    if (options !== undefined) readKey(this.name, options);
    const { limit, windowMs } = this.rule;
    const now = this.clock.monotonic();
    const blockedMs = this.blockedUntil - now;
    if (blockedMs > 0) return { limit, windowMs, remaining: 0, resetMs: blockedMs };
    const available = this.#turns.queued > 0 ? 0 : this.rule.available(this.state, 0, now);
    return {
      limit,
      windowMs,
      remaining: Math.max(0, Math.floor(available + TOLERANCE)),
      resetMs: this.rule.growth(this.state, 0, now),
    };
  }

  runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    if (this.#turns.enter(call.cost)) return pass(operation, call);
    const refused = this.#turns.refuse(call);
    return refused === undefined ? this.#runInTurn(operation, call) : rejectLater(refused);
  }

  async #runInTurn<T>(operation: Operation<T>, call: Call): Promise<T> {
    const answered = await this.#turns.wait(call);
    if (call.aborted) throw call.reason;
    const value = await operation(call);
    answered();
    return value;
  }

  joined(): OneGate {
    return {
      gate: this,
      turns: this.#turns,
      observer: this.#observer,
      leaseOf: (cost) => this.#leaseOf(cost),
    };
  }

  get capacity(): number {
    return this.rule.capacity;
  }

  tryTake(cost: number, now: number = this.clock.monotonic()): boolean {
    if (now < this.blockedUntil || !this.rule.take(this.state, 0, now, cost)) return false;
    this.#recent ??= new RollingCount(this.rule.windowMs, now);
    if (now >= this.#recent.stepEndsAt) this.#recent.advance(now, this.#passed);
    return true;
  }

  delay(cost: number): number {
    const now = this.clock.monotonic();
    return Math.max(this.blockedUntil - now, this.rule.delay(this.state, 0, now, cost));
  }

  setLimit(limit: number): void {
    const bucket = this.rule.kind === 'token-bucket' || this.rule.kind === 'gcra';
    const min = bucket ? 0 : 1;
    checkNumber(this.name, 'limit', limit, { min, aboveMin: bucket, infinite: false });
    if (limit === this.rule.limit) return;
    const now = this.clock.monotonic();
    const used = this.rule.usage(this.state, 0, now);
    this.rule = this.rule.with({ limit }) as Rule<L>;
    // A window keeps counts and times, which hold under any limit; its boundaries stay where they are.
    if (bucket) replay(this.rule, this.state, 0, now, used);
    this.#turns.changed();
  }

  reset(options?: KeyOptions): void {
    this.#ignoreKey(options);
    this.rule.reset(this.state, 0, this.clock.monotonic());
    this.blockedUntil = 0;
    this.#turns.changed();
  }

  block(durationMs: number, options?: KeyOptions): void {
    blockTime(this.name, durationMs);
    this.#ignoreKey(options);
    this.blockedUntil = this.clock.monotonic() + durationMs;
    this.#turns.changed();
  }

  penalty(units: number, options?: KeyOptions): void {
    this.#adjust(unitsOf(this.name, units), options);
  }

  reward(units: number, options?: KeyOptions): void {
    this.#adjust(-unitsOf(this.name, units), options);
  }

  #adjust(units: number, options: KeyOptions | undefined): void {
    this.#ignoreKey(options);
    adjust(this.rule, this.state, 0, this.clock.monotonic(), units);
    this.#turns.changed();
  }

  #ignoreKey(options: KeyOptions | undefined): void {
    if (options !== undefined) readKey(this.name, options);
  }

  dump(): LimitDump {
    const now = this.clock.monotonic();
    const used = this.rule.usage(this.state, 0, now);
    const blockedMs = Math.max(0, this.blockedUntil - now);
    return dumpOf(this.clock, used.length === 0 && blockedMs === 0 ? [] : [{ used, blockedMs }]);
  }

  restore(dump: LimitDump): void {
    const blockedMs = this.#parts.loadDump(dump, this.options, this.rule, this.state);
    this.blockedUntil = this.clock.monotonic() + blockedMs;
    this.#turns.changed();
  }

  /** Calls that passed, at once or after a wait. */
  get #passed(): number {
    return this.#observer.counts.allowed + this.#observer.counts.delayed;
  }

  levels(): Levels {
    const available = this.rule.available(this.state, 0, this.clock.monotonic());
    return { available, limit: this.rule.limit, queued: this.#turns.queued };
  }

  stats(): RateCounts & L {
    const now = this.clock.monotonic();
    return {
      ...this.rule.levels(this.rule.available(this.state, 0, now)),
      requestsInWindow: this.#recent?.within(now, this.#passed) ?? 0,
      queued: this.#turns.queued,
      ...totalsOf(this.#observer),
    };
  }

  [Symbol.dispose](): void {
    this.#levels[Symbol.dispose]();
  }
}

mark(RuleLimiter, WITH_RULE);
mark(RuleLimiter, JOINABLE);

/** Whether `value` is a {@link RuleLimiter}, made by any installed copy of this package. */
export function hasRule(value: unknown): value is RuleLimiter<object> {
  return (value as { [WITH_RULE]?: unknown } | null | undefined)?.[WITH_RULE] === true;
}
