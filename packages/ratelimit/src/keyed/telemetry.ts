import { type Counts, type Emit, Instrumentation, policyAttributes } from '@temper/core/policy';
import { METRIC_QUEUED, METRIC_REQUESTS } from '../request-semconv.ts';
import { rejected } from '../telemetry.ts';
import { VERSION } from '../version.ts';
import { KEYED_METRICS, METRIC_EVICTIONS, METRIC_KEYS } from './semconv.ts';

const telemetry = new Instrumentation({
  name: '@temper/ratelimit',
  version: VERSION,
  metrics: [METRIC_REQUESTS, METRIC_QUEUED, ...KEYED_METRICS],
});

const NO_ROOM = { keys: rejected('keys') };
const EVICTIONS = { evictions: {} };

/** Calls refused because all keys were in use. */
export function countRefusedKeys(table: { readonly name: string }): Counts<'keys'> {
  return telemetry.counts(table, METRIC_REQUESTS, NO_ROOM);
}

/** Keys removed to make room for others. */
export function countEvictions(table: { readonly name: string }): Counts<'evictions'> {
  return telemetry.counts(table, METRIC_EVICTIONS, EVICTIONS);
}

/** Ends the series of a table that is disposed of. */
export function release(table: { readonly name: string }): void {
  telemetry.release(table);
}

interface Keyed {
  readonly name: string;
  stats(): { readonly keys: number; readonly queued: number };
}

/** Reads the number of keys and of waiting calls at each collection, until disposed of. */
export function observeKeys(limiter: Keyed): Disposable {
  return telemetry.observe(limiter, readKeys);
}

function readKeys(limiter: Keyed, emit: Emit): void {
  const policy = policyAttributes(limiter.name);
  const { keys, queued } = limiter.stats();
  emit(METRIC_KEYS, policy, keys);
  emit(METRIC_QUEUED, policy, queued);
}
