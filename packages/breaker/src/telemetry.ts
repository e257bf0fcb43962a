import type { Outcome, TelemetryScope } from '@temper/core';
import {
  ATTR_ERROR_TYPE,
  ATTR_POLICY_NAME,
  by,
  byOutcome,
  Call,
  type CallObservation,
  CallObserver,
  type Counts,
  type Emit,
  failureType,
  Instrumentation,
  joinAttributes,
  type Live,
  type MetricDefinition,
  policyAttributes,
} from '@temper/core/policy';
import type { CircuitState } from './circuit/circuit.ts';
import type { WindowRatios } from './circuit/window.ts';
import { describeChange, type StateChange } from './events.ts';
import type { BreakerObserver } from './observer.ts';
import type { ResolvedBreakerOptions } from './options.ts';
import {
  ATTR_FROM,
  ATTR_REASON,
  ATTR_STATE,
  ATTR_TO,
  BREAKER_METRICS,
  CALL_OUTCOMES,
  CIRCUIT_STATES,
  EVENT_TRANSITION,
  METRIC_CALL_DURATION,
  METRIC_CALLS,
  METRIC_FAILURE_RATIO,
  METRIC_SLOW_CALL_RATIO,
  METRIC_STATE,
  METRIC_TRANSITIONS,
} from './semconv.ts';
import type { CallOutcome } from './verdict.ts';
import { VERSION } from './version.ts';

const telemetry = new Instrumentation({
  name: '@temper/breaker',
  version: VERSION,
  metrics: BREAKER_METRICS,
});

const OUTCOMES = byOutcome(CALL_OUTCOMES);
const STATES = by(ATTR_STATE.name, CIRCUIT_STATES);
const FROM = by(ATTR_FROM.name, CIRCUIT_STATES);
const TO = by(ATTR_TO.name, CIRCUIT_STATES);

/** What a breaker reports to OpenTelemetry about its calls and changes of state. */
export class TelemetryObserver implements BreakerObserver {
  readonly calls: Counts<CallOutcome>;
  readonly #breaker: { readonly name: string };
  readonly #name: string;
  readonly #telemetry: Instrumentation;
  readonly #live: Live;
  readonly #options: Pick<ResolvedBreakerOptions, 'spans' | 'clock'>;
  /** Created when somebody watches. */
  #runs: CallObserver<CallOutcome> | undefined;
  /** Rejections have spans, but no duration. */
  #rejections: CallObserver<CallOutcome> | undefined;

  constructor(
    breaker: { readonly name: string },
    options: Pick<ResolvedBreakerOptions, 'spans' | 'clock' | 'telemetry'>,
  ) {
    this.#options = options;
    this.#telemetry = telemetry.of(options.telemetry);
    this.#live = this.#telemetry.live;
    this.#breaker = breaker;
    this.#name = breaker.name;
    this.calls = this.#telemetry.counts(breaker, METRIC_CALLS, OUTCOMES);
  }

  /** @returns `undefined` while nobody watches */
  begin(call: Call, state: CircuitState): CallObservation<CallOutcome> | undefined {
    const { metrics, traces } = this.#live;
    if (!metrics && !traces) return undefined;
    this.#runs ??= this.#observer(METRIC_CALL_DURATION);
    return this.#runs.begin(call, STATES[state]);
  }

  /** @param duration - the metric of the durations, if they are measured */
  #observer(duration?: MetricDefinition): CallObserver<CallOutcome> {
    const { spans, clock } = this.#options;
    return new CallObserver({
      telemetry: this.#telemetry,
      policy: this.#name,
      kind: 'breaker',
      spans,
      clock,
      outcomes: OUTCOMES,
      ...(duration !== undefined && { duration }),
    });
  }

  rejected(call: Call | undefined, state: CircuitState, error: () => unknown): void {
    this.calls.rejected++;
    if (!this.#live.traces) return;
    this.#rejections ??= this.#observer();
    const observed = this.#rejections.begin(call ?? new Call(), STATES[state]);
    observed?.end('rejected', { ok: false, error: error() });
  }

  [Symbol.dispose](): void {
    this.#telemetry.release(this.#breaker);
  }

  changed(change: StateChange, failure: Outcome<unknown> | undefined): void {
    const states = joinAttributes(FROM[change.from], TO[change.to]);
    this.#telemetry.counter(METRIC_TRANSITIONS, this.#name, states).value++;
    this.#telemetry.log({
      event: EVENT_TRANSITION,
      severity: change.to === 'open' || change.to === 'isolated' ? 'WARN' : 'INFO',
      body: () => describeChange(change),
      attributes: () => ({
        [ATTR_POLICY_NAME.name]: this.#name,
        ...states,
        [ATTR_REASON.name]: change.reason,
        ...(failure === undefined ? {} : { [ATTR_ERROR_TYPE.name]: failureType(failure) }),
      }),
    });
  }
}

/** What is read from a circuit at each collection. */
interface BreakerLevels {
  readonly name: string;
  readonly state: CircuitState;
  ratios(): WindowRatios;
}

/** Reads a circuit's levels at each collection, until disposed of. */
export function observeLevels(
  circuit: BreakerLevels,
  within: TelemetryScope | undefined,
): Disposable {
  return telemetry.of(within).observe(circuit, readLevels);
}

function readLevels(breaker: BreakerLevels, emit: Emit): void {
  const policy = policyAttributes(breaker.name);
  const { state } = breaker;
  for (const each of CIRCUIT_STATES) {
    emit(METRIC_STATE, joinAttributes(policy, STATES[each]), each === state ? 1 : 0);
  }
  const { failure, slow } = breaker.ratios();
  if (failure !== undefined) emit(METRIC_FAILURE_RATIO, policy, failure);
  if (slow !== undefined) emit(METRIC_SLOW_CALL_RATIO, policy, slow);
}
