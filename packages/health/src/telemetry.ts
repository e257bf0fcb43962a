import type { Context } from '@opentelemetry/api';
import type { Attributes, Clock, TelemetryScope } from '@temper/core';
import {
  ATTR_POLICY_NAME,
  activeContext,
  by,
  type Counts,
  type Emit,
  type GuardedSpan,
  type HistogramSeries,
  Instrumentation,
  type MetricDefinition,
  ROOT_CONTEXT,
  type SpanMode,
  type Variants,
} from '@temper/core/policy';
import type { Outcome } from './outcome.ts';
import type { StatusChange } from './report.ts';
import {
  ATTR_CHECK_NAME,
  ATTR_FROM,
  ATTR_PROBE_STATUS,
  ATTR_STACK,
  ATTR_STALL_DURATION,
  ATTR_STATUS,
  EVENT_STALLED,
  EVENT_STATUS_CHANGED,
  HEALTH_METRICS,
  METRIC_CHECK_DURATION,
  METRIC_CHECKS,
  METRIC_STATUS,
  PROCESS_METRICS,
} from './semconv.ts';
import { HEALTH_STATUSES, type HealthStatus } from './status.ts';
import { VERSION } from './version.ts';

const telemetry = new Instrumentation({
  name: '@temper/health',
  version: VERSION,
  metrics: [...HEALTH_METRICS, ...PROCESS_METRICS],
});

const STATUSES = by(ATTR_STATUS.name, HEALTH_STATUSES);

/** The metric series of one check. */
export interface CheckMeter {
  /** Finished probes by the resulting status. The probe counts in it. */
  readonly probes: Counts<HealthStatus>;
  /** In seconds. */
  readonly duration: HistogramSeries;
  /** Attributes of the gauge, one set per status. */
  readonly levels: Variants<HealthStatus>;
}

/**
 * Creates the metric series of a check. Monitors and checks of the same name share them.
 *
 * @param probe - counts in them for as long as it exists
 */
export function checkMeter(
  probe: object,
  monitor: string,
  check: string,
  within: TelemetryScope | undefined,
): CheckMeter {
  const own = attributesOf(monitor, check);
  const levels = HEALTH_STATUSES.map((status) => [status, { ...own, ...STATUSES[status] }]);
  const scoped = telemetry.of(within);
  const base = scoped.attributes(own);
  return {
    probes: scoped.scope.counts(probe, METRIC_CHECKS, base, STATUSES),
    duration: scoped.scope.histogram(METRIC_CHECK_DURATION, base, base),
    levels: Object.fromEntries(levels) as Variants<HealthStatus>,
  };
}

/** Ends the series of a check that is no longer run. */
export function releaseProbe(probe: object, within: TelemetryScope | undefined): void {
  telemetry.of(within).scope.release(probe);
}

function attributesOf(monitor: string, check: string): Attributes {
  return { [ATTR_POLICY_NAME.name]: monitor, [ATTR_CHECK_NAME.name]: check };
}

/** A monitor as read at each metric collection. */
export interface ObservableMonitor {
  readonly name: string;
  levels(): Iterable<{ readonly meter: CheckMeter; readonly status: HealthStatus }>;
}

/** Reports the status of every check at each metric collection. */
export function observeMonitor(
  monitor: ObservableMonitor,
  within: TelemetryScope | undefined,
): Disposable {
  return telemetry.of(within).observe(monitor, readStatuses);
}

function readStatuses(monitor: ObservableMonitor, emit: Emit): void {
  for (const { meter, status } of monitor.levels()) {
    for (const each of HEALTH_STATUSES) {
      emit(METRIC_STATUS, meter.levels[each], each === status ? 1 : 0);
    }
  }
}

/** What the spans of probes depend on. */
interface TraceOptions {
  readonly spans: SpanMode;
  readonly clock: Clock;
  readonly telemetry?: TelemetryScope | undefined;
}

/** The span of one probe, if the mode asks for one. Only the work itself can throw. */
export class ProbeTrace {
  readonly #monitor: string;
  readonly #check: string;
  readonly #mode: SpanMode;
  readonly #clock: Clock;
  readonly #parent: Context;
  readonly #telemetry: Instrumentation;
  /** On the clock's monotonic scale, in milliseconds. */
  readonly #startedAt: number;
  #span: GuardedSpan | undefined;

  constructor(monitor: string, check: string, { spans, clock, telemetry: within }: TraceOptions) {
    this.#monitor = monitor;
    this.#check = check;
    this.#telemetry = telemetry.of(within);
    this.#mode = this.#telemetry.live.traces ? spans : 'none';
    this.#clock = clock;
    this.#parent = activeContext();
    this.#startedAt = clock.monotonic();
    if (this.#mode === 'all') this.#span = this.#open();
  }

  /** Runs the check, whose spans become children of this one. */
  run<T>(work: () => T): T {
    return this.#span === undefined ? work() : this.#span.run(work);
  }

  /**
   * Ends the span. In mode `failures` it is created now, dated back to the start of the probe.
   *
   * @param record - records the outcome in the context of the span, so that the log record of a
   * status change is linked to it
   */
  end<T>(outcome: Outcome, record: () => T): T {
    const failed = outcome.error !== undefined || outcome.status === 'unhealthy';
    const datedBack = failed && this.#mode === 'failures';
    const now = this.#clock.now();
    if (datedBack) this.#span = this.#open(now - (this.#clock.monotonic() - this.#startedAt));
    const result = this.run(record);
    this.#span?.set({ [ATTR_PROBE_STATUS.name]: outcome.status });
    if (failed) {
      const error = outcome.error ?? new UnhealthyResult(outcome.message);
      this.#span?.fail({ ok: false, error });
    }
    this.#span?.end(datedBack ? now : undefined);
    return result;
  }

  #open(startTime?: number): GuardedSpan {
    const attributes = attributesOf(this.#monitor, this.#check);
    return this.#telemetry.span(`health ${this.#check}`, attributes, this.#parent, startTime);
  }
}

/** The error of a check that returned unhealthy without throwing; `error.type` is `unhealthy`. */
class UnhealthyResult extends Error {
  override readonly name = 'unhealthy';
}

/** Emits the log record of a status change. */
export function logStatusChange(
  { monitor, check, from, to, message }: StatusChange,
  within: TelemetryScope | undefined,
): void {
  telemetry.of(within).log({
    event: EVENT_STATUS_CHANGED,
    severity: to === 'healthy' ? 'INFO' : 'WARN',
    body: () => {
      const reason = message === undefined ? '' : `: ${message}`;
      return `Check '${check}' changed from ${from ?? 'unknown'} to ${to}${reason}`;
    },
    attributes: {
      ...attributesOf(monitor, check),
      [ATTR_STATUS.name]: to,
      ...(from === undefined ? {} : { [ATTR_FROM.name]: from }),
    },
  });
}

/** One value of the process. */
export type ProcessLevel = readonly [definition: MetricDefinition, value: number];

interface ProcessLevels {
  read(): readonly ProcessLevel[];
}

/** Reports the values of the process at each metric collection. */
export function observeProcess(levels: ProcessLevels): Disposable {
  return telemetry.observeUnnamed(levels, readProcess);
}

function readProcess(levels: ProcessLevels, emit: Emit): void {
  for (const [definition, value] of levels.read()) emit(definition, NO_ATTRIBUTES, value);
}

const NO_ATTRIBUTES: Attributes = {};

/** Reports a stall of the event loop that is over: a span of its duration, and a log record in it. */
export function reportStall(
  watchdog: string,
  stall: {
    readonly durationMs: number;
    readonly endedAt: number;
    readonly stack: string | undefined;
  },
): void {
  const { durationMs, endedAt, stack } = stall;
  const attributes = {
    [ATTR_POLICY_NAME.name]: watchdog,
    [ATTR_STALL_DURATION.name]: durationMs / 1000,
    ...(stack === undefined ? {} : { [ATTR_STACK.name]: stack }),
  };
  const first = stack?.trim().split('\n', 1)[0] ?? 'in native code';
  const body = `The event loop was stuck for ${Math.round(durationMs)} ms ${first.trim()}`;
  const log = (): void =>
    telemetry.log({ event: EVENT_STALLED, severity: 'WARN', body: () => body, attributes });
  if (!telemetry.live.traces) {
    log();
    return;
  }
  const span = telemetry.span('event loop stall', attributes, ROOT_CONTEXT, endedAt - durationMs);
  span.run(log);
  span.end(endedAt);
}
