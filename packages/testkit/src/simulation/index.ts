export { constant, type Distribution, exponential, heavyTailed, steady } from './chance.ts';
export type {
  CallerOptions,
  DependencyOptions,
  NetworkOptions,
  OutageKind,
  OutageOptions,
  SimulatedCallOptions,
  SimulatedEvent,
  SimulatedExecutor,
  SimulatedWorld,
  SimulationOptions,
} from './options.ts';
export type { PhaseReport } from './phase.ts';
export type { Leftovers, SimulationReport } from './report.ts';
export { type FailingSeed, findFailingSeed, type SeedSearch, shrink } from './search.ts';
export { simulate } from './simulate.ts';
export type { CallEnd, TraceEvent } from './trace.ts';
