export {
  atRate,
  type Fault,
  type FaultPlan,
  type Faulty,
  type FaultyOptions,
  faulty,
  inSequence,
  type Sleeper,
} from './faults/faults.ts';
export { type FaultyFetchOptions, type FetchFault, faultyFetch } from './faults/faulty-fetch.ts';
export { ManualClock, settle } from './manual-clock.ts';
export { seededRandom } from './seeded-random.ts';
export {
  type ExpectedLog,
  type ExpectedPoint,
  type ExpectedSpan,
  expectLog,
  expectMetric,
  expectNoSpan,
  expectSpan,
} from './telemetry/expectations.ts';
export {
  type InMemoryTelemetry,
  inMemoryTelemetry,
  type TelemetryOptions,
} from './telemetry/in-memory-telemetry.ts';
export type {
  LogSource,
  MetricSource,
  RecordedLog,
  RecordedPoint,
  RecordedSpan,
  SpanSource,
} from './telemetry/recorded.ts';
