import type { CallContext, Clock, Operation, Policy, SpanMode, TelemetryScope } from '@temper/core';
import {
  type Call,
  type InCallExecutor,
  PolicyBase,
  type PolicyDescription,
} from '@temper/core/policy';
import {
  type ConcurrencyLimiter,
  type ConcurrencyStats,
  concurrency,
  fairQueue,
  type KeyedLimiter,
  type KeyedStats,
  keyed,
  type Lease,
  type Limiter,
  tokenBucket,
} from '@temper/ratelimit';
import type { BulkheadOptions } from './operation.ts';

/** Most keys whose use is remembered. */
const MAX_KEYS = 10_000;

/**
 * Part of the time of a call that it may wait. A turn at its very end would be of no use, and the call is
 * refused rather than ended by its deadline.
 */
const USEFUL = 0.99;

/** Options that all policies of a toolchain have alike. */
export interface CommonOptions {
  readonly clock: Clock;
  readonly spans: SpanMode;
  readonly telemetry?: TelemetryScope;
}

interface Named extends CommonOptions {
  readonly name: string;
}

/** Calls that waited for more than half of the time that they were given. */
const CUT_SHORT = new WeakSet<object>();

/**
 * Whether a call ended at its deadline after it had waited at a bulkhead for most of its time: the
 * subsystem had too little of it to tell whether it is slow.
 */
export function wasCutShort(call: CallContext): boolean {
  if (call.endedBy !== 'deadline') return false;
  let each: Pick<Call, 'outer'> | undefined = call as unknown as Call;
  for (; each !== undefined; each = each.outer) if (CUT_SHORT.has(each)) return true;
  return false;
}

/** Remembers a call that has less than half of its time left when its turn comes. */
function noteCutShort(call: Call, givenMs: number, clock: Clock): void {
  if (call.remainingMs(clock) < givenMs / 2) CUT_SHORT.add(call);
}

/** A snapshot of a {@link Bulkhead}. */
export interface BulkheadStats extends ConcurrencyStats {
  /** What calls of a key waited for, and were refused by, before they came to the bulkhead of all. */
  readonly keys: KeyedStats | undefined;
}

/**
 * Limits how many calls a subsystem gets at the same time, all together and for each key. The others wait,
 * and the time they wait is not the subsystem's: a bulkhead stands outside of the breaker and the timeout
 * of an attempt. The cost of a call is for the limiters; here each call is one.
 */
export class Bulkhead extends PolicyBase {
  readonly #all: ConcurrencyLimiter;
  readonly #keys: KeyedLimiter | undefined;
  readonly #clock: Clock;

  constructor({ name, limit, share, maxQueue, ...common }: Required<BulkheadOptions> & Named) {
    super(name, common.clock);
    const queue = { maxQueue, queue: fairQueue(), ...common };
    this.#clock = common.clock;
    this.#all = concurrency({ name, limit, ...queue });
    const perKey = Math.max(1, Math.floor(limit * share));
    // A key waits in a line of its own, so that it never holds more places than it may use.
    this.#keys =
      perKey >= limit
        ? undefined
        : keyed({
            name: `${name}_client`,
            maxKeys: MAX_KEYS,
            ...(common.telemetry && { telemetry: common.telemetry }),
            limiter: () => concurrency({ name: `${name}_client`, limit: perKey, ...queue }),
          });
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const { key } = call;
    const givenMs = call.remainingMs(this.#clock);
    const own = key === undefined || this.#keys === undefined ? undefined : this.#keys;
    const share = own === undefined ? undefined : await this.#turn(own, call);
    try {
      const lease = await this.#turn(this.#all, call);
      try {
        if (call.aborted) throw call.reason;
        noteCutShort(call, givenMs, this.#clock);
        return await operation(call);
      } finally {
        lease.release();
      }
    } finally {
      share?.release();
    }
  }

  #turn(limiter: Limiter, call: Call): Promise<Lease> {
    const { key, abortable } = call;
    return call.awaitCapacity(() =>
      limiter.acquire({
        ...(key === undefined ? {} : { key }),
        ...(abortable === undefined ? {} : { signal: abortable }),
        maxWaitMs: Math.max(0, call.remainingMs(this.#clock) * USEFUL),
      }),
    );
  }

  stats(): BulkheadStats {
    return { ...this.#all.stats(), keys: this.#keys?.stats() };
  }

  [Symbol.dispose](): void {
    this.#all[Symbol.dispose]();
    this.#keys?.[Symbol.dispose]();
  }
}

/**
 * A limiter of somebody else in the place of a {@link Bulkhead}: an adaptive limit, say, or one that is
 * shared over a store. It belongs to whoever made it.
 */
export class GuestBulkhead extends PolicyBase {
  readonly #policy: Policy & Partial<InCallExecutor>;

  constructor(policy: Policy, clock: Clock) {
    super(policy.name, clock);
    this.#policy = policy;
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const givenMs = call.remainingMs(this.clock);
    const inTurn: Operation<T> = (context) => {
      noteCutShort(call, givenMs, this.clock);
      return operation(context);
    };
    return this.#policy.runInCall === undefined
      ? this.#policy.execute(inTurn, { parent: call })
      : this.#policy.runInCall(inTurn, call);
  }

  stats(): object {
    return this.#policy.stats();
  }

  [Symbol.dispose](): void {}
}

/** The part of a rate limit that each key may use. Calls without a key pass. */
export class KeyShare extends PolicyBase {
  readonly #keys: KeyedLimiter;

  constructor(
    rule: Named & { readonly limit: number; readonly windowMs: number; readonly burst: number },
  ) {
    const name = `${rule.name}_client`;
    super(name, rule.clock);
    this.#keys = keyed({
      template: tokenBucket({ ...rule, name, maxQueue: 0 }),
      maxKeys: MAX_KEYS,
    });
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const { key, cost } = call;
    if (key !== undefined) await this.#keys.acquire({ key, cost });
    return await operation(call);
  }

  stats(): KeyedStats {
    return this.#keys.stats();
  }

  [Symbol.dispose](): void {
    this.#keys[Symbol.dispose]();
  }
}
