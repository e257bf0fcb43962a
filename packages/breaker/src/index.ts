export type { CircuitState } from './circuit/circuit.ts';
export type { OpenDurationEvent } from './circuit/open-duration.ts';
export type { WindowOptions } from './circuit/window.ts';
export { circuitBreaker } from './circuit-breaker.ts';
export type { BreakerSnapshot, BreakerStats, CircuitBreaker } from './contract.ts';
export { CircuitOpenError } from './errors.ts';
export type { StateChange, TransitionReason } from './events.ts';
export type { BreakerMode, CircuitBreakerOptions } from './options.ts';
