import type { Operation } from '@temper/core';
import type { Call } from '@temper/core/policy';
import type { KeyDump } from '../changes/limit-dump.ts';
import type { RateChange } from '../changes/rate-change.ts';
import type { RatePlans } from '../changes/rate-plans.ts';
import type { RateLimitExceededError } from '../errors.ts';
import type { Member } from '../joint/member.ts';
import { UnitLease, type UnitSource } from '../lease.ts';
import type { AcquireOptions, Decision, Lease, LimitState } from '../limiter.ts';
import { type LimiterObserver, totalsOf } from '../observer.ts';
import { pass } from '../pass.ts';
import type { RefusalListener } from '../refusals.ts';
import { adjust } from '../rules/adjust.ts';
import type { Forecast, Queued } from '../rules/forecast.ts';
import { equalRules, replay } from '../rules/replay.ts';
import { type Rule, TOLERANCE } from '../rules/rule.ts';
import { LimiterTelemetry } from '../telemetry.ts';
import { checkCapacity } from '../wait/acquire-options.ts';
import type { ResolvedQueueOptions } from '../wait/options.ts';
import type { Turns } from '../wait/turns.ts';
import { UsualLatency } from '../wait/usual-latency.ts';
import { Watchers } from '../wait/watchers.ts';
import { FormerRules } from './former-rules.ts';
import { KeyGate } from './key-gate.ts';
import { type KeyTable, NONE, noRoom } from './key-table.ts';
import { LruIndex } from './lru-index.ts';
import { idleTime, type KeyedStats } from './options.ts';
import { PlannedRules } from './planned-rules.ts';
import { TableCounts } from './telemetry.ts';

/** Parameters of a {@link RateTable}. */
interface RateTableOptions {
  readonly rule: Rule;
  readonly plans: RatePlans | undefined;
  /** Name, clock and queues of every key. */
  readonly queue: ResolvedQueueOptions;
  readonly maxKeys: number;
  readonly idleMs: number | undefined;
}

/** How many keys are looked at in search of one to remove. */
const MAX_SEEN = 8;

/**
 * One rate limit for each key. A key is a few numbers in flat arrays; only while calls wait for it does
 * it have a queue as well.
 */
export class RateTable implements KeyTable, UnitSource {
  readonly name: string;
  readonly #rule: Rule;
  readonly #queue: ResolvedQueueOptions;
  #idleMs: number;
  readonly #index: LruIndex;
  readonly #observer: LimiterObserver;
  readonly #counts: TableCounts;
  #state: Float64Array;
  /** The keys that calls wait for. They cannot be removed. */
  readonly #waiting = new Map<number, KeyGate>();
  /** Until when keys are blocked, on the clock's monotonic scale. */
  readonly #blocked = new Map<number, number>();
  readonly #plans: RatePlans | undefined;
  /** The rules of the keys by slot, where keys have plans. */
  readonly #rules: Rule[] = [];
  readonly #planned: PlannedRules;
  readonly #formers = new FormerRules();
  /** Of all keys, as a gate only lives while calls wait. */
  readonly #usual = new UsualLatency();
  readonly #watchers = new Watchers();

  constructor({ rule, plans, queue, maxKeys, idleMs }: RateTableOptions) {
    this.name = queue.name;
    this.#rule = rule;
    this.#plans = plans;
    this.#planned = new PlannedRules(rule);
    this.#queue = queue;
    this.#idleMs = idleTime(queue.name, idleMs, rule.freshAfterMs);
    this.#index = new LruIndex(maxKeys);
    this.#observer = new LimiterTelemetry(this, queue);
    this.#counts = new TableCounts(this, queue.telemetry);
    this.#state = new Float64Array(this.#index.capacity * rule.slots);
  }

  [Symbol.dispose](): void {
    this.#observer[Symbol.dispose]();
    this.#counts[Symbol.dispose]();
  }

  onReject(listener: RefusalListener): Disposable {
    return this.#observer.refusals.onReject(listener);
  }

  tryAcquire(key: string, cost: number): Lease | undefined {
    return this.#tryEnter(key, cost) ? this.#leaseOf(key, cost) : undefined;
  }

  take(key: string, cost: number): Decision {
    const allowed = this.#tryEnter(key, cost);
    const slot = this.#index.find(key);
    const retryAfterMs = allowed ? 0 : slot === NONE ? undefined : this.delay(slot, cost);
    const lease = allowed ? this.#leaseOf(key, cost) : undefined;
    return { ...this.peek(key), allowed, retryAfterMs, lease };
  }

  async acquire(key: string, cost: number, options: AcquireOptions): Promise<Lease> {
    const { signal } = options;
    if (signal?.aborted === true) throw signal.reason;
    await this.#admit(key, cost, (turns) => turns.acquire(options));
    return this.#leaseOf(key, cost);
  }

  #leaseOf(key: string, cost: number): Lease {
    return new UnitLease(cost, this, this.#queue.clock.monotonic(), key);
  }

  runInCall<T>(key: string, operation: Operation<T>, call: Call): Promise<T> {
    const now = this.#queue.clock.monotonic();
    return this.#enter(this.#use(key, now), call.cost, now)
      ? pass(operation, call)
      : this.#runInTurn(key, operation, call);
  }

  async #runInTurn<T>(key: string, operation: Operation<T>, call: Call): Promise<T> {
    const answered = await this.#admit(key, call.cost, (turns) => turns.wait(call));
    if (call.aborted) throw call.reason;
    const value = await operation(call);
    answered?.();
    return value;
  }

  /** Takes units of a slot if they are available and no call waits for them. */
  #enter(slot: number, cost: number, now: number): boolean {
    if (slot === NONE || this.#queuedAt(slot) > 0 || !this.tryTake(slot, cost, now)) return false;
    this.#observer.counts.allowed++;
    return true;
  }

  /** As {@link #enter}, for a caller that does not wait: a refusal is counted. */
  #tryEnter(key: string, cost: number): boolean {
    const now = this.#queue.clock.monotonic();
    if (cost !== 1 && this.#plans === undefined) {
      checkCapacity(this.name, this.#rule.capacity, cost);
    }
    const slot = this.#use(key, now);
    if (cost !== 1 && slot !== NONE) checkCapacity(this.name, this.ruleOf(slot).capacity, cost);
    if (this.#enter(slot, cost, now)) return true;
    if (slot === NONE) this.#counts.refused.keys++;
    else this.#observer.counts.limit++;
    return false;
  }

  /** @returns what the wait resolves with; `undefined` when the units were there at once */
  async #admit<T>(
    key: string,
    cost: number,
    wait: (turns: Turns) => Promise<T>,
  ): Promise<T | undefined> {
    const now = this.#queue.clock.monotonic();
    const slot = this.#use(key, now);
    if (slot === NONE) throw this.#refuse(cost);
    if (this.#enter(slot, cost, now)) return undefined;
    const gate = this.#pin(slot);
    try {
      return await wait(gate.turns);
    } finally {
      if (gate.turns.queued === 0) this.#unpin(slot, gate);
      this.#watchers.tell();
    }
  }

  #refuse(cost: number): RateLimitExceededError {
    const error = noRoom(this.name, this.#index.size, cost);
    this.#counts.refused.keys++;
    this.#observer.refusals.tell(error);
    return error;
  }

  #queuedAt(slot: number): number {
    return this.#waiting.size === 0 ? 0 : (this.#waiting.get(slot)?.turns.queued ?? 0);
  }

  #pin(slot: number): KeyGate {
    let gate = this.#waiting.get(slot);
    if (gate === undefined) {
      gate = new KeyGate(this, slot, this.#queue, this.#observer, this.#usual);
      this.#index.pin(slot);
      this.#waiting.set(slot, gate);
    }
    return gate;
  }

  /** The slot may have been unpinned by another call, and pinned again since. */
  #unpin(slot: number, gate: KeyGate): void {
    if (this.#waiting.get(slot) !== gate) return;
    this.#waiting.delete(slot);
    this.#index.unpin(slot, this.#queue.clock.monotonic());
  }

  /** Marks the key as used, adding it if it is new. @returns its slot; `NONE` when there is no room */
  #use(key: string, now: number): number {
    let slot = this.#index.find(key);
    if (slot === NONE) slot = this.#add(key, now);
    else if (this.#waiting.size === 0 || !this.#waiting.has(slot)) this.#index.touch(slot, now);
    if (this.#plans !== undefined && slot !== NONE) this.#follow(slot, key, now);
    return slot;
  }

  /** The rule of a slot at present. */
  ruleOf(slot: number): Rule {
    return this.#plans === undefined ? this.#rule : this.#rules[slot]!;
  }

  /** The rule that the plan of a key gives it. */
  #ruleFor(key: string): Rule {
    const plan = this.#plans?.of(key);
    return plan === undefined ? this.#rule : this.#planned.of(plan);
  }

  /** The limit of a key changes in a way that no forecast includes. */
  #changed(slot: number): void {
    this.#waiting.get(slot)?.turns.changed();
    this.#watchers.tell();
  }

  /** Gives a key the rule that its plan has at present. What is in use stays in use. */
  #follow(slot: number, key: string, now: number): void {
    const before = this.ruleOf(slot);
    const rule = this.#ruleFor(key);
    const at = slot * this.#rule.slots;
    this.#formers.forgetUnused(slot, now, before, this.#state, at);
    if (equalRules(before, rule)) return;
    this.#formers.change(slot, before, rule, this.#state, at, now);
    this.#rules[slot] = rule;
    this.#idleMs = Math.max(this.#idleMs, rule.freshAfterMs);
    this.#changed(slot);
  }

  #add(key: string, now: number): number {
    const index = this.#index;
    this.#removeIdle(now, 2);
    if (index.full) {
      const victim = this.#victim(now);
      if (victim === NONE) return NONE;
      this.#remove(victim);
      this.#counts.evicted.evictions++;
    }
    const slot = index.add(key, now);
    const { slots } = this.#rule;
    if (this.#state.length < index.capacity * slots) {
      const state = new Float64Array(index.capacity * slots);
      state.set(this.#state);
      this.#state = state;
    }
    this.#fresh(slot, key, now);
    return slot;
  }

  /** Writes the state of a key that has not been used. */
  #fresh(slot: number, key: string, now: number): void {
    const rule = this.#ruleFor(key);
    if (this.#plans !== undefined) this.#rules[slot] = rule;
    rule.reset(this.#state, slot * rule.slots, now);
  }

  #remove(slot: number): void {
    this.#index.remove(slot);
    this.#clear(slot);
  }

  /** Forgets what is kept beside the state of a slot. */
  #clear(slot: number): void {
    this.#blocked.delete(slot);
    if (this.#plans !== undefined) this.#rules[slot] = this.#rule;
    this.#formers.forget(slot);
  }

  /** For how long a slot is blocked, in milliseconds; 0 when it is not. */
  #blockedMs(slot: number, now: number): number {
    const until = this.#blocked.size === 0 ? undefined : this.#blocked.get(slot);
    return until === undefined ? 0 : Math.max(0, until - now);
  }

  /**
   * Which key makes room: of those used longest ago the first that loses nothing, or the one that loses
   * least. An exhausted key does not get its limit anew because others are used, and a blocked one goes
   * last.
   */
  #victim(now: number): number {
    let victim = NONE;
    let most = Number.NEGATIVE_INFINITY;
    let slot = this.#index.oldest;
    for (let seen = 0; seen < MAX_SEEN && slot !== NONE; seen++) {
      const rule = this.ruleOf(slot);
      const available = rule.available(this.#state, slot * rule.slots, now);
      const left = this.#blockedMs(slot, now) > 0 ? -1 : available / rule.capacity;
      if (left > most) {
        victim = slot;
        most = left;
      }
      if (left >= 1 - TOLERANCE) break;
      slot = this.#index.newer(slot);
    }
    return victim;
  }

  /** Removes up to `most` keys that have been idle for too long. */
  #removeIdle(now: number, most: number): void {
    for (let left = most; left > 0; left--) {
      const { oldest } = this.#index;
      if (oldest === NONE || now - this.#index.usedAt(oldest) < this.#idleMs) return;
      if (this.#blockedMs(oldest, now) > 0) this.#index.touch(oldest, now);
      else this.#remove(oldest);
    }
  }

  tryTake(slot: number, cost: number, now: number = this.#queue.clock.monotonic()): boolean {
    if (this.#blockedMs(slot, now) > 0) return false;
    const rule = this.ruleOf(slot);
    if (!rule.take(this.#state, slot * rule.slots, now, cost)) return false;
    if (this.#plans !== undefined) this.#formers.charge(slot, now, cost);
    return true;
  }

  delay(slot: number, cost: number): number {
    const now = this.#queue.clock.monotonic();
    const rule = this.ruleOf(slot);
    const delayMs = rule.delay(this.#state, slot * rule.slots, now, cost);
    return Math.max(this.#blockedMs(slot, now), delayMs);
  }

  forecast(
    forecast: Forecast,
    slot: number,
    ...call: [queue: Queued, cost: number, deadline: number, now: number]
  ): number {
    const [, , , now] = call;
    const readyAt = forecast.next(this.#state, slot * this.#rule.slots, ...call);
    return Math.max(readyAt, now + this.#blockedMs(slot, now));
  }

  peek(key: string): LimitState {
    const slot = this.#index.find(key);
    if (slot !== NONE) {
      if (this.#plans !== undefined) this.#follow(slot, key, this.#queue.clock.monotonic());
      return this.peekAt(slot);
    }
    const { limit, windowMs, capacity } = this.#ruleFor(key);
    return { limit, windowMs, remaining: Math.floor(capacity), resetMs: 0 };
  }

  /** A key that is not kept is added when units of it are taken. */
  joined(key: string): Member {
    const now = this.#queue.clock.monotonic();
    const slot = this.#index.find(key);
    if (this.#plans !== undefined && slot !== NONE) this.#follow(slot, key, now);
    const { capacity } = slot === NONE ? this.#ruleFor(key) : this.ruleOf(slot);
    return {
      name: this.name,
      capacity,
      queued: slot === NONE ? 0 : this.#queuedAt(slot),
      full: slot === NONE && this.#index.full && this.#victim(now) === NONE,
      watchers: this.#watchers,
      permits: undefined,
      delay: (cost) => (slot === NONE ? 0 : this.delay(slot, cost)),
      tryTake: (cost) => {
        const used = this.#use(key, now);
        return used !== NONE && this.tryTake(used, cost, now);
      },
      leaseOf: (cost) => this.#leaseOf(key, cost),
      peek: () => this.peek(key),
      count: (answer) => {
        if (answer === 'keys') this.#counts.refused.keys++;
        else this.#observer.counts[answer]++;
      },
      tell: (error) => this.#observer.refusals.tell(error),
    };
  }

  peekAt(slot: number): LimitState {
    const rule = this.ruleOf(slot);
    const { limit, windowMs } = rule;
    const now = this.#queue.clock.monotonic();
    const blockedMs = this.#blockedMs(slot, now);
    if (blockedMs > 0) return { limit, windowMs, remaining: 0, resetMs: blockedMs };
    const at = slot * rule.slots;
    const available = this.#queuedAt(slot) > 0 ? 0 : rule.available(this.#state, at, now);
    return {
      limit,
      windowMs,
      remaining: Math.max(0, Math.floor(available + TOLERANCE)),
      resetMs: rule.growth(this.#state, at, now),
    };
  }

  forget(key: string): boolean {
    const slot = this.#index.find(key);
    if (slot === NONE || this.#waiting.has(slot)) return false;
    this.#remove(slot);
    return true;
  }

  change(key: string, change: RateChange): void {
    const now = this.#queue.clock.monotonic();
    if (change.kind === 'charge') {
      this.correct(change.units, undefined, key);
      return;
    }
    if (change.kind === 'reset') {
      this.#reset(key, now);
      return;
    }
    const slot = this.#use(key, now);
    if (slot === NONE) throw this.#refuse(1);
    if (change.durationMs > 0) {
      this.#blocked.set(slot, now + change.durationMs);
    } else {
      this.#blocked.delete(slot);
    }
    this.#changed(slot);
  }

  /** Forgets everything about a key, the rule that it had included: the next use finds it new. */
  #reset(key: string, now: number): void {
    if (this.forget(key)) return;
    const slot = this.#index.find(key);
    if (slot === NONE) return;
    this.#clear(slot);
    this.#fresh(slot, key, now);
    this.#changed(slot);
  }

  /** Uses units of a key without a call, or gives back what it took then. */
  correct(units: number, takenAt: number | undefined, key: string): void {
    const now = this.#queue.clock.monotonic();
    // Of a key that is not kept, nothing can be given back.
    if (units < 0 && this.#index.find(key) === NONE) return;
    const slot = this.#use(key, now);
    if (slot === NONE) throw this.#refuse(1);
    const rule = this.ruleOf(slot);
    adjust(rule, this.#state, slot * rule.slots, now, units, takenAt);
    this.#formers.adjust(slot, now, units);
    this.#changed(slot);
  }

  dump(): KeyDump[] {
    const now = this.#queue.clock.monotonic();
    const keys: KeyDump[] = [];
    for (const [key, slot] of this.#index.entries()) {
      const rule = this.ruleOf(slot);
      const usage = rule.usage(this.#state, slot * rule.slots, now);
      const used = this.#formers.usage(slot, now, usage);
      const blockedMs = this.#blockedMs(slot, now);
      if (used.length > 0 || blockedMs > 0) keys.push({ key, used, blockedMs });
    }
    return keys;
  }

  restore(keys: readonly KeyDump[]): void {
    const now = this.#queue.clock.monotonic();
    for (const { key, used, blockedMs } of keys) {
      const slot = this.#use(key!, now);
      if (slot === NONE) continue;
      this.#clear(slot);
      this.#fresh(slot, key!, now);
      const rule = this.ruleOf(slot);
      replay(rule, this.#state, slot * rule.slots, now, used);
      if (blockedMs > 0) this.#blocked.set(slot, now + blockedMs);
      this.#changed(slot);
    }
  }

  stats(): KeyedStats {
    this.#removeIdle(this.#queue.clock.monotonic(), Number.POSITIVE_INFINITY);
    let queued = 0;
    for (const { turns } of this.#waiting.values()) queued += turns.queued;
    const totals = totalsOf(this.#observer);
    return {
      keys: this.#index.size,
      evictions: this.#counts.evicted.evictions,
      queued,
      ...totals,
      rejected: totals.rejected + this.#counts.refused.keys,
    };
  }
}
