import { type Context, context, SeverityNumber, type Span } from '@opentelemetry/api';
import {
  ATTR_POLICY_NAME,
  type Attributes,
  type Cell,
  failSpan,
  type HistogramSeries,
  type InstrumentationScope,
  instrumentationScope,
  runInSpan,
  type SpanMode,
} from '@temper/core';
import type { StatusChange } from './monitor.ts';
import type { Outcome } from './outcome.ts';
import type { ProcessLevel } from './process-metrics.ts';
import { PROCESS_METRICS } from './process-semconv.ts';
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
} from './semconv.ts';
import { HEALTH_STATUSES, type HealthStatus } from './status.ts';
import { VERSION } from './version.ts';

const scope: InstrumentationScope = instrumentationScope({
  name: '@temper/health',
  version: VERSION,
  metrics: [...HEALTH_METRICS, ...PROCESS_METRICS],
});

/** Reports what user code threw. */
export const onListenerError: (error: unknown) => void = scope.onListenerError;

/** What one check counts in. */
export interface CheckMeter {
  readonly probes: Readonly<Record<HealthStatus, Cell>>;
  readonly duration: HistogramSeries;
  /** The series of the gauge, one per status. */
  readonly levels: Readonly<Record<HealthStatus, Attributes>>;
}

/** The series of the checks of this name in monitors of this name. */
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

/** What is read at each collection. */
export interface ObservableMonitor {
  levels(): Iterable<{ readonly meter: CheckMeter; readonly status: HealthStatus }>;
}

/** Reads the status of every check at each collection. */
export function observeMonitor(monitor: ObservableMonitor): Disposable {
  return scope.observe(monitor, (owner, emit) => {
    for (const { meter, status } of owner.levels()) {
      for (const each of HEALTH_STATUSES) {
        emit(METRIC_STATUS, meter.levels[each], each === status ? 1 : 0);
      }
    }
  });
}

/** The span of one probe, in the modes that make one. Nothing in here throws but what `work` does. */
export class ProbeTrace {
  readonly #monitor: string;
  readonly #check: string;
  readonly #parent: Context;
  /** Tells the time of a span that is dated back. The SDK's own time is finer, and used otherwise. */
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

/** Stands for a check that said it was unhealthy without throwing: `error.type` is `unhealthy`. */
class UnhealthyResult extends Error {
  override readonly name = 'unhealthy';
}

/** Writes the one log record that a change of status deserves. */
export function logStatusChange(change: StatusChange): void {
  scope.safely(() => {
    const worse = change.to !== 'healthy';
    const said = change.message === undefined ? '' : `: ${change.message}`;
    scope.logger.emit({
      eventName: EVENT_STATUS_CHANGED,
      severityNumber: worse ? SeverityNumber.WARN : SeverityNumber.INFO,
      severityText: worse ? 'WARN' : 'INFO',
      body: `Check '${change.check}' went from ${change.from ?? 'unknown'} to ${change.to}${said}`,
      attributes: {
        [ATTR_POLICY_NAME.name]: change.monitor,
        [ATTR_CHECK_NAME.name]: change.check,
        [ATTR_STATUS.name]: change.to,
        ...(change.from === undefined ? {} : { [ATTR_FROM.name]: change.from }),
      },
    });
  });
}

/** Reads the process's levels at each collection. */
export function observeProcess(levels: { read(): readonly ProcessLevel[] }): Disposable {
  return scope.observe(levels, (owner, emit) => {
    for (const [definition, value] of owner.read()) emit(definition, NO_ATTRIBUTES, value);
  });
}

const NO_ATTRIBUTES: Attributes = {};
