import type { TelemetryScope } from '@temper/core';
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

/** What a table of keys counts. */
export class TableCounts implements Disposable {
  /** Calls refused because all keys were in use. */
  readonly refused: Counts<'keys'>;
  /** Keys removed to make room for others. */
  readonly evicted: Counts<'evictions'>;
  readonly #release: () => void;

  constructor(table: { readonly name: string }, within: TelemetryScope | undefined) {
    const own = telemetry.of(within);
    this.refused = own.counts(table, METRIC_REQUESTS, NO_ROOM);
    this.evicted = own.counts(table, METRIC_EVICTIONS, EVICTIONS);
    this.#release = () => own.release(table);
  }

  [Symbol.dispose](): void {
    this.#release();
  }
}

interface Keyed {
  readonly name: string;
  stats(): { readonly keys: number; readonly queued: number };
}

/** Reads the number of keys and of waiting calls at each collection, until disposed of. */
export function observeKeys(limiter: Keyed, within: TelemetryScope | undefined): Disposable {
  return telemetry.of(within).observe(limiter, readKeys);
}

function readKeys(limiter: Keyed, emit: Emit): void {
  const policy = policyAttributes(limiter.name);
  const { keys, queued } = limiter.stats();
  emit(METRIC_KEYS, policy, keys);
  emit(METRIC_QUEUED, policy, queued);
}
