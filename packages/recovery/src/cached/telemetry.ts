import type { SpanContext } from '@opentelemetry/api';
import {
  activeContext,
  byOutcome,
  CallObserver,
  type Counts,
  type Emit,
  policyAttributes,
  spanOf,
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

/** The span in which a shared run works. */
export type WorkSpan = SpanContext;

/** The active span, in which a run begins; `undefined` without one. */
export function workSpan(): WorkSpan | undefined {
  return spanOf(activeContext())?.spanContext();
}

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

  constructor(policy: CacheLevel, options: ResolvedCachedOptions) {
    const { name, spans, clock } = options;
    const own = telemetry.of(options.telemetry);
    this.calls = own.counts(policy, METRIC_CACHE_CALLS, OUTCOMES);
    this.removed = own.counts(policy, METRIC_CACHE_EVICTIONS, EVICTIONS);
    this.spans = new CallObserver({
      telemetry: own,
      policy: name,
      kind: 'cache',
      spans,
      clock,
      outcomes: OUTCOMES,
    });
    this.#level = own.observe(policy, readKeys);
  }

  [Symbol.dispose](): void {
    this.#level[Symbol.dispose]();
  }
}

function readKeys({ name, size }: CacheLevel, emit: Emit): void {
  emit(METRIC_CACHE_KEYS, policyAttributes(name), size);
}
