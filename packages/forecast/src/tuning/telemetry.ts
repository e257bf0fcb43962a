import type { TelemetryScope } from '@temper/core';
import { by, type Counts, type Emit, Instrumentation, policyAttributes } from '@temper/core/policy';
import {
  ATTR_CHANGE,
  ATTR_SETTING,
  EVENT_TUNING,
  METRIC_CHANGES,
  METRIC_PROPOSALS,
} from '../semconv.ts';
import { VERSION } from '../version.ts';
import {
  CHANGE_OUTCOMES,
  type ChangeOutcome,
  describeChange,
  type TuningChange,
} from './change.ts';

const telemetry = new Instrumentation({
  name: '@temper/forecast/tuning',
  version: VERSION,
  metrics: [METRIC_CHANGES, METRIC_PROPOSALS],
});

/** A tuner as it is read at each metric collection. */
interface Observable {
  readonly name: string;
  review(): { readonly proposals: readonly unknown[] };
}

/** Counts changes, writes their log records, and reports how many changes are proposed. */
export class AutotuneTelemetry {
  readonly #changes: Counts<ChangeOutcome>;
  readonly #levels: Disposable;
  readonly #telemetry: Instrumentation;

  constructor(tuner: Observable, within: TelemetryScope | undefined) {
    const own = telemetry.of(within);
    this.#telemetry = own;
    this.#changes = own.counts(tuner, METRIC_CHANGES, by(ATTR_CHANGE.name, CHANGE_OUTCOMES));
    this.#levels = own.observe(tuner, readProposals);
  }

  changed(change: TuningChange): void {
    this.#changes[change.outcome]++;
    this.#telemetry.log({
      event: EVENT_TUNING,
      severity: change.outcome === 'failed' ? 'WARN' : 'INFO',
      body: () => describeChange(change),
      attributes: {
        ...policyAttributes(change.name),
        [ATTR_CHANGE.name]: change.outcome,
        [ATTR_SETTING.name]: change.setting,
      },
    });
  }

  [Symbol.dispose](): void {
    this.#levels[Symbol.dispose]();
  }
}

function readProposals(tuner: Observable, emit: Emit): void {
  emit(METRIC_PROPOSALS, policyAttributes(tuner.name), tuner.review().proposals.length);
}
