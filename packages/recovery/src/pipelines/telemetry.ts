import type { TelemetryScope } from '@temper/core';
import { byOutcome, type Counts, type Emit, policyAttributes } from '@temper/core/policy';
import {
  METRIC_PIPELINE_IN_FLIGHT,
  METRIC_PIPELINE_RELOADS,
  RELOAD_OUTCOMES,
  type ReloadOutcome,
} from '../semconv.ts';
import { instrumentation } from '../telemetry.ts';

const telemetry = instrumentation([METRIC_PIPELINE_RELOADS, METRIC_PIPELINE_IN_FLIGHT]);
const RELOADS = byOutcome(RELOAD_OUTCOMES);

/** What is read from a named pipeline at each collection. */
export interface NamedLevel {
  readonly name: string;
  readonly inFlight: number;
}

/** What a named pipeline reports to OpenTelemetry. */
export class NamedObserver implements Disposable {
  readonly reloads: Counts<ReloadOutcome>;
  readonly #level: Disposable;

  constructor(pipeline: NamedLevel, within: TelemetryScope | undefined) {
    const own = telemetry.of(within);
    this.reloads = own.counts(pipeline, METRIC_PIPELINE_RELOADS, RELOADS);
    this.#level = own.observe(pipeline, readInFlight);
  }

  [Symbol.dispose](): void {
    this.#level[Symbol.dispose]();
  }
}

function readInFlight({ name, inFlight }: NamedLevel, emit: Emit): void {
  emit(METRIC_PIPELINE_IN_FLIGHT, policyAttributes(name), inFlight);
}
