import { setMaxListeners } from 'node:events';
import { type Counts, show } from '@temper/core/policy';
import { recordCreation, recordPlace } from './creation-stacks.ts';
import { ShuttingDownError } from './errors.ts';
import {
  resolveHandler,
  resolveServerOptions,
  type ServerOptions,
  type ShutdownHandler,
} from './handler-options.ts';
import { watchWorkers } from './handles.ts';
import {
  type GracefulShutdownOptions,
  type ResolvedShutdownOptions,
  resolveShutdownOptions,
  signalsRule,
} from './options.ts';
import { PendingHandlers } from './pending-handlers.ts';
import type { HandlerOutcome } from './phases.ts';
import { type InterruptibleShutdown, ProcessEvents } from './process-events.ts';
import { nodeProcess, type ProcessExit } from './process-exit.ts';
import type { ShutdownReason } from './reason.ts';
import type { ShutdownReport } from './report.ts';
import type { Handler, HandlerContext } from './runner.ts';
import { Sequence, type Service } from './sequence.ts';
import { ListenerGroup } from './server/listener-group.ts';
import { type ServerTarget, serverOf } from './server/server-target.ts';
import { handlerCounts, observeShutdown } from './telemetry.ts';
import { TrackedWork } from './tracked-work.ts';

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
   * Other servers with the same request listener are closed in the same way, such as the second one
   * of Fastify on `localhost`, unless they are registered themselves.
   *
   * @param server - the server, or an app that exposes it as `server` (Fastify, Restify), `listener`
   * (Hapi) or `getHttpServer()` (Nest)
   * @throws {TypeError | RangeError} when `server` is no such server, or an option is unknown or out of range
   */
  server(server: ServerTarget, options?: ServerOptions): Disposable;
  /**
   * Makes the phase `drain` wait for a promise. A promise that is added during the drain, such as by a
   * request in flight, extends the drain; one that is added later delays the end of the phases.
   *
   * @returns the same promise, whose rejection stays with the caller
   * @throws {TypeError} when `promise` is no promise
   */
  track<P extends PromiseLike<unknown>>(promise: P): P;
  /** Open requests and pending tracked promises. */
  inFlight(): number;
  /**
   * Adds listeners for signals and for the end of the event loop. Disposing of the result removes those
   * that no other call of `listen()` and no option has asked for.
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

/** Whether an option asks for listeners that are there from the beginning. */
function asksToListen(options: ResolvedShutdownOptions): boolean {
  const { signals, messages, uncaughtExceptions, unhandledRejections } = options;
  return signals.length + messages.length > 0 || uncaughtExceptions || unhandledRejections;
}

class Shutdown implements GracefulShutdown, InterruptibleShutdown, Service {
  readonly name: string;
  readonly handlers: Counts<HandlerOutcome>;
  readonly #options: ResolvedShutdownOptions;
  readonly #waiting = new PendingHandlers();
  readonly #servers = new Set<ListenerGroup>();
  readonly #tracked: TrackedWork;
  readonly #beginning = new AbortController();
  readonly #events: ProcessEvents;
  readonly #gauge: Disposable;
  readonly #creation: Disposable | undefined;
  #registered = 0;
  #sequence: Sequence | undefined;
  #running: Promise<ShutdownReport> | undefined;
  #report: ShutdownReport | undefined;

  constructor(options: ResolvedShutdownOptions) {
    this.name = options.name;
    this.#options = options;
    // Any number of listeners is legitimate; Node's leak warning does not apply.
    setMaxListeners(0, this.#beginning.signal);
    watchWorkers();
    this.#creation = options.creationStacks ? recordCreation() : undefined;
    this.#tracked = new TrackedWork(options.handlerTimeoutMs, {
      isOver: () => this.#sequence?.over ?? false,
      add: (handler) => void this.#add(handler),
      isWaiting: (handler) => this.#waiting.has(handler),
    });
    this.handlers = handlerCounts(this);
    this.#gauge = observeShutdown(this);
    this.#events = new ProcessEvents(options, this);
    if (asksToListen(options)) this.listen(options.signals);
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
    const resolved = resolveHandler(handler, this.#options, ++this.#registered);
    recordPlace(resolved, this.register);
    return this.#add(resolved);
  }

  server(target: ServerTarget, options: ServerOptions = {}): Disposable {
    const server = serverOf(target);
    const resolved = resolveServerOptions(options, this.#options, this.#servers.size + 1);
    const { name, timeoutMs, limitMs, idleGraceMs, siblings, webSockets, closeUpgraded } = resolved;
    for (const group of this.#servers) group.release(server);
    const drain = new ListenerGroup(server, {
      siblings,
      isRegistered: (each) => [...this.#servers].some((group) => group.server === each),
      clock: this.#options.clock,
      graceMs: idleGraceMs,
      limitMs,
      patienceMs: Math.max(idleGraceMs, Math.min(limitMs, this.#options.handlerTimeoutMs) / 2),
      isBusy: () => this.#tracked.busy,
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
      builtIn: true,
      run: () => drain.stop(),
    });
    const empty = this.#add({
      name,
      phase: 'drain',
      timeoutMs,
      builtIn: true,
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

  serves(): boolean {
    return this.#servers.size === 0 || [...this.#servers].some(({ listening }) => listening);
  }

  announce(): void {
    for (const server of this.#servers) server.announce();
  }

  listen(signals: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT']): Disposable {
    signalsRule('shutdown.listen', 'signals', signals);
    return this.#events.listen(signals);
  }

  shutdown(message?: string): Promise<ShutdownReport> {
    return this.begin({ kind: 'call', ...(message === undefined ? {} : { message }) });
  }

  force(by?: NodeJS.Signals): void {
    this.#sequence?.force(by);
  }

  get report(): ShutdownReport | undefined {
    return this.#report;
  }

  get unsettled(): readonly string[] {
    return this.#sequence?.unsettled ?? [];
  }

  crashed(): void {
    this.#sequence?.crashed();
  }

  loopIsEmpty(): void {
    this.#sequence?.loopIsEmpty();
  }

  abandon(exitCode: number): ShutdownReport | undefined {
    if (this.#report !== undefined) return undefined;
    if (this.#sequence === undefined) {
      if (!this.#hasWork()) return undefined;
      const reason: ShutdownReason = { kind: 'exit', code: exitCode };
      this.#sequence = new Sequence(this.#options, reason, this.#waiting, this);
    }
    this.#report = this.#sequence.abandon(exitCode);
    return this.#report;
  }

  stats(): ShutdownStats {
    return {
      state: this.state,
      inFlight: this.inFlight(),
      waiting: this.#waiting.names(),
      unsettled: this.unsettled,
      handlers: { ...this.handlers },
      report: this.#report,
    };
  }

  [Symbol.dispose](): void {
    this.#events[Symbol.dispose]();
    this.#gauge[Symbol.dispose]();
    this.#creation?.[Symbol.dispose]();
    for (const server of this.#servers) server[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown('disposal');
    this[Symbol.dispose]();
  }

  /** Whether a process that exits now leaves anything undone. */
  #hasWork(): boolean {
    const { auditLog, telemetry } = this.#options;
    if (auditLog.length + telemetry.length + this.inFlight() > 0) return true;
    return this.#waiting.all().some((handler) => handler.builtIn !== true);
  }

  #add(handler: Handler): Disposable {
    if (!this.#waiting.add(handler)) this.#sequence?.late(handler);
    return { [Symbol.dispose]: () => this.#waiting.remove(handler) };
  }

  begin(reason: ShutdownReason): Promise<ShutdownReport> {
    if (this.#running === undefined) {
      let resolve: (report: Promise<ShutdownReport>) => void = () => {};
      // Set before user code runs, so that a call to `shutdown` from there joins this one.
      this.#running = new Promise((settle) => {
        resolve = settle;
      });
      this.#sequence = new Sequence(this.#options, reason, this.#waiting, this);
      resolve(this.#run(this.#sequence));
      this.#beginning.abort(new ShuttingDownError(this.name, reason));
    }
    return this.#running;
  }

  async #run(sequence: Sequence): Promise<ShutdownReport> {
    const report = await sequence.run();
    this.#report = report;
    this.#events.ended();
    this.#events.report(report);
    return report;
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
