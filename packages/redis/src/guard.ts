import { type CircuitBreaker, circuitBreaker } from '@temper/breaker';
import { CallContext, OperationTimeoutError, runWithTimeout, TimeoutQueue } from '@temper/core';
import type { ResolvedRedisStoreOptions } from './options.ts';

/**
 * Stands before the server: no command is waited for longer than its time, and while the server does
 * not answer, none is sent but one now and then.
 */
export class StoreGuard {
  readonly breaker: CircuitBreaker;
  readonly #name: string;
  readonly #timeouts: TimeoutQueue;

  constructor({
    name,
    commandTimeoutMs,
    failureThreshold,
    openDurationMs,
    clock,
  }: ResolvedRedisStoreOptions) {
    this.#name = name;
    this.#timeouts = new TimeoutQueue(clock, commandTimeoutMs);
    this.breaker = circuitBreaker({
      name,
      failureThreshold,
      openDurationMs,
      successThreshold: 1,
      halfOpenMaxCalls: 1,
      halfOpenMaxDurationMs: 2 * commandTimeoutMs,
      // Every refusal is a span of the limiter already.
      spans: 'none',
      clock,
    });
  }

  /** @throws {CircuitOpenError} without asking; {@link OperationTimeoutError}; what the client throws */
  call<T>(command: () => Promise<T>): Promise<T> {
    return this.breaker.execute(() =>
      runWithTimeout(
        command,
        new CallContext(),
        this.#timeouts,
        () => new OperationTimeoutError(this.#name, this.#timeouts.durationMs),
      ),
    );
  }
}
