export { circuitBreaker } from './breaker.ts';
export type { CircuitStateName, Opening } from './circuit.ts';
export type { BreakerStats, CircuitBreaker } from './contract.ts';
export { type CircuitOpenDetails, CircuitOpenError } from './errors.ts';
export type { StateChange, TransitionReason } from './events.ts';
export { MemoryBreakerStore } from './memory-store.ts';
export type { OpenDurationEvent } from './open-duration.ts';
export {
  BREAKER_DEFAULTS,
  BREAKER_MODES,
  type BreakerMode,
  type CircuitBreakerOptions,
} from './options.ts';
export {
  BREAKER_METRICS,
  BREAKER_SPANS,
  CALL_OUTCOMES,
  type CallOutcome,
  CIRCUIT_STATES,
  EVENT_TRANSITION,
} from './semconv.ts';
export { SHARED_DEFAULTS, type SharedOptions } from './shared-options.ts';
export type { BreakerSnapshot, SavedCircuit } from './snapshot.ts';
export type {
  BreakerStore,
  FleetMember,
  FleetState,
  NodeReport,
  TrialGrant,
  TrialRequest,
  TrialResult,
} from './store.ts';
export {
  DEFAULT_BUCKETS,
  type SavedWindow,
  type WindowCounts,
  type WindowOptions,
} from './window.ts';
