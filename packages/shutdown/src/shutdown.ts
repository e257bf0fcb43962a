import { setMaxListeners } from 'node:events';
import type { Server as NetServer } from 'node:net';
import { type Counts, notify, show } from '@temper/core/policy';
import { enumerate } from './enumerate.ts';
import { ShuttingDownError } from './errors.ts';
import {
  resolveHandler,
  resolveServerOptions,
  type ServerOptions,
  type ShutdownHandler,
} from './handler-options.ts';
import {
  type GracefulShutdownOptions,
  type ResolvedShutdownOptions,
  resolveShutdownOptions,
  signalsRule,
} from './options.ts';
import { PendingHandlers } from './pending-handlers.ts';
import type { HandlerOutcome } from './phases.ts';
import { exitWhenIdle, nodeProcess, type ProcessExit } from './process-exit.ts';
import { inspectError, type ShutdownReason } from './reason.ts';
import { exitCodeOf, formatReport, type ShutdownReport } from './report.ts';
import type { Handler, HandlerContext } from './runner.ts';
import { Sequence, type Service } from './sequence.ts';
import { ServerDrain } from './server/drain.ts';
import { listenToProcess } from './signals.ts';
import { handlerCounts, observeInFlight } from './telemetry.ts';
import { TrackedPromises } from './tracked-promises.ts';

/** State of a {@link GracefulShutdown}. */
type ShutdownState = 'running' | 'stopping' | 'stopped';

/** Snapshot of a {@link GracefulShutdown}. */
export interface ShutdownStats {
  readonly state: ShutdownState;
  /** Open requests and pending tracked promises. */
  readonly inFlight: number;
  /** Handlers whose phase has not run, as `phase/name`. */
  readonly waiting: readonly string[];
  /** Handlers that were started and have not settled, as `phase/name`. */
  readonly unsettled: readonly string[];
  /** Handlers by outcome, as the metric `temper.shutdown.handlers` counts them. */
  readonly handlers: Readonly<Record<HandlerOutcome, number>>;
  /** Undefined until the shutdown is over. */
  readonly report: ShutdownReport | undefined;
}

/** Shuts a service down in phases. Created by {@link gracefulShutdown}. */
export interface GracefulShutdown extends Disposable, AsyncDisposable {
  readonly name: string;
  readonly state: ShutdownState;
  /** Whether the service should receive traffic. `false` from the beginning of the shutdown. */
  readonly ready: boolean;
  /**
   * Aborts with a {@link ShuttingDownError} when the shutdown begins. For work that should stop then,
   * such as an unfinished startup or polling; requests continue.
   */
  readonly signal: AbortSignal;
  /**
   * Adds a handler that runs before the process exits. Disposing of the result removes it. A handler
   * whose phase is already over runs immediately.
   *
   * @throws {TypeError | RangeError} when an option is unknown or out of range
   */
  register(handler: ShutdownHandler | ((context: HandlerContext) => unknown)): Disposable;
  /**
   * Closes a server of `node:http`, `node:https` or `node:http2`: it stops accepting connections in the
   * phase `intake` and finishes its requests in the phase `drain`. Call it before the server listens,
   * so that every connection is tracked. Disposing of the result removes the server.
   *
   * @throws {TypeError | RangeError} when `server` is no such server, or an option is unknown or out of range
   */
  server(server: NetServer, options?: ServerOptions): Disposable;
  /**
   * Makes the phase `drain` wait for a promise.
   *
   * @returns the same promise, whose rejection stays with the caller
   * @throws {TypeError} when `promise` is no promise
   */
  track<P extends PromiseLike<unknown>>(promise: P): P;
  /** Open requests and pending tracked promises. */
  inFlight(): number;
  /**
   * Adds listeners for signals, and for uncaught errors if the options ask for them. Disposing of the
   * result removes all of them.
   *
   * @param signals - default: SIGTERM and SIGINT
   * @throws {TypeError} when `signals` is no array of signals that this platform knows
   */
  listen(signals?: readonly NodeJS.Signals[]): Disposable;
  /**
   * Begins the shutdown, or joins the one in progress. Never rejects, and never ends the process.
   *
   * @param message - reason for logs, spans and the report. A value of another type is described: a
   * mistake in the message does not prevent the shutdown.
   */
  shutdown(message?: string): Promise<ShutdownReport>;
  /** Ends every wait of the shutdown in progress immediately. */
  force(): void;
  stats(): ShutdownStats;
  /** Removes listeners from process and servers, and the gauge from telemetry. Starts no shutdown. */
  [Symbol.dispose](): void;
  /** Waits for the complete shutdown, then disposes. */
  [Symbol.asyncDispose](): Promise<void>;
}

class Shutdown implements GracefulShutdown, Service {
  readonly name: string;
  readonly handlers: Counts<HandlerOutcome>;
  readonly #options: ResolvedShutdownOptions;
  readonly #waiting = new PendingHandlers();
  readonly #servers = new Set<ServerDrain>();
  readonly #tracked = new TrackedPromises();
  readonly #beginning = new AbortController();
  readonly #listeners = new Map<NodeJS.Signals | 'errors', Disposable>();
  readonly #gauge: Disposable;
  #registered = 0;
  #waitsForTracked = false;
  #sequence: Sequence | undefined;
  #running: Promise<ShutdownReport> | undefined;
  #report: ShutdownReport | undefined;
  /** Monotonic time of the first signal. */
  #signalledAt: number | undefined;
  #exiting = false;

  constructor(options: ResolvedShutdownOptions) {
    this.name = options.name;
    this.#options = options;
    // Any number of listeners is legitimate; Node's leak warning does not apply.
    setMaxListeners(0, this.#beginning.signal);
    this.handlers = handlerCounts(this);
    this.#gauge = observeInFlight(this);
    if (options.signals.length > 0) this.listen(options.signals);
  }

  get state(): ShutdownState {
    if (this.#report !== undefined) return 'stopped';
    return this.#running === undefined ? 'running' : 'stopping';
  }

  get ready(): boolean {
    return this.state === 'running';
  }

  get signal(): AbortSignal {
    return this.#beginning.signal;
  }

  register(handler: ShutdownHandler | ((context: HandlerContext) => unknown)): Disposable {
    return this.#add(resolveHandler(handler, this.#options, ++this.#registered));
  }

  server(server: NetServer, options: ServerOptions = {}): Disposable {
    const resolved = resolveServerOptions(options, this.#options, this.#servers.size + 1);
    const { name, timeoutMs, idleGraceMs, webSockets, closeUpgraded } = resolved;
    const drain = new ServerDrain(server, {
      clock: this.#options.clock,
      graceMs: idleGraceMs,
      webSockets,
      closeUpgraded,
      owner: this.name,
    });
    this.#servers.add(drain);
    if (this.#running !== undefined) drain.announce();
    const { handlerTimeoutMs } = this.#options;
    const stop = this.#add({
      name,
      phase: 'intake',
      timeoutMs: handlerTimeoutMs,
      run: () => drain.stop(),
    });
    const empty = this.#add({
      name,
      phase: 'drain',
      timeoutMs,
      run: async ({ signal }) => {
        signal.addEventListener('abort', () => drain.destroy(), { once: true });
        await drain.drained();
      },
    });
    return {
      [Symbol.dispose]: () => {
        this.#servers.delete(drain);
        drain[Symbol.dispose]();
        stop[Symbol.dispose]();
        empty[Symbol.dispose]();
      },
    };
  }

  track<P extends PromiseLike<unknown>>(promise: P): P {
    if (typeof (promise as { then?: unknown } | null | undefined)?.then !== 'function') {
      throw new TypeError(`track: promise must be a promise, got ${show(promise)}.`);
    }
    if (!this.#waitsForTracked) {
      this.#waitsForTracked = true;
      this.#add({
        name: 'tracked work',
        phase: 'drain',
        timeoutMs: this.#options.handlerTimeoutMs,
        run: () => this.#tracked.idle(),
      });
    }
    return this.#tracked.add(promise);
  }

  inFlight(): number {
    let requests = 0;
    for (const server of this.#servers) requests += server.inFlight;
    return requests + this.#tracked.size;
  }

  cutOff(): number {
    let requests = 0;
    for (const server of this.#servers) requests += server.cutOff;
    return requests;
  }

  announce(): void {
    for (const server of this.#servers) server.announce();
  }

  listen(signals: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT']): Disposable {
    signalsRule('shutdown.listen', 'signals', signals);
    const { uncaughtExceptions, unhandledRejections } = this.#options;
    const crash = (kind: 'uncaughtException' | 'unhandledRejection') => (error: unknown) =>
      this.#onCrash({ kind, error });
    const fresh = signals.filter((signal) => !this.#listeners.has(signal));
    const add = (key: NodeJS.Signals | 'errors', listeners: readonly NodeJS.Signals[]): void => {
      const errors = key === 'errors';
      const listening = listenToProcess({
        signals: listeners,
        onSignal: (signal) => this.#onSignal(signal),
        onUncaughtException: errors && uncaughtExceptions ? crash('uncaughtException') : undefined,
        onUnhandledRejection:
          errors && unhandledRejections ? crash('unhandledRejection') : undefined,
      });
      this.#listeners.set(key, listening);
    };
    for (const signal of fresh) add(signal, [signal]);
    if (!this.#listeners.has('errors')) add('errors', []);
    return { [Symbol.dispose]: () => this.#stopListening() };
  }

  shutdown(message?: string): Promise<ShutdownReport> {
    return this.#begin({ kind: 'call', ...(message === undefined ? {} : { message }) });
  }

  force(): void {
    this.#sequence?.force();
  }

  stats(): ShutdownStats {
    return {
      state: this.state,
      inFlight: this.inFlight(),
      waiting: this.#waiting.names(),
      unsettled: this.#sequence?.unsettled ?? [],
      handlers: { ...this.handlers },
      report: this.#report,
    };
  }

  [Symbol.dispose](): void {
    this.#stopListening();
    this.#gauge[Symbol.dispose]();
    for (const server of this.#servers) server[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown('disposal');
    this[Symbol.dispose]();
  }

  #add(handler: Handler): Disposable {
    if (!this.#waiting.add(handler)) this.#sequence?.late(handler);
    return { [Symbol.dispose]: () => this.#waiting.remove(handler) };
  }

  #begin(reason: ShutdownReason): Promise<ShutdownReport> {
    if (this.#running === undefined) {
      const { promise, resolve } = Promise.withResolvers<ShutdownReport>();
      // Set before user code runs, so that a call to `shutdown` from there joins this one.
      this.#running = promise;
      this.#sequence = new Sequence(this.#options, reason, this.#waiting, this);
      resolve(this.#run(this.#sequence));
      this.#beginning.abort(new ShuttingDownError(this.name, reason));
    }
    return this.#running;
  }

  async #run(sequence: Sequence): Promise<ShutdownReport> {
    const report = await sequence.run();
    this.#report = report;
    const { onReport, processExit } = this.#options;
    if (onReport !== undefined) notify(this.name, 'onReport', onReport, report);
    else if (report.outcome !== 'completed') processExit.log(formatReport(report));
    return report;
  }

  #onSignal(signal: NodeJS.Signals): void {
    const now = this.#options.clock.monotonic();
    if (this.#signalledAt === undefined) {
      this.#signalledAt = now;
      this.#exitAfter(this.#begin({ kind: 'signal', signal }));
    } else if (now - this.#signalledAt >= this.#options.forceAfterMs) {
      this.#onSecondSignal(signal);
    }
  }

  #onSecondSignal(signal: NodeJS.Signals): void {
    const { exit, processExit } = this.#options;
    const running = enumerate(this.#sequence?.unsettled ?? []) || 'no handler';
    const code = this.#report?.exitCode ?? exitCodeOf('forced', { kind: 'signal', signal }, signal);
    if (this.#report === undefined) {
      processExit.log(
        `Shutdown '${this.name}' is forced by a second signal, ${signal}; still running: ${running}.`,
      );
    }
    this.#sequence?.force(signal);
    if (exit) processExit.exit(code);
  }

  #onCrash(reason: ShutdownReason & { readonly error: unknown }): void {
    // Node does not print an error that has a listener.
    this.#options.processExit.log(inspectError(reason.error));
    this.#exitAfter(this.#begin(reason));
    this.#sequence?.crashed();
  }

  #exitAfter(running: Promise<ShutdownReport>): void {
    const { exit, processExit, clock, lingerMs } = this.#options;
    if (!exit || this.#exiting) return;
    this.#exiting = true;
    void running.then(({ exitCode }) => exitWhenIdle(processExit, clock, exitCode, lingerMs));
  }

  #stopListening(): void {
    for (const listening of this.#listeners.values()) listening[Symbol.dispose]();
    this.#listeners.clear();
  }
}

/**
 * Creates a {@link GracefulShutdown}.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function gracefulShutdown(options: GracefulShutdownOptions = {}): GracefulShutdown {
  return shutdownOf(options, nodeProcess);
}

/** Creates a {@link GracefulShutdown} that acts on the given process. Tests pass a fake one. */
export function shutdownOf(
  options: GracefulShutdownOptions,
  processExit: ProcessExit,
): GracefulShutdown {
  return new Shutdown(resolveShutdownOptions(options, processExit));
}
