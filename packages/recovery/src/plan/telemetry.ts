import type { Attributes, Clock, Outcome, SpanMode, TelemetryScope } from '@temper/core';
import {
  ATTR_OUTCOME,
  type Call,
  type CallObservation,
  CallObserver,
  type Counts,
  type Instrumentation,
  type Variants,
} from '@temper/core/policy';
import {
  ATTR_RECOVERED_BY,
  ATTR_STRATEGY,
  METRIC_RECOVERY_DURATION,
  METRIC_RECOVERY_EXECUTIONS,
  RECOVERY_OUTCOMES,
  type RecoveryOutcomeName,
} from '../semconv.ts';
import { instrumentation } from '../telemetry.ts';

const telemetry = instrumentation([METRIC_RECOVERY_EXECUTIONS, METRIC_RECOVERY_DURATION]);

/** What one plan reports to OpenTelemetry. */
export class PlanObserver implements Disposable {
  readonly name: string;
  readonly executions: Counts<RecoveryOutcomeName>;
  readonly #strategy: string;
  readonly #calls: CallObserver<RecoveryOutcomeName>;
  readonly #telemetry: Instrumentation;

  /** @param strategy - the plan's strategies, joined by '+' */
  constructor(
    operation: string,
    strategy: string,
    {
      spans,
      clock,
      telemetry: within,
    }: { readonly spans: SpanMode; readonly clock: Clock; readonly telemetry?: TelemetryScope },
  ) {
    const own = telemetry.of(within);
    this.#telemetry = own;
    this.name = operation;
    this.#strategy = strategy;
    const outcomes = Object.fromEntries(
      RECOVERY_OUTCOMES.map((outcome): [string, Attributes] => [
        outcome,
        { [ATTR_STRATEGY.name]: strategy, [ATTR_OUTCOME]: outcome },
      ]),
    ) as Variants<RecoveryOutcomeName>;
    this.executions = own.counts(this, METRIC_RECOVERY_EXECUTIONS, outcomes);
    this.#calls = new CallObserver({
      telemetry: own,
      policy: operation,
      kind: 'recovery',
      spans,
      clock,
      duration: METRIC_RECOVERY_DURATION,
      outcomes,
    });
  }

  [Symbol.dispose](): void {
    this.#telemetry.release(this);
  }

  /** @returns `undefined` while nobody watches */
  begin(call: Call): CallObservation<RecoveryOutcomeName> | undefined {
    return this.#calls.begin(call, { [ATTR_STRATEGY.name]: this.#strategy });
  }

  /**
   * Ends an observation. In mode `failures`, every outcome but `success` gets a span.
   *
   * @param failure - what the operation failed with, unless a strategy recovered it
   */
  end(
    observed: CallObservation<RecoveryOutcomeName> | undefined,
    outcome: RecoveryOutcomeName,
    failure: Outcome<unknown> | undefined,
    recoveredBy: string | undefined,
  ): void {
    if (observed === undefined) return;
    if (outcome !== 'success') observed.span();
    const by = recoveredBy === undefined ? {} : { [ATTR_RECOVERED_BY.name]: recoveredBy };
    observed.end(outcome, failure, by);
  }
}
