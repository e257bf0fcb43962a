export { StoreReplyError } from './errors.ts';
export { MemoryBreakerStore } from './memory-store.ts';
export type { SharedCircuitOptions } from './options.ts';
export { sharedCircuit } from './shared-circuit.ts';
export type {
  BreakerStore,
  FleetState,
  NodeReport,
  TrialGrant,
  TrialRequest,
  TrialResult,
} from './store.ts';
