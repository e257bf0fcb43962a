import { type Counts, notify, reportCallbackError, show } from '@temper/core/policy';
import type { ClosableAuditLog, ResolvedShutdownOptions, TelemetryLike } from './options.ts';
import type { PendingHandlers } from './pending-handlers.ts';
import { type HandlerOutcome, overallOutcome, type ShutdownOutcome } from './phases.ts';
import { describeReason, type ShutdownReason } from './reason.ts';
import { exitCodeOf, formatReport, type ShutdownReport } from './report.ts';
import { type Handler, HandlerRunner } from './runner.ts';
import { recordDuration, ShutdownTrace } from './telemetry.ts';

/** The running service, as far as a shutdown needs to know it. */
export interface Service {
  /** Handlers by outcome; the shutdown adds to them. */
  readonly handlers: Counts<HandlerOutcome>;
  /** Open requests and pending tracked promises. */
  inFlight(): number;
  /** Requests whose connections were destroyed. */
  cutOff(): number;
  /** Whether clients can reach it. */
  serves(): boolean;
  /** Makes every connection close after its next response. */
  announce(): void;
}

/** One shutdown, from the first signal to the export of telemetry. */
export class Sequence {
  readonly #options: ResolvedShutdownOptions;
  readonly #reason: ShutdownReason;
  readonly #waiting: PendingHandlers;
  readonly #service: Service;
  readonly #runner: HandlerRunner;
  readonly #trace: ShutdownTrace;
  readonly #startedAt: number;
  readonly #begun: number;
  /** Deadline of the phases on the clock's monotonic scale, in milliseconds. */
  readonly #deadline: number;
  /** Handlers whose phase was over when they were registered, and that have not ended. */
  readonly #late = new Set<Promise<void>>();
  #forcedBy: NodeJS.Signals | undefined;
  #crashed = false;
  #finished = false;

  constructor(
    options: ResolvedShutdownOptions,
    reason: ShutdownReason,
    waiting: PendingHandlers,
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
    this.#runner = new HandlerRunner({ name, clock, reason, counts: service.handlers });
    this.#trace = new ShutdownTrace(name, reason, service.inFlight());
  }

  /** Handlers that were started and have not settled, as `phase/name`. */
  get unsettled(): string[] {
    return this.#runner.hung;
  }

  /** Ends every wait immediately. */
  force(by?: NodeJS.Signals): void {
    this.#forcedBy = by;
    this.#runner.force();
  }

  /** Records that an uncaught error occurred during the shutdown. */
  crashed(): void {
    this.#crashed = true;
  }

  /** Runs a handler immediately, because its phase is over. */
  late(handler: Handler): void {
    const trace = this.#trace.phase(handler.phase);
    const run = this.#runner.run(handler, this.#deadline, trace).then((result) => {
      trace.end([result]);
      this.#late.delete(run);
    });
    this.#late.add(run);
  }

  /** Gives up every handler that runs, because nothing is pending that could settle it. */
  loopIsEmpty(): void {
    if (this.#reason.kind === 'beforeExit') this.#runner.giveUp();
  }

  /** Ends the shutdown now, because the process does. What has not run is reported as skipped. */
  abandon(exitCode: number): ShutdownReport {
    const { auditLog, telemetry } = this.#options;
    this.#finished = true;
    const report = this.#report('forced', exitCode);
    const listed = [...report.handlers.map(idOf), ...report.hung];
    const rest = [...this.#waiting.all(), ...auditLog.map(closing), ...telemetry.map(flushing)];
    const skipped = rest
      .filter((handler) => !listed.includes(idOf(handler)))
      .map(({ phase, name }) => ({ phase, name, outcome: 'skipped' as const, durationMs: 0 }));
    const abandoned = { ...report, handlers: [...report.handlers, ...skipped] };
    this.#trace.end('forced', formatReport(abandoned));
    return abandoned;
  }

  /** Whether no time is left for another handler. */
  get over(): boolean {
    const { clock } = this.#options;
    return this.#finished || this.#runner.forced.aborted || clock.monotonic() >= this.#deadline;
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
    await this.#lateHandlers();
    // At most flushTimeoutMs from here, however much of timeoutMs the phases have left.
    const phasesEnded = Math.min(clock.monotonic(), this.#deadline);
    if (auditLog.length > 0) {
      const trace = this.#trace.phase('audit');
      // Half of the time; the rest is for telemetry.
      const deadline = phasesEnded + flushTimeoutMs / 2;
      await this.#runner.runPhase(auditLog.map(closing), 'parallel', deadline, trace);
      await this.#lateHandlers();
    }
    const outcome = this.#outcome();
    recordDuration(name, outcome, (clock.monotonic() - this.#begun) / 1000);
    this.#trace.end(outcome, formatReport(this.#report(outcome)));
    await this.#flushTelemetry(phasesEnded);
    await this.#lateHandlers();
    this.#finished = true;
    return this.#report(this.#outcome());
  }

  /** Waits for late handlers, including those that late handlers register. */
  async #lateHandlers(): Promise<void> {
    while (this.#late.size > 0) await Promise.all(this.#late);
  }

  /** Turns readiness off and makes every connection close after its next response. */
  #turnOff(): void {
    const why = `shutting down: ${describeReason(this.#reason)}`;
    for (const readiness of this.#options.readiness) {
      notify(this.#options.name, 'readiness', () => readiness.setReady(false, why));
    }
    this.#service.announce();
  }

  async #delay(): Promise<void> {
    const { clock, delayMs } = this.#options;
    if (delayMs === 0 || this.#reason.kind === 'beforeExit' || !this.#service.serves()) return;
    const trace = this.#trace.phase('delay');
    // Ends early if the shutdown is forced.
    await clock.sleep(delayMs, this.#runner.forced).catch(() => {});
    trace.end([]);
  }

  async #flushTelemetry(phasesEnded: number): Promise<void> {
    const { clock, telemetry, flushTimeoutMs } = this.#options;
    const flushes = telemetry.map(flushing);
    // A late handler may have run since the phases ended. Telemetry keeps its half.
    const half = clock.monotonic() + flushTimeoutMs / 2;
    const deadline = Math.min(
      this.#deadline + flushTimeoutMs,
      Math.max(phasesEnded + flushTimeoutMs, half),
    );
    await Promise.all(flushes.map((flush) => this.#runner.run(flush, deadline, undefined)));
  }

  #outcome(): ShutdownOutcome {
    const outcomes = this.#runner.results.map(({ outcome }) => outcome);
    return overallOutcome(outcomes, this.#runner.forced.aborted);
  }

  /** @param exitCode - if the process has chosen it */
  #report(outcome: ShutdownOutcome, exitCode?: number): ShutdownReport {
    const { name, clock, processExit } = this.#options;
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
      handles: outcome === 'timed_out' || outcome === 'forced' ? processExit.handles() : [],
      exitCode:
        exitCode ?? (exitCodeOf(outcome, reason, this.#forcedBy) || (this.#crashed ? 1 : 0)),
    };
    return exitCode === undefined ? { ...report, exitCode: this.#exitCode(report) } : report;
  }

  /** The result of the user's `exitCode`, or the default if that is not a valid exit code. */
  #exitCode(report: ShutdownReport): number {
    const { name, exitCode } = this.#options;
    let chosen = report.exitCode;
    if (exitCode === undefined) return chosen;
    notify(name, 'exitCode', () => {
      const code: unknown = exitCode(report);
      if (isExitCode(code)) {
        chosen = code;
        return undefined;
      }
      const problem = `exitCode must return an integer from 0 to 255, got ${show(code)}.`;
      reportCallbackError(name, 'exitCode', new RangeError(problem));
      // A promise is no exit code; `notify` handles its rejection, which would end the process.
      return code;
    });
    return chosen;
  }
}

function idOf({ phase, name }: { readonly phase: string; readonly name: string }): string {
  return `${phase}/${name}`;
}

function isExitCode(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255;
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
