import { type CircuitBreaker, circuitBreaker } from '@temper/breaker';
import { type Operation, OperationTimeoutError } from '@temper/core';
import { type Call, runWithTimeout, TimeoutQueue } from '@temper/core/policy';
import type { ResolvedRedisStoreOptions } from './options.ts';

/**
 * Protects callers from a server that does not answer: no command takes longer than its timeout, and
 * while the server fails, no command is sent but one trial from time to time.
 */
export class StoreGuard {
  readonly breaker: CircuitBreaker;
  readonly #name: string;
  readonly #timeouts: TimeoutQueue;

  constructor(options: ResolvedRedisStoreOptions) {
    const { name, commandTimeoutMs, failureThreshold, openDurationMs, clock } = options;
    this.#name = name;
    this.#timeouts = new TimeoutQueue(clock, commandTimeoutMs);
    this.breaker = circuitBreaker({
      name,
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

  /** @throws {CircuitOpenError} without sending it; {@link OperationTimeoutError}; the client's error */
  call<T>(command: Operation<T>): Promise<T> {
    return this.breaker.execute((call) =>
      runWithTimeout(command, call as Call, this.#timeouts, () => this.#timeoutError()),
    );
  }

  #timeoutError(): Error {
    const { durationMs } = this.#timeouts;
    return new OperationTimeoutError(this.#name, durationMs, `Redis store '${this.#name}'`);
  }
}
