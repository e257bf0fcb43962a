import { type Clock, OperationTimeoutError, type TelemetryScope } from '@temper/core';
import { errorType, noteEnding, type Scheduled, type SpanMode } from '@temper/core/policy';
import type { ResolvedCheck } from './check-options.ts';
import { CheckHangingError } from './errors.ts';
import { steadyStatus } from './flapping.ts';
import { failed, type Outcome, outcomeOf } from './outcome.ts';
import type { CheckReport, HistoryEntry } from './report.ts';
import { Ring } from './ring.ts';
import type { HealthStatus } from './status.ts';
import { type CheckMeter, checkMeter, ProbeTrace } from './telemetry.ts';
import { type Uptime, UptimeWindow } from './uptime.ts';

/** Options of {@link Probe}. */
export interface ProbeOptions {
  readonly monitor: string;
  readonly clock: Clock;
  readonly spans: SpanMode;
  readonly telemetry?: TelemetryScope | undefined;
  readonly historySize: number;
  readonly uptimeWindowsMs: readonly number[];
  readonly onChange: (from: HealthStatus | undefined, report: CheckReport) => void;
}

/**
 * Runs one check: never concurrently, never longer than its timeout, and not while its result is cached
 * or a probe that timed out has not settled.
 */
export class Probe {
  readonly check: ResolvedCheck;
  readonly meter: CheckMeter;
  readonly #options: ProbeOptions;
  readonly #clock: Clock;
  readonly #history: Ring<HistoryEntry>;
  readonly #recent: Ring<HealthStatus>;
  readonly #uptime: readonly UptimeWindow[];
  #report: CheckReport | undefined;
  /** Monotonic time of {@link #report}. */
  #reportedAt = 0;
  #consecutiveFailures = 0;
  #running: Promise<CheckReport> | undefined;
  /** Monotonic start time of {@link #running}. */
  #startedAt: number | undefined;
  /** Monotonic start time of a probe that timed out and has not settled. */
  #hangingSince: number | undefined;
  #timer: Scheduled | undefined;

  constructor(check: ResolvedCheck, options: ProbeOptions) {
    this.check = check;
    this.#options = options;
    this.#clock = options.clock;
    this.#history = new Ring(options.historySize);
    this.#recent = new Ring(check.flapping.of);
    this.#uptime = options.uptimeWindowsMs.map((windowMs) => new UptimeWindow(windowMs));
    this.meter = checkMeter(this, options.monitor, check.name, options.telemetry);
  }

  /** Report of the last probe, with its present age; undefined before the first. */
  get report(): CheckReport | undefined {
    return this.current(Number.POSITIVE_INFINITY);
  }

  /** The last report, if it is younger than `maxAgeMs`. */
  current(maxAgeMs: number): CheckReport | undefined {
    if (this.#report === undefined) return undefined;
    const ageMs = this.#clock.monotonic() - this.#reportedAt;
    return ageMs < maxAgeMs ? { ...this.#report, ageMs } : undefined;
  }

  /** The report of a check of which nothing recent is known, and whose probe takes too long. */
  unknown(waitedMs: number): CheckReport {
    const { failureStatus } = this.check;
    const startedAt = this.#startedAt ?? this.#clock.monotonic();
    return {
      ...this.#facts(failureStatus),
      probedStatus: failureStatus,
      timestamp: this.#clock.now(),
      responseTimeMs: this.#clock.monotonic() - startedAt,
      message: `no result within ${waitedMs} ms`,
    };
  }

  history(limit?: number): HistoryEntry[] {
    return this.#history.last(limit);
  }

  uptime(): Uptime[] {
    const now = this.#clock.monotonic();
    const up = this.#report === undefined ? undefined : this.#report.status !== 'unhealthy';
    return this.#uptime.map((window) => window.read(now, up, this.#reportedAt));
  }

  /**
   * Returns the last report if it is younger than `maxAgeMs`; otherwise joins the probe in progress;
   * otherwise starts a probe.
   *
   * @param background - whether no caller waits for it, so that it need not keep the process alive
   */
  run(maxAgeMs: number, background = false): Promise<CheckReport> {
    const current = this.current(maxAgeMs);
    if (current !== undefined) return Promise.resolve(current);
    if (this.#running !== undefined) {
      if (!background) this.#timer?.ref();
      return this.#running;
    }
    const now = this.#clock.monotonic();
    if (this.#hangingSince !== undefined) {
      const error = new CheckHangingError(
        this.#options.monitor,
        this.check.name,
        now - this.#hangingSince,
      );
      return Promise.resolve(this.#conclude(failed(error, this.check.failureStatus), now));
    }
    // Set before the check runs, which may ask its own monitor.
    let settle: (report: Promise<CheckReport>) => void = () => {};
    const running = new Promise<CheckReport>((resolve) => {
      settle = resolve;
    });
    this.#running = running;
    this.#startedAt = now;
    settle(
      this.#probe(now, background).finally(() => {
        this.#running = undefined;
        this.#startedAt = undefined;
      }),
    );
    return running;
  }

  async #probe(startedAt: number, background: boolean): Promise<CheckReport> {
    const trace = new ProbeTrace(this.#options.monitor, this.check.name, this.#options);
    const outcome = await this.#outcome(trace, startedAt, background);
    this.meter.duration.record((this.#clock.monotonic() - startedAt) / 1000);
    return trace.end(outcome, () => this.#conclude(outcome, startedAt));
  }

  #outcome(trace: ProbeTrace, startedAt: number, background: boolean): Promise<Outcome> {
    const { check, name, timeoutMs, failureStatus } = this.check;
    const controller = new AbortController();
    const timeoutError = (): Error =>
      new OperationTimeoutError(this.#options.monitor, timeoutMs, `Check '${name}'`);
    return new Promise((resolve) => {
      this.#timer = this.#clock.schedule(() => {
        this.#hangingSince = startedAt;
        const error = timeoutError();
        const reason = timeoutError();
        // A policy that is given the signal knows by it that a timeout has ended the check.
        noteEnding(reason, 'timeout', error);
        controller.abort(reason);
        resolve(failed(error, failureStatus));
      }, timeoutMs);
      if (background) this.#timer.unref();
      const settle = (outcome: Outcome): void => {
        this.#timer?.cancel();
        this.#hangingSince = undefined;
        resolve(outcome);
      };
      // The async function turns a synchronous throw into a rejection, including a throw of a getter
      // of the returned object.
      const probing = trace.run(async () =>
        outcomeOf(await check({ name, signal: controller.signal }), failureStatus),
      );
      probing.then(settle, (error: unknown) => settle(failed(error, failureStatus)));
    });
  }

  /** Updates report, history, uptime and metrics with an outcome. */
  #conclude(outcome: Outcome, startedAt: number): CheckReport {
    const { flapping } = this.check;
    const now = this.#clock.monotonic();
    const timestamp = this.#clock.now();
    const before = this.#report;
    if (before !== undefined) {
      const wasUp = before.status !== 'unhealthy';
      for (const window of this.#uptime) window.add(wasUp, this.#reportedAt, now);
    }
    this.#recent.push(outcome.status);
    this.#consecutiveFailures = outcome.status === 'healthy' ? 0 : this.#consecutiveFailures + 1;
    const status = steadyStatus(this.#recent.last(), flapping);
    const responseTimeMs = now - startedAt;
    const { message, observed, details, error } = outcome;
    const report: CheckReport = {
      ...this.#facts(status),
      probedStatus: outcome.status,
      timestamp,
      ageMs: 0,
      responseTimeMs,
      ...(message === undefined ? {} : { message }),
      ...(observed === undefined ? {} : { observed }),
      ...(details === undefined ? {} : { details }),
      ...(error === undefined ? {} : { errorType: errorType(error) }),
    };
    this.#report = report;
    this.#reportedAt = now;
    this.meter.probes[status] += 1;
    this.#history.push({
      status: outcome.status,
      timestamp,
      responseTimeMs,
      ...(message === undefined ? {} : { message }),
    });
    if (before?.status !== status) this.#options.onChange(before?.status, report);
    return report;
  }

  /** What every report of this check says. */
  #facts(
    status: HealthStatus,
  ): Pick<
    CheckReport,
    'name' | 'status' | 'critical' | 'groups' | 'consecutiveFailures' | 'componentType'
  > {
    const { name, critical, groups, componentType } = this.check;
    const consecutiveFailures = this.#consecutiveFailures;
    return { name, status, critical, groups, consecutiveFailures, componentType };
  }
}
