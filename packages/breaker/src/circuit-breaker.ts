import { Breaker, type BreakerParts } from './breaker.ts';
import { loadSnapshot, takeSnapshot } from './circuit/snapshot.ts';
import { createWindow } from './circuit/windows.ts';
import type { CircuitBreaker } from './contract.ts';
import type { CircuitBreakerOptions } from './options.ts';
import { resolveBreakerOptions } from './resolve-options.ts';
import { observeLevels, TelemetryObserver } from './telemetry.ts';

const PARTS: BreakerParts = {
  createWindow,
  observe: (breaker, options) => new TelemetryObserver(breaker, options),
  observeLevels,
  takeSnapshot,
  loadSnapshot,
};

/**
 * Creates a policy that stops calling a dependency that fails, and tries it again with a bounded number
 * of calls.
 *
 * ```ts
 * const payments = circuitBreaker({ name: 'payments' });
 * const receipt = await payments.execute(({ signal }) => charge(order, signal));
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range; the message names the
 * option, the range and the value
 */
export function circuitBreaker(options: CircuitBreakerOptions = {}): CircuitBreaker {
  return new Breaker(resolveBreakerOptions(options), PARTS);
}
