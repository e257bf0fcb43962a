import {
  ATTR_OPERATION,
  ATTR_OUTCOME,
  ATTR_POLICY_NAME,
  type Attributes,
  CallContext,
  type Cell,
  type Clock,
  type HistogramSeries,
  type SpanMode,
} from '@temper/core';
import {
  ATTR_RECOVERED_BY,
  ATTR_STRATEGY,
  METRIC_RECOVERY_DEMAND,
  METRIC_RECOVERY_DURATION,
  METRIC_RECOVERY_EXECUTIONS,
  METRIC_RECOVERY_FORECAST,
  RECOVERY_OUTCOMES,
  type RecoveryOutcomeName,
} from '../semconv.ts';
import {
  cellsBy,
  endFailed,
  endSpan,
  histogram,
  live,
  observe,
  openSpan,
  originOf,
  policyAttributes,
  type Span,
  under,
} from '../telemetry.ts';
import type { FailureTrend } from './forecast.ts';
import type { RecoverOptions, RecoveryResult } from './recovery.ts';

/** Telemetry of one execution. */
export interface ExecutionTelemetry {
  /** Runs the work where a trace shows it as part of the execution. */
  within<T>(work: () => T): T;
  ended(
    outcome: RecoveryOutcomeName,
    result: RecoveryResult<unknown>,
    error: unknown,
    elapsedMs: number,
  ): void;
}

/** What one plan counts in. */
export class PlanMeter implements Disposable {
  readonly #operation: string;
  readonly #strategy: string;
  readonly #spans: SpanMode;
  readonly #clock: Clock;
  readonly #cells: Readonly<Record<RecoveryOutcomeName, Cell>>;
  readonly #durations: Readonly<Record<RecoveryOutcomeName, HistogramSeries>>;
  #gauge: Disposable | undefined;

  constructor(operation: string, strategy: string, spans: SpanMode, clock: Clock) {
    this.#operation = operation;
    this.#strategy = strategy;
    this.#spans = spans;
    this.#clock = clock;
    const base: Attributes = {
      [ATTR_POLICY_NAME.name]: operation,
      [ATTR_STRATEGY.name]: strategy,
    };
    this.#cells = cellsBy(METRIC_RECOVERY_EXECUTIONS, base, ATTR_OUTCOME, RECOVERY_OUTCOMES);
    this.#durations = Object.fromEntries(
      RECOVERY_OUTCOMES.map((outcome) => [
        outcome,
        histogram(METRIC_RECOVERY_DURATION, { ...base, [ATTR_OUTCOME]: outcome }),
      ]),
    ) as Record<RecoveryOutcomeName, HistogramSeries>;
  }

  /** Shows the trend of a living plan at each collection. */
  observe(trend: FailureTrend): void {
    // The plan's name is wanted, and not the plan: what is observed must not be held by the reader.
    const attributes = policyAttributes(this.#operation);
    this.#gauge = observe(trend, (owner, emit) => {
      const { calls, inOneMinute, demand } = owner.forecast(1);
      if (calls === 0) return;
      emit(METRIC_RECOVERY_FORECAST, attributes, inOneMinute);
      emit(METRIC_RECOVERY_DEMAND, attributes, demand);
    });
  }

  begin(options: RecoverOptions): ExecutionTelemetry {
    const origin = originOf(this.#spans);
    const startedAt = origin === undefined ? 0 : this.#clock.now();
    const open = (): Span | undefined => {
      const call = new CallContext(1, undefined, this.#operation, options.attributes);
      return openSpan(
        `recovery ${this.#operation}`,
        this.#operation,
        call,
        startedAt,
        { [ATTR_STRATEGY.name]: this.#strategy, [ATTR_OPERATION.name]: this.#operation },
        origin,
      );
    };
    const early = origin !== undefined && this.#spans === 'all' ? open() : undefined;
    return {
      within: (work) => under(early, work),
      ended: (outcome, result, error, elapsedMs) => {
        this.#cells[outcome].value++;
        if (live.metrics) this.#durations[outcome].record(elapsedMs / 1000);
        if (origin === undefined) return;
        const span = early ?? (outcome === 'success' ? undefined : open());
        const by = result.ok ? result.recoveredBy : undefined;
        const attributes = {
          [ATTR_OUTCOME]: outcome,
          ...(by === undefined ? {} : { [ATTR_RECOVERED_BY.name]: by }),
        };
        const now = this.#clock.now();
        if (result.ok) endSpan(span, now, attributes);
        else endFailed(span, error, now, attributes);
      },
    };
  }

  [Symbol.dispose](): void {
    this.#gauge?.[Symbol.dispose]();
  }
}
