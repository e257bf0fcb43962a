import type { Operation } from '@temper/core';
import {
  type Call,
  numberRule,
  PolicyBase,
  type PolicyDescription,
  rejectLater,
  resolveOptions,
} from '@temper/core/policy';
import { JOINABLE, mark } from '../brands.ts';
import { readKey } from '../changes/rate-controls.ts';
import type { Joinable, JoinedLimit } from '../joint/member.ts';
import type { AcquireOptions, Decision, Lease, Limiter, LimitState } from '../limiter.ts';
import type { Levels, Observation } from '../observer.ts';
import type { RefusalListener, Refusing } from '../refusals.ts';
import { REPORTED } from '../telemetry.ts';
import {
  QUEUE_DEFAULTS,
  QUEUE_RULES,
  type QueueOptions,
  type QueueUnset,
  type ResolvedQueueOptions,
} from '../wait/options.ts';
import { HeldCall } from './held-call.ts';
import { type ConcurrencyStats, PermitGate, PermitLease } from './permit-gate.ts';

/** Options of {@link concurrency}. */
export interface ConcurrencyOptions extends QueueOptions {
  /**
   * Most units in use at the same time.
   *
   * @defaultValue 10
   * @throws {RangeError} at construction, unless finite and >= 1
   */
  readonly limit?: number;
}

/** The default limit. */
export const DEFAULT_CONCURRENCY = 10;

/** A limit on how many calls run at the same time. */
export interface ConcurrencyLimiter extends Limiter, Refusing {
  stats(): ConcurrencyStats;
}

/** A limit on how many calls run at the same time: permits, a queue, and an observer. */
export class ConcurrencyPolicy extends PolicyBase implements ConcurrencyLimiter, Joinable {
  readonly #gate: PermitGate;
  readonly #levels: Disposable;

  constructor(limit: number, options: ResolvedQueueOptions, observation: Observation) {
    super(options.name, options.clock);
    this.#gate = new PermitGate(options, observation, limit);
    this.#levels = observation.observeLevels(this, options.telemetry);
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  onReject(listener: RefusalListener): Disposable {
    return this.#gate.refusals.onReject(listener);
  }

  tryAcquire(options?: AcquireOptions): Lease | undefined {
    const { turns } = this.#gate;
    const cost = options === undefined ? 1 : turns.costOf(options);
    return turns.tryEnter(cost) ? new PermitLease(this.#gate, cost) : undefined;
  }

  async acquire(options?: AcquireOptions): Promise<Lease> {
    return new PermitLease(this.#gate, await this.#gate.turns.acquire(options));
  }

  take(options?: AcquireOptions): Decision {
    const lease = this.tryAcquire(options);
    const allowed = lease !== undefined;
    return { ...this.peek(), allowed, retryAfterMs: allowed ? 0 : undefined, lease };
  }

  peek(options?: Pick<AcquireOptions, 'key'>): LimitState {
    if (options !== undefined) readKey(this.name, options);
    return this.#gate.peek();
  }

  joined(): JoinedLimit {
    return this.#gate.joined;
  }

  runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const { turns } = this.#gate;
    if (turns.enter(call.cost)) return this.#run(operation, call);
    const refused = turns.refuse(call);
    return refused === undefined
      ? this.#run(operation, call, turns.wait(call))
      : rejectLater(refused);
  }

  /** @param turn - what the call waits for */
  async #run<T>(operation: Operation<T>, call: Call, turn?: Promise<() => void>): Promise<T> {
    const answered = turn === undefined ? undefined : await turn;
    const gate = this.#gate;
    const { cost } = call;
    const held = gate.holders.hold(cost);
    try {
      if (call.aborted) throw call.reason;
      const value = await operation(new HeldCall(call, held));
      answered?.();
      return value;
    } finally {
      gate.holders.end(held);
      gate.giveBack(cost);
    }
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

mark(ConcurrencyPolicy, JOINABLE);

/**
 * Limits how many calls run at the same time: at most `limit`, while the others wait for their turn.
 *
 * ```ts
 * const database = concurrency({ name: 'database', limit: 20 });
 * const rows = await database.execute(() => query(sql));
 * using lease = await database.acquire();   // or hold a permit by hand
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function concurrency(options: ConcurrencyOptions = {}): ConcurrencyLimiter {
  const all = resolveOptions<ConcurrencyOptions, QueueUnset>(
    'concurrency',
    options,
    { ...QUEUE_DEFAULTS, name: 'concurrency', limit: DEFAULT_CONCURRENCY },
    { ...QUEUE_RULES, limit: numberRule({ min: 1, infinite: false }) },
  );
  return new ConcurrencyPolicy(all.limit, all, REPORTED);
}
