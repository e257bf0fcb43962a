import { notify } from '@temper/core';
import type { ClosableAuditLog, ResolvedShutdownOptions, TelemetryLike } from './options.ts';
import { overallOutcome, type ShutdownOutcome } from './phases.ts';
import { describeReason, type ShutdownReason } from './reason.ts';
import { exitCodeOf, formatReport, type ShutdownReport } from './report.ts';
import { type Handler, HandlerRunner } from './runner.ts';
import { handlerCells, onListenerError, recordDuration, ShutdownTrace } from './telemetry.ts';
import type { Waiting } from './waiting.ts';

/** What can be in flight, and goes on being so while the shutdown runs. */
export interface Service {
  /** Requests and tracked promises under way. */
  inFlight(): number;
  /** Requests that were cut off. */
  cutOff(): number;
  /** Lets connections end with their next answer. */
  announce(): void;
}

/** One shutdown, from the first signal to the last flush. */
export class Sequence {
  readonly #options: ResolvedShutdownOptions;
  readonly #reason: ShutdownReason;
  readonly #waiting: Waiting;
  readonly #service: Service;
  readonly #runner: HandlerRunner;
  readonly #trace: ShutdownTrace;
  readonly #startedAt: number;
  readonly #begun: number;
  /** When the phases must be over, on the clock's monotonic scale. */
  readonly #deadline: number;
  readonly #late: Promise<unknown>[] = [];
  #forcedBy: NodeJS.Signals | undefined;
  #crashed = false;

  constructor(
    options: ResolvedShutdownOptions,
    reason: ShutdownReason,
    waiting: Waiting,
    service: Service,
  ) {
    const { name, clock, timeoutMs, flushTimeoutMs } = options;
    this.#options = options;
    this.#reason = reason;
    this.#waiting = waiting;
    this.#service = service;
    this.#startedAt = clock.now();
    this.#begun = clock.monotonic();
    this.#deadline = this.#begun + timeoutMs - flushTimeoutMs;
    this.#runner = new HandlerRunner({ name, clock, reason, cells: handlerCells(name) });
    this.#trace = new ShutdownTrace(name, reason, service.inFlight());
  }

  /** Names of handlers that have not settled. */
  get unsettled(): string[] {
    return this.#runner.hung;
  }

  /** Ends every wait at once. */
  force(by?: NodeJS.Signals): void {
    this.#forcedBy = by;
    this.#runner.force();
  }

  /** Takes note that an uncaught error came in between. */
  crashed(): void {
    this.#crashed = true;
  }

  /** Runs a handler whose phase is over, at once. */
  late(handler: Handler): void {
    const trace = this.#trace.phase(handler.phase);
    const run = this.#runner.run(handler, this.#deadline, trace).then((r) => trace.end([r]));
    this.#late.push(run);
  }

  async run(): Promise<ShutdownReport> {
    const { clock, phases, auditLog, flushTimeoutMs, name } = this.#options;
    this.#turnOff();
    await this.#delay();
    for (const phase of phases) {
      const deadline = Math.min(this.#deadline, clock.monotonic() + phase.timeoutMs);
      const waiting = this.#waiting.open(phase.name);
      if (waiting.length > 0) {
        const trace = this.#trace.phase(phase.name);
        await this.#runner.runPhase(waiting, phase.order, deadline, trace);
      }
      this.#waiting.close(phase.name);
    }
    await Promise.all(this.#late);
    if (auditLog.length > 0) {
      const trace = this.#trace.phase('audit');
      // Half of what is kept for the end; telemetry has the rest.
      const deadline = this.#deadline + flushTimeoutMs / 2;
      await this.#runner.runPhase(auditLog.map(closing), 'parallel', deadline, trace);
    }
    const outcome = this.#outcome();
    recordDuration(name, outcome, (clock.monotonic() - this.#begun) / 1000);
    this.#trace.end(outcome, formatReport(this.#report(outcome)));
    await this.#flushTelemetry();
    return this.#report(this.#outcome());
  }

  /** First of all: no new traffic, and no connection that stays. */
  #turnOff(): void {
    const why = `shutting down, because of ${describeReason(this.#reason)}`;
    for (const readiness of this.#options.readiness) {
      notify(() => readiness.setReady(false, why), undefined, onListenerError);
    }
    this.#service.announce();
  }

  async #delay(): Promise<void> {
    const { clock, delayMs } = this.#options;
    if (delayMs === 0) return;
    const trace = this.#trace.phase('delay');
    // Cut short when the shutdown is forced.
    await clock.sleep(delayMs, this.#runner.forced).catch(() => {});
    trace.end([]);
  }

  async #flushTelemetry(): Promise<void> {
    const flushes = this.#options.telemetry.map(flushing);
    const deadline = this.#deadline + this.#options.flushTimeoutMs;
    await Promise.all(flushes.map((flush) => this.#runner.run(flush, deadline, undefined)));
  }

  #outcome(): ShutdownOutcome {
    const outcomes = this.#runner.results.map(({ outcome }) => outcome);
    return overallOutcome(outcomes, this.#runner.forced.aborted);
  }

  #report(outcome: ShutdownOutcome): ShutdownReport {
    const { name, clock, leaving } = this.#options;
    const reason = this.#reason;
    const report: ShutdownReport = {
      name,
      reason,
      outcome,
      startedAt: this.#startedAt,
      durationMs: clock.monotonic() - this.#begun,
      handlers: [...this.#runner.results],
      hung: this.#runner.hung,
      inFlight: this.#service.inFlight(),
      cutOff: this.#service.cutOff(),
      handles: outcome === 'timed_out' || outcome === 'forced' ? leaving.handles() : [],
      exitCode: exitCodeOf(outcome, reason, this.#forcedBy) || (this.#crashed ? 1 : 0),
    };
    return { ...report, exitCode: this.#exitCode(report) };
  }

  /** The user's exit code, if it is one. */
  #exitCode(report: ShutdownReport): number {
    const { exitCode } = this.#options;
    if (exitCode === undefined) return report.exitCode;
    try {
      const code = exitCode(report);
      if (Number.isInteger(code) && code >= 0 && code <= 255) return code;
      throw new RangeError(`exitCode must return an integer from 0 to 255, got ${String(code)}.`);
    } catch (error) {
      onListenerError(error);
      return report.exitCode;
    }
  }
}

function closing(log: ClosableAuditLog, index: number): Handler {
  return {
    phase: 'audit',
    name: index === 0 ? 'audit log' : `audit log ${index + 1}`,
    timeoutMs: Number.POSITIVE_INFINITY,
    run: () => (log.close === undefined ? log.flush?.() : log.close()),
  };
}

function flushing(telemetry: TelemetryLike, index: number): Handler {
  return {
    phase: 'telemetry',
    name: index === 0 ? 'telemetry' : `telemetry ${index + 1}`,
    timeoutMs: Number.POSITIVE_INFINITY,
    run: () => (telemetry.shutdown === undefined ? telemetry.forceFlush?.() : telemetry.shutdown()),
  };
}
