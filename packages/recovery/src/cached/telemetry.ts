import {
  byOutcome,
  CallObserver,
  type Counts,
  type Emit,
  policyAttributes,
} from '@temper/core/policy';
import {
  CACHE_OUTCOMES,
  type CacheOutcome,
  METRIC_CACHE_CALLS,
  METRIC_CACHE_EVICTIONS,
  METRIC_CACHE_KEYS,
} from '../semconv.ts';
import { instrumentation } from '../telemetry.ts';
import type { ResolvedCachedOptions } from './options.ts';

const telemetry = instrumentation([METRIC_CACHE_CALLS, METRIC_CACHE_EVICTIONS, METRIC_CACHE_KEYS]);
const OUTCOMES = byOutcome(CACHE_OUTCOMES);
const EVICTIONS = { evictions: {} };

interface CacheLevel {
  readonly name: string;
  /** Answers in the cache. */
  readonly size: number;
}

/** What a cache reports to OpenTelemetry. */
export class CacheObserver implements Disposable {
  readonly calls: Counts<CacheOutcome>;
  readonly removed: Counts<'evictions'>;
  readonly spans: CallObserver<CacheOutcome>;
  readonly #level: Disposable;

  constructor(policy: CacheLevel, { name, spans, clock }: ResolvedCachedOptions) {
    this.calls = telemetry.counts(policy, METRIC_CACHE_CALLS, OUTCOMES);
    this.removed = telemetry.counts(policy, METRIC_CACHE_EVICTIONS, EVICTIONS);
    this.spans = new CallObserver({
      telemetry,
      policy: name,
      kind: 'cache',
      spans,
      clock,
      outcomes: OUTCOMES,
    });
    this.#level = telemetry.observe(policy, readKeys);
  }

  [Symbol.dispose](): void {
    this.#level[Symbol.dispose]();
  }
}

function readKeys({ name, size }: CacheLevel, emit: Emit): void {
  emit(METRIC_CACHE_KEYS, policyAttributes(name), size);
}
