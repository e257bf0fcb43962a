import { setMaxListeners } from 'node:events';
import type { Server as NetServer } from 'node:net';
import { inspect } from 'node:util';
import { checkType, isThenable, notify } from '@temper/core';
import { ShuttingDownError } from './errors.ts';
import {
  resolveHandler,
  resolveServerOptions,
  type ServerOptions,
  type ShutdownHandler,
} from './handler-options.ts';
import { leave } from './leaving.ts';
import {
  type GracefulShutdownOptions,
  type ResolvedShutdownOptions,
  resolveShutdownOptions,
} from './options.ts';
import type { ShutdownReason } from './reason.ts';
import { exitCodeOf, formatReport, type ShutdownReport } from './report.ts';
import type { Handler, HandlerContext } from './runner.ts';
import { Sequence, type Service } from './sequence.ts';
import { ServerDrain } from './server/drain.ts';
import { listenToProcess } from './signals.ts';
import { observeInFlight, onListenerError } from './telemetry.ts';
import { Tracked } from './tracked.ts';
import { Waiting } from './waiting.ts';

/** Where a {@link GracefulShutdown} stands. */
export type ShutdownState = 'running' | 'stopping' | 'stopped';

/** What is known of a {@link GracefulShutdown} now. */
export interface ShutdownStats {
  readonly state: ShutdownState;
  readonly inFlight: number;
  /** Handlers that wait for their phase, as `phase/name`. */
  readonly waiting: readonly string[];
  /** Handlers that were started and have not settled, as `phase/name`. */
  readonly unsettled: readonly string[];
  /** Of the shutdown, when it is over. */
  readonly report: ShutdownReport | undefined;
}

/** Ends a service in good order. */
export interface GracefulShutdown extends Disposable, AsyncDisposable {
  readonly name: string;
  readonly state: ShutdownState;
  /** Whether the service should get traffic: until the shutdown begins. */
  readonly ready: boolean;
  /**
   * Aborts with {@link ShuttingDownError} when the shutdown begins: for what should stop then, such as
   * a start that has not finished, or polling. Requests go on.
   */
  readonly signal: AbortSignal;
  /**
   * Adds something to do before the process ends; disposing of the result takes it out again. When
   * its phase is over already, it is done at once.
   *
   * @throws {TypeError | RangeError} when an option is unknown or out of range
   */
  register(handler: ShutdownHandler | ((context: HandlerContext) => unknown)): Disposable;
  /**
   * Has a server of `node:http`, `node:https` or `node:http2` stop in the phase `intake` and empty in
   * the phase `drain`. Best called before it listens. Disposing of the result takes it out again.
   *
   * @throws {TypeError | RangeError} when it is no such server, or an option is unknown or out of range
   */
  server(server: NetServer, options?: ServerOptions): Disposable;
  /** Has the phase `drain` wait for work under way. @returns the same promise */
  track<P extends PromiseLike<unknown>>(promise: P): P;
  /** Requests and tracked promises under way. */
  inFlight(): number;
  /**
   * Begins to hear signals, and uncaught errors as the options say. Disposing of the result ends that.
   *
   * @param signals - SIGTERM and SIGINT where none are given
   */
  listen(signals?: readonly NodeJS.Signals[]): Disposable;
  /** Begins the shutdown, or joins the one under way. Never rejects, and never ends the process. */
  shutdown(message?: string): Promise<ShutdownReport>;
  /** Ends the patience of the shutdown under way: every wait ends at once. */
  force(): void;
  stats(): ShutdownStats;
  /** Takes listeners off process and servers, and the gauge out of telemetry. Ends nothing. */
  [Symbol.dispose](): void;
  /** Runs the shutdown to its end, and disposes. */
  [Symbol.asyncDispose](): Promise<void>;
}

class Shutdown implements GracefulShutdown, Service {
  readonly name: string;
  readonly #options: ResolvedShutdownOptions;
  readonly #waiting = new Waiting();
  readonly #servers = new Set<ServerDrain>();
  readonly #tracked = new Tracked();
  readonly #began = new AbortController();
  readonly #heard = new Map<NodeJS.Signals | 'errors', Disposable>();
  readonly #gauge: Disposable;
  #registered = 0;
  #waitsForTracked = false;
  #sequence: Sequence | undefined;
  #running: Promise<ShutdownReport> | undefined;
  #report: ShutdownReport | undefined;
  /** Monotonic time of the first signal. */
  #signalledAt: number | undefined;
  #leaving = false;

  constructor(options: ResolvedShutdownOptions) {
    this.name = options.name;
    this.#options = options;
    // However many loops and starts listen to it, they do not leak.
    setMaxListeners(0, this.#began.signal);
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
    return this.#began.signal;
  }

  register(handler: ShutdownHandler | ((context: HandlerContext) => unknown)): Disposable {
    return this.#add(resolveHandler(handler, this.#options, ++this.#registered));
  }

  server(server: NetServer, options: ServerOptions = {}): Disposable {
    const resolved = resolveServerOptions(options, this.#options, this.#servers.size + 1);
    const { name, timeoutMs, idleGraceMs, webSockets, tellUpgraded } = resolved;
    const drain = new ServerDrain(server, {
      clock: this.#options.clock,
      graceMs: idleGraceMs,
      webSockets,
      tellUpgraded,
      onError: onListenerError,
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
    if (!isThenable(promise)) checkType('track', 'promise', promise, 'object');
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
    const { uncaughtExceptions, unhandledRejections } = this.#options;
    const crash = (kind: 'uncaughtException' | 'unhandledRejection') => (error: unknown) =>
      this.#onCrash({ kind, error });
    const fresh = signals.filter((signal) => !this.#heard.has(signal));
    const hear = (key: NodeJS.Signals | 'errors', listeners: readonly NodeJS.Signals[]): void => {
      const errors = key === 'errors';
      const listening = listenToProcess({
        signals: listeners,
        onSignal: (signal) => this.#onSignal(signal),
        onUncaughtException: errors && uncaughtExceptions ? crash('uncaughtException') : undefined,
        onUnhandledRejection:
          errors && unhandledRejections ? crash('unhandledRejection') : undefined,
      });
      this.#heard.set(key, listening);
    };
    for (const signal of fresh) hear(signal, [signal]);
    if (!this.#heard.has('errors')) hear('errors', []);
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
      // Before anything is told, so that whoever is told and asks for a shutdown joins this one.
      this.#running = promise;
      this.#sequence = new Sequence(this.#options, reason, this.#waiting, this);
      resolve(this.#run(this.#sequence));
      this.#began.abort(new ShuttingDownError(this.name, reason));
    }
    return this.#running;
  }

  async #run(sequence: Sequence): Promise<ShutdownReport> {
    const report = await sequence.run();
    this.#report = report;
    const { onReport, leaving } = this.#options;
    if (onReport !== undefined) notify(onReport, report, onListenerError);
    else if (report.outcome !== 'completed') leaving.log(formatReport(report));
    return report;
  }

  #onSignal(signal: NodeJS.Signals): void {
    const now = this.#options.clock.monotonic();
    if (this.#signalledAt === undefined) {
      this.#signalledAt = now;
      this.#leaveAfter(this.#begin({ kind: 'signal', signal }));
    } else if (now - this.#signalledAt >= this.#options.forceAfterMs) {
      this.#onSecondSignal(signal);
    }
  }

  #onSecondSignal(signal: NodeJS.Signals): void {
    const { exit, leaving } = this.#options;
    const running = this.#sequence?.unsettled.join(', ') || 'no handler';
    const code = this.#report?.exitCode ?? exitCodeOf('forced', { kind: 'signal', signal }, signal);
    if (this.#report === undefined) {
      leaving.log(
        `Shutdown '${this.name}' is forced by a second signal, ${signal}; still running: ${running}.`,
      );
    }
    this.#sequence?.force(signal);
    if (exit) leaving.exit(code);
  }

  #onCrash(reason: ShutdownReason & { readonly error: unknown }): void {
    // Node says nothing of an error that has a listener.
    this.#options.leaving.log(inspect(reason.error));
    this.#leaveAfter(this.#begin(reason));
    this.#sequence?.crashed();
  }

  #leaveAfter(running: Promise<ShutdownReport>): void {
    const { exit, leaving, clock, lingerMs } = this.#options;
    if (!exit || this.#leaving) return;
    this.#leaving = true;
    void running.then(({ exitCode }) => leave(leaving, clock, exitCode, lingerMs));
  }

  #stopListening(): void {
    for (const listening of this.#heard.values()) listening[Symbol.dispose]();
    this.#heard.clear();
  }
}

/**
 * Makes a {@link GracefulShutdown}.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function gracefulShutdown(options: GracefulShutdownOptions = {}): GracefulShutdown {
  return new Shutdown(resolveShutdownOptions(options));
}
