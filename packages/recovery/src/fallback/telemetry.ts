import type { Clock, SpanMode, TelemetryScope } from '@temper/core';
import { byOutcome, CallObserver, type Counts } from '@temper/core/policy';
import { FALLBACK_OUTCOMES, type FallbackOutcome, METRIC_FALLBACK_CALLS } from '../semconv.ts';
import { instrumentation } from '../telemetry.ts';

const telemetry = instrumentation([METRIC_FALLBACK_CALLS]);
const OUTCOMES = byOutcome(FALLBACK_OUTCOMES);

/** What a fallback reports to OpenTelemetry. */
export class FallbackTelemetry implements Disposable {
  readonly calls: Counts<FallbackOutcome>;
  readonly spans: CallObserver<FallbackOutcome>;
  readonly #release: () => void;

  constructor(
    policy: { readonly name: string },
    options: {
      readonly name: string;
      readonly spans: SpanMode;
      readonly clock: Clock;
      readonly telemetry?: TelemetryScope;
    },
  ) {
    const { name, spans, clock } = options;
    const own = telemetry.of(options.telemetry);
    this.#release = () => own.release(policy);
    this.calls = own.counts(policy, METRIC_FALLBACK_CALLS, OUTCOMES);
    this.spans = new CallObserver({
      telemetry: own,
      policy: name,
      kind: 'fallback',
      spans,
      clock,
      outcomes: OUTCOMES,
    });
  }

  [Symbol.dispose](): void {
    this.#release();
  }
}
