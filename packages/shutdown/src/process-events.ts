import { notify } from '@temper/core/policy';
import { enumerate } from './enumerate.ts';
import type { ResolvedShutdownOptions } from './options.ts';
import { exitWhenIdle } from './process-exit.ts';
import { inspectError, type ShutdownReason } from './reason.ts';
import { exitCodeOf, formatReport, type ShutdownReport } from './report.ts';
import { ignoreOwnSignals, listenToProcess, SharedListeners } from './signals.ts';

/** The shutdown that events of the process begin, force or interrupt. */
export interface InterruptibleShutdown {
  /** Undefined until the shutdown is over. */
  readonly report: ShutdownReport | undefined;
  /** Handlers that were started and have not settled, as `phase/name`. */
  readonly unsettled: readonly string[];
  /** Begins the shutdown, or joins the one in progress. */
  begin(reason: ShutdownReason): Promise<ShutdownReport>;
  /** Ends every wait immediately. */
  force(by: NodeJS.Signals): void;
  /** Records that an uncaught error occurred during the shutdown. */
  crashed(): void;
  /** Gives up handlers that can never settle, because the event loop is empty. */
  loopIsEmpty(): void;
  /**
   * The report of a process that exits now.
   *
   * @returns undefined if the shutdown is over, or had nothing to do
   */
  abandon(exitCode: number): ShutdownReport | undefined;
}

/** Signals have a listener each; all other events of the process share this key. */
const OTHER_EVENTS = 'other events';

/** Begins, joins, forces or reports a shutdown when something happens to the process. */
export class ProcessEvents implements Disposable {
  readonly #options: ResolvedShutdownOptions;
  readonly #shutdown: InterruptibleShutdown;
  readonly #listeners = new SharedListeners<NodeJS.Signals | typeof OTHER_EVENTS>((key) =>
    this.#listenTo(key),
  );
  /** Monotonic time of the first signal. */
  #signalledAt: number | undefined;
  #ownSignals: Disposable | undefined;
  #exiting = false;

  constructor(options: ResolvedShutdownOptions, shutdown: InterruptibleShutdown) {
    this.#options = options;
    this.#shutdown = shutdown;
  }

  /** Adds listeners. Disposing of the result removes those that no other call has asked for. */
  listen(signals: readonly NodeJS.Signals[]): Disposable {
    return this.#listeners.register([...signals, OTHER_EVENTS]);
  }

  /**
   * Leaves later events to Node and to the application if the shutdown, which is over, does not end the
   * process. A second signal within `forceAfterMs` still counts as the first one.
   */
  ended(): void {
    this.#ownSignals?.[Symbol.dispose]();
    const { exit, clock, forceAfterMs } = this.#options;
    if (exit) return;
    const since = clock.monotonic() - (this.#signalledAt ?? Number.NEGATIVE_INFINITY);
    const waitMs = Number.isFinite(forceAfterMs) ? forceAfterMs - since : 0;
    if (waitMs <= 0) this.#listeners.removeAll();
    else clock.schedule(() => this.#listeners.removeAll(), waitMs).unref();
  }

  /** Passes the report to the user, or writes it. */
  report(report: ShutdownReport): void {
    const { name, onReport, processExit } = this.#options;
    if (onReport !== undefined) notify(name, 'onReport', onReport, report);
    else if (report.outcome !== 'completed') processExit.log(formatReport(report));
  }

  [Symbol.dispose](): void {
    this.#ownSignals?.[Symbol.dispose]();
    this.#listeners.removeAll();
  }

  #onSignal(signal: NodeJS.Signals): void {
    const now = this.#options.clock.monotonic();
    if (this.#signalledAt === undefined) {
      this.#signalledAt = now;
      if (this.#shutdown.report === undefined) {
        this.#ownSignals = ignoreOwnSignals(this.#listeners.has);
      }
      this.#exitAfter(this.#shutdown.begin({ kind: 'signal', signal }));
    } else if (now - this.#signalledAt >= this.#options.forceAfterMs) {
      this.#onSecondSignal(signal);
    }
  }

  #onSecondSignal(signal: NodeJS.Signals): void {
    const { name, exit, processExit } = this.#options;
    const { report, unsettled } = this.#shutdown;
    const running = enumerate(unsettled) || 'no handler';
    const code = report?.exitCode ?? exitCodeOf('forced', { kind: 'signal', signal }, signal);
    if (report === undefined) {
      processExit.log(
        `Shutdown '${name}' is forced by a second signal, ${signal}; still running: ${running}.`,
      );
    }
    this.#shutdown.force(signal);
    if (exit) processExit.exit(code);
  }

  #onCrash(reason: ShutdownReason & { readonly error: unknown }): void {
    // Node does not print an error that has a listener.
    this.#options.processExit.log(inspectError(reason.error));
    this.#exitAfter(this.#shutdown.begin(reason));
    this.#shutdown.crashed();
  }

  #onMessage(message: unknown): void {
    if (typeof message !== 'string' || !this.#options.messages.includes(message)) return;
    this.#exitAfter(this.#shutdown.begin({ kind: 'message', message }));
  }

  /** Called whenever the event loop is empty: again and again, as long as it is kept alive. */
  #onBeforeExit(): void {
    if (this.#shutdown.report !== undefined) return;
    this.#exitAfter(this.#shutdown.begin({ kind: 'beforeExit' }));
    this.#shutdown.loopIsEmpty();
    // One more iteration of the event loop. Node exits after the event unless something is pending.
    this.#options.clock.schedule(() => {}, 0);
  }

  #onExit(code: number): void {
    const report = this.#shutdown.abandon(code);
    if (report !== undefined) this.report(report);
  }

  #exitAfter(running: Promise<ShutdownReport>): void {
    const { exit, processExit, clock, lingerMs } = this.#options;
    if (!exit || this.#exiting) return;
    this.#exiting = true;
    void running.then(({ reason, exitCode }) => {
      // A process that ends by itself keeps the exit code that it has set.
      if (reason.kind === 'beforeExit' && exitCode === 0) return;
      exitWhenIdle(processExit, clock, exitCode, lingerMs);
    });
  }

  #listenTo(key: NodeJS.Signals | typeof OTHER_EVENTS): Disposable {
    if (key !== OTHER_EVENTS) {
      return listenToProcess([[key, (signal: NodeJS.Signals) => this.#onSignal(signal)]]);
    }
    const { uncaughtExceptions, unhandledRejections, beforeExit, messages } = this.#options;
    const crash = (kind: 'uncaughtException' | 'unhandledRejection') => (error: unknown) =>
      this.#onCrash({ kind, error });
    const exits = (code: number): void => this.#onExit(code);
    const hears = (message: unknown): void => this.#onMessage(message);
    return listenToProcess([
      ['exit', exits],
      ...(beforeExit ? [['beforeExit', () => this.#onBeforeExit()] as const] : []),
      ...(messages.length > 0 ? [['message', hears] as const] : []),
      ...(uncaughtExceptions ? [['uncaughtException', crash('uncaughtException')] as const] : []),
      ...(unhandledRejections
        ? [['unhandledRejection', crash('unhandledRejection')] as const]
        : []),
    ]);
  }
}
