import {
  type CallContext,
  type Clock,
  type Operation,
  type Outcome,
  type Policy,
  systemClock,
} from '@temper/core';
import {
  askNumber,
  type Call,
  clockRule,
  isNeutral,
  methodsRule,
  PolicyBase,
  type PolicyDescription,
  reportCallbackError,
  resolveOptions,
  typeRule,
} from '@temper/core/policy';
import type { AcquireOptions, Lease } from './limiter.ts';
import { settleAside } from './settle-aside.ts';

/** A rate limiter, keyed and shared ones included. */
export interface SettleableLimiter extends Disposable {
  readonly name: string;
  acquire(options: AcquireOptions): Promise<Lease>;
  stats(): object;
}

/** Options of {@link settled}. */
export interface SettledOptions<L extends SettleableLimiter = SettleableLimiter> {
  /**
   * The limiter that is charged.
   *
   * @throws {TypeError} at construction, unless it has `acquire` and `stats`
   */
  readonly limiter: L;
  /**
   * What a call turned out to cost, in units: finite and >= 0; `undefined` for what it has taken. An error, a
   * promise and any other value are logged, and the call costs what it has taken.
   */
  // biome-ignore lint/suspicious/noExplicitAny: the value is that of the operations, which no type here knows
  readonly cost: (outcome: Outcome<any>, call: CallContext) => number | undefined;
  /**
   * Of the limiter, where that has another one than the system's.
   *
   * @defaultValue the system clock
   */
  readonly clock?: Clock;
}

/** A policy that charges a limiter by what calls turned out to cost. */
export interface SettledLimiter<L extends SettleableLimiter> extends Policy {
  stats(): ReturnType<L['stats']>;
}

class SettledPolicy<L extends SettleableLimiter> extends PolicyBase implements SettledLimiter<L> {
  readonly #limiter: L;
  readonly #cost: SettledOptions['cost'];

  constructor(limiter: L, cost: SettledOptions['cost'], clock: Clock) {
    super(limiter.name, clock);
    this.#limiter = limiter;
    this.#cost = cost;
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const lease = await call.awaitCapacity(() => this.#acquire(call), this.clock);
    if (call.aborted) {
      this.#settle(lease, 0);
      throw call.reason;
    }
    let value: T;
    try {
      value = await operation(call);
    } catch (error) {
      this.#charge(lease, { ok: false, error }, call);
      throw error;
    }
    this.#charge(lease, { ok: true, value }, call);
    return value;
  }

  #acquire({ cost, key, priority, deadline, abortable }: Call): Promise<Lease> {
    const maxWaitMs =
      deadline === undefined ? undefined : Math.max(0, deadline - this.clock.monotonic());
    return this.#limiter.acquire({ cost, key, priority, signal: abortable, maxWaitMs });
  }

  #charge(lease: Lease, outcome: Outcome<unknown>, call: Call): void {
    // Of a call that policies inside have refused, nothing was used.
    const unused = !outcome.ok && isNeutral(outcome, call) && call.endedBy === undefined;
    const cost = unused ? 0 : askNumber(this.name, 'cost', this.#cost, outcome, call);
    if (cost !== undefined && cost !== lease.cost) this.#settle(lease, cost);
    lease.release();
  }

  #settle(lease: Lease, cost: number): void {
    settleAside(lease, cost, (error) => reportCallbackError(this.name, 'settle', error));
  }

  stats(): ReturnType<L['stats']> {
    return this.#limiter.stats() as ReturnType<L['stats']>;
  }

  [Symbol.dispose](): void {
    this.#limiter[Symbol.dispose]();
  }
}

/**
 * Charges a rate limiter by what calls turned out to cost: tokens that were used, bytes that were sent, failures
 * only. A call takes its `cost` from the limiter first, waiting for its turn if need be, so that no more are
 * under way than the limit allows; when it is over, the difference is given back, or taken as far as it is
 * there. A call that a policy inside refused costs nothing. Takes `cost`, `key` and `priority` from the call's
 * options, as the limiter does.
 *
 * ```ts
 * const tokens = keyed({ template: tokenBucket({ name: 'tokens', limit: 100_000, burst: 20_000 }) });
 * const model = settled({ limiter: tokens, cost: (outcome) => (outcome.ok ? outcome.value.used : 0) });
 * const answer = await model.execute(() => ask(prompt), { key: customer, cost: 2_000 });
 * ```
 *
 * Disposing of it disposes of the limiter.
 *
 * @throws {TypeError} when an option is unknown, missing or of a wrong type
 */
export function settled<L extends SettleableLimiter>(
  options: SettledOptions<L>,
): SettledLimiter<L> {
  const { limiter, cost, clock } = resolveOptions<SettledOptions<L>, 'limiter' | 'cost'>(
    'settled',
    options,
    { clock: systemClock },
    {
      limiter: methodsRule('acquire', 'stats'),
      cost: typeRule('function'),
      clock: clockRule,
    },
  );
  methodsRule('acquire', 'stats')('settled', 'limiter', limiter);
  typeRule('function')('settled', 'cost', cost);
  return new SettledPolicy(limiter as L, cost as SettledOptions['cost'], clock);
}
