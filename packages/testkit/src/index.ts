export { InMemoryTelemetry, type Point, type TelemetryOptions } from './in-memory-telemetry.ts';
export { ManualClock, settle } from './manual-clock.ts';
export { seededRandom } from './seeded-random.ts';
