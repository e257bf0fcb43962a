import { type Context, context, SeverityNumber, type Span } from '@opentelemetry/api';
import {
  ATTR_POLICY_NAME,
  type Attributes,
  type Cell,
  failSpan,
  type HistogramSeries,
  type InstrumentationScope,
  instrumentationScope,
  type MetricDefinition,
  runInSpan,
  type SpanMode,
} from '@temper/core';
import type { Outcome } from './outcome.ts';
import type { StatusChange } from './report.ts';
import {
  ATTR_CHECK_NAME,
  ATTR_FROM,
  ATTR_PROBE_STATUS,
  ATTR_STATUS,
  EVENT_STATUS_CHANGED,
  HEALTH_METRICS,
  METRIC_CHECK_DURATION,
  METRIC_CHECKS,
  METRIC_STATUS,
  PROCESS_METRICS,
} from './semconv.ts';
import { HEALTH_STATUSES, type HealthStatus } from './status.ts';
import { VERSION } from './version.ts';

const scope: InstrumentationScope = instrumentationScope({
  name: '@temper/health',
  version: VERSION,
  metrics: [...HEALTH_METRICS, ...PROCESS_METRICS],
});

/** Logs an error thrown by user code. */
export const onListenerError: (error: unknown) => void = scope.onListenerError;

/** The metric series of one check. */
export interface CheckMeter {
  readonly probes: Readonly<Record<HealthStatus, Cell>>;
  readonly duration: HistogramSeries;
  /** Attributes of the gauge, one set per status. */
  readonly levels: Readonly<Record<HealthStatus, Attributes>>;
}

/** Creates the metric series of a check. Monitors and checks of the same name share them. */
export function checkMeter(monitor: string, check: string): CheckMeter {
  const base = { [ATTR_POLICY_NAME.name]: monitor, [ATTR_CHECK_NAME.name]: check };
  const byStatus = <T>(make: (attributes: Attributes) => T): Record<HealthStatus, T> =>
    Object.fromEntries(
      HEALTH_STATUSES.map((status) => [status, make({ ...base, [ATTR_STATUS.name]: status })]),
    ) as Record<HealthStatus, T>;
  return {
    probes: byStatus((attributes) => scope.counter(METRIC_CHECKS, attributes)),
    duration: scope.histogram(METRIC_CHECK_DURATION, base),
    levels: byStatus((attributes) => attributes),
  };
}

/** A monitor as read at each metric collection. */
export interface ObservableMonitor {
  levels(): Iterable<{ readonly meter: CheckMeter; readonly status: HealthStatus }>;
}

/** Reports the status of every check at each metric collection. */
export function observeMonitor(monitor: ObservableMonitor): Disposable {
  return scope.observe(monitor, (owner, emit) => {
    for (const { meter, status } of owner.levels()) {
      for (const each of HEALTH_STATUSES) {
        emit(METRIC_STATUS, meter.levels[each], each === status ? 1 : 0);
      }
    }
  });
}

/** The span of one probe, if the mode asks for one. Only `work` can throw. */
export class ProbeTrace {
  readonly #monitor: string;
  readonly #check: string;
  readonly #parent: Context;
  /** Clock of a span that is created at the end of the probe. Otherwise the SDK's own clock is used. */
  readonly #now: (() => number) | undefined;
  readonly #startTime: number | undefined;
  #span: Span | undefined;

  constructor(monitor: string, check: string, mode: SpanMode, now: () => number) {
    this.#monitor = monitor;
    this.#check = check;
    this.#parent = context.active();
    this.#now = mode === 'failures' ? now : undefined;
    this.#startTime = this.#now?.();
    if (mode === 'all') scope.safely(() => this.#open());
  }

  run<T>(work: () => T): T {
    return this.#span === undefined ? work() : runInSpan(this.#span, work);
  }

  end(outcome: Outcome): void {
    scope.safely(() => {
      const bad = outcome.error !== undefined || outcome.status === 'unhealthy';
      if (bad && this.#now !== undefined) this.#open();
      const span = this.#span;
      if (span === undefined) return;
      span.setAttribute(ATTR_PROBE_STATUS.name, outcome.status);
      if (bad) failSpan(span, outcome.error ?? new UnhealthyResult(outcome.message));
      span.end(this.#now?.());
    });
  }

  #open(): void {
    const attributes = {
      [ATTR_POLICY_NAME.name]: this.#monitor,
      [ATTR_CHECK_NAME.name]: this.#check,
    };
    const options =
      this.#startTime === undefined ? { attributes } : { attributes, startTime: this.#startTime };
    this.#span = scope.tracer.startSpan(`health ${this.#check}`, options, this.#parent);
  }
}

/** The error of a check that returned unhealthy without throwing; `error.type` is `unhealthy`. */
class UnhealthyResult extends Error {
  override readonly name = 'unhealthy';
}

/** Emits the log record of a status change. */
export function logStatusChange(change: StatusChange): void {
  scope.safely(() => {
    const worse = change.to !== 'healthy';
    const reason = change.message === undefined ? '' : `: ${change.message}`;
    scope.logger.emit({
      eventName: EVENT_STATUS_CHANGED,
      severityNumber: worse ? SeverityNumber.WARN : SeverityNumber.INFO,
      severityText: worse ? 'WARN' : 'INFO',
      body: `Check '${change.check}' changed from ${change.from ?? 'unknown'} to ${change.to}${reason}`,
      attributes: {
        [ATTR_POLICY_NAME.name]: change.monitor,
        [ATTR_CHECK_NAME.name]: change.check,
        [ATTR_STATUS.name]: change.to,
        ...(change.from === undefined ? {} : { [ATTR_FROM.name]: change.from }),
      },
    });
  });
}

/** One value of the process. */
export type ProcessLevel = readonly [definition: MetricDefinition, value: number];

/** Reports the values of the process at each metric collection. */
export function observeProcess(levels: { read(): readonly ProcessLevel[] }): Disposable {
  return scope.observe(levels, (owner, emit) => {
    for (const [definition, value] of owner.read()) emit(definition, NO_ATTRIBUTES, value);
  });
}

const NO_ATTRIBUTES: Attributes = {};
