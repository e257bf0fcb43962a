import { type BreakerStats, type CircuitBreaker, circuitBreaker } from '@temper/breaker';
import { type Operation, OperationTimeoutError } from '@temper/core';
import { type Call, runWithTimeout, TimeoutQueue } from '@temper/core/policy';
import type { ResolvedRedisStoreOptions } from './options.ts';

/** Most servers that a breaker is kept for. Of more, the one that was seen first is forgotten. */
const MAX_SHARDS = 64;

/**
 * Protects callers from a server that does not answer: no command takes longer than its timeout, and
 * while the server fails, no command is sent but one trial from time to time. Each master of a cluster
 * has a circuit breaker of its own: the failure of one does not concern the keys of the others.
 */
export class StoreGuard {
  readonly #options: ResolvedRedisStoreOptions;
  readonly #timeouts: TimeoutQueue;
  /** By the address of the server; an empty one is that of a single server. */
  readonly #breakers = new Map<string, CircuitBreaker>();

  constructor(options: ResolvedRedisStoreOptions) {
    this.#options = options;
    this.#timeouts = new TimeoutQueue(options.clock, options.commandTimeoutMs);
  }

  /** @throws {CircuitOpenError} without sending it; {@link OperationTimeoutError}; the client's error */
  call<T>(shard: string, command: Operation<T>): Promise<T> {
    return this.#breakerOf(shard).execute((call) =>
      runWithTimeout(command, call as Call, this.#timeouts, () => this.#timeoutError(shard)),
    );
  }

  #breakerOf(shard: string): CircuitBreaker {
    let breaker = this.#breakers.get(shard);
    if (breaker === undefined) {
      if (this.#breakers.size >= MAX_SHARDS) this.#forgetOldest();
      breaker = this.#create(shard);
      this.#breakers.set(shard, breaker);
    }
    return breaker;
  }

  #create(shard: string): CircuitBreaker {
    const { failureThreshold, openDurationMs, commandTimeoutMs, clock } = this.#options;
    return circuitBreaker({
      name: this.#nameOf(shard),
      failureThreshold,
      openDurationMs,
      successThreshold: 1,
      halfOpenMaxCalls: 1,
      halfOpenMaxDurationMs: 2 * commandTimeoutMs,
      // The limiter's span of a refused call shows the failure already.
      spans: 'none',
      clock,
    });
  }

  #forgetOldest(): void {
    for (const [shard, breaker] of this.#breakers) {
      breaker[Symbol.dispose]();
      this.#breakers.delete(shard);
      return;
    }
  }

  #nameOf(shard: string): string {
    const { name } = this.#options;
    return shard === '' ? name : `${name} ${shard}`;
  }

  #timeoutError(shard: string): Error {
    const name = this.#nameOf(shard);
    return new OperationTimeoutError(name, this.#timeouts.durationMs, `Redis store '${name}'`);
  }

  /** The circuit breakers by server. */
  shards(): Readonly<Record<string, BreakerStats>> {
    return Object.fromEntries(
      [...this.#breakers].map(([shard, breaker]) => [shard, breaker.stats()]),
    );
  }

  /** The statistics of the server that is worst off, with the calls to all of them. */
  stats(): BreakerStats {
    let worst: BreakerStats | undefined;
    const calls: Record<string, number> = {};
    for (const stats of Object.values(this.shards())) {
      if (worst === undefined || SEVERITY[stats.state] > SEVERITY[worst.state]) worst = stats;
      for (const [outcome, count] of Object.entries(stats.calls)) {
        calls[outcome] = (calls[outcome] ?? 0) + count;
      }
    }
    if (worst === undefined) return this.#breakerOf('').stats();
    return { ...worst, calls: calls as BreakerStats['calls'] };
  }

  [Symbol.dispose](): void {
    for (const breaker of this.#breakers.values()) breaker[Symbol.dispose]();
  }
}

const SEVERITY: Readonly<Record<BreakerStats['state'], number>> = {
  closed: 0,
  'half-open': 1,
  open: 2,
  isolated: 3,
};
