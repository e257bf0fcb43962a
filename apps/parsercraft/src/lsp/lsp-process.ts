import { performance } from 'node:perf_hooks';
import {
  CancellationTokenSource,
  ConnectionError,
  ErrorCodes,
  ResponseError,
} from 'vscode-jsonrpc/node';
import {
  LspClosedError,
  LspExitError,
  LspRequestError,
  LspTimeoutError,
  LspUnavailableError,
} from './errors.ts';
import { Heartbeat } from './heartbeat.ts';
import { HEARTBEAT } from './methods.ts';
import { lowerPriority } from './priority.ts';
import { RestartBudget } from './restart-budget.ts';
import { ownServer, type ServerCommand, ServerProcess } from './server-process.ts';
import type { LspInitialization } from './workspace.ts';

export interface LspProcessOptions {
  /** Command that starts the server. @defaultValue the server of this package */
  readonly server?: ServerCommand;
  readonly initialization?: LspInitialization;
  /**
   * Timeout of a request, including the start of the server, in milliseconds.
   *
   * @defaultValue 5000
   */
  readonly requestTimeoutMs?: number;
  /** Maximum number of starts within `restartWindowMs`, including the first. @defaultValue 5 */
  readonly maxStarts?: number;
  /** Length of the sliding window for `maxStarts`, in milliseconds. @defaultValue 60_000 */
  readonly restartWindowMs?: number;
  /** Monotonic clock for the restart window, in milliseconds. @defaultValue performance.now */
  readonly now?: () => number;
  /**
   * Time for a graceful shutdown before the process is killed, in milliseconds.
   *
   * @defaultValue 2000
   */
  readonly closeTimeoutMs?: number;
  /**
   * Silence after which a running server counts as hanging, in milliseconds: it is killed and restarted.
   * It answers nothing while it works on a request, so this is also the longest work for one.
   *
   * @defaultValue 5000
   */
  readonly heartbeatTimeoutMs?: number;
  /**
   * Time that the server gets to answer `initialize`, in milliseconds, before it is killed.
   *
   * @defaultValue 60_000
   */
  readonly startTimeoutMs?: number;
  /**
   * Steps of niceness by which the server has a lower priority than this process.
   *
   * @defaultValue 0
   */
  readonly lessPriority?: number;
  /** Called when the server process exits unexpectedly. */
  readonly onExit?: (error: LspExitError) => void;
  /** Called for every notification from the server. */
  readonly onNotification?: (method: string, params: unknown) => void;
  /** Called for every line that the server writes to standard error. */
  readonly onLog?: (line: string) => void;
}

export const LSP_PROCESS_DEFAULTS: Readonly<
  Record<
    | 'requestTimeoutMs'
    | 'maxStarts'
    | 'restartWindowMs'
    | 'closeTimeoutMs'
    | 'heartbeatTimeoutMs'
    | 'startTimeoutMs',
    number
  >
> = {
  requestTimeoutMs: 5000,
  maxStarts: 5,
  restartWindowMs: 60_000,
  closeTimeoutMs: 2000,
  heartbeatTimeoutMs: 5000,
  startTimeoutMs: 60_000,
};

interface LspRequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** Timeout of this request, in milliseconds. Overrides `requestTimeoutMs`. */
  readonly timeoutMs?: number;
}

export type LspState = 'idle' | 'starting' | 'running' | 'down' | 'closed';

interface OpenDocument {
  readonly languageId: string;
  readonly version: number;
  readonly text: string;
}

interface Run {
  readonly server: ServerProcess;
  readonly ready: Promise<void>;
}

/**
 * Runs the language server as a child process. When the process exits, its pending requests fail
 * with {@link LspExitError}, and it is restarted with the open documents. One that hangs is killed. The number of starts
 * within a sliding window is limited: beyond the limit, requests fail immediately with
 * {@link LspUnavailableError} until the window has passed.
 */
export class LspProcess implements AsyncDisposable {
  readonly #options: LspProcessOptions;
  readonly #budget: RestartBudget;
  readonly #documents = new Map<string, OpenDocument>();
  readonly #times: typeof LSP_PROCESS_DEFAULTS;
  #run: Run | undefined;
  #state: LspState = 'idle';
  #starts = 0;
  #lastExit: LspExitError | undefined;

  constructor(options: LspProcessOptions = {}) {
    const numbers = { ...LSP_PROCESS_DEFAULTS };
    for (const name of Object.keys(numbers) as (keyof typeof numbers)[]) {
      const value = options[name] ?? numbers[name];
      if (!(value >= 1)) throw new RangeError(`${name} must be at least 1, not ${value}.`);
      Object.assign(numbers, { [name]: value });
    }
    const { maxStarts, restartWindowMs } = numbers;
    this.#options = options;
    this.#times = numbers;
    this.#budget = new RestartBudget(
      maxStarts,
      restartWindowMs,
      options.now ?? (() => performance.now()),
    );
  }

  get state(): LspState {
    return this.#state;
  }

  /** Process id of the running server. */
  get pid(): number | undefined {
    return this.#run?.server.pid;
  }

  /** Number of pending calls. */
  get waiting(): number {
    return this.#run?.server.waiting ?? 0;
  }

  /** Number of restarts. */
  get restarts(): number {
    return Math.max(0, this.#starts - 1);
  }

  /** Starts the server if it is not running. Resolves when the server is ready. */
  async start(options: LspRequestOptions = {}): Promise<void> {
    await this.#within('initialize', options, async () => {
      await this.#running().ready;
    });
  }

  /** Opens a document, or replaces the text of an open one. */
  async open(
    uri: string,
    text: string,
    { languageId = '', ...options }: LspRequestOptions & { readonly languageId?: string } = {},
  ): Promise<void> {
    const before = this.#documents.get(uri);
    const version = (before?.version ?? 0) + 1;
    this.#documents.set(uri, { languageId, version, text });
    await this.#within('textDocument/didOpen', options, async () => {
      const fresh = this.#run === undefined;
      const run = this.#running();
      const wasReady = this.#state === 'running';
      await run.ready;
      // A server that has just started has already received all open documents.
      if (fresh || !wasReady || this.#documents.get(uri)?.version !== version) return;
      if (before === undefined) await this.#sendOpen(run.server, uri);
      else {
        await run.server.connection.sendNotification('textDocument/didChange', {
          textDocument: { uri, version },
          contentChanges: [{ text }],
        });
      }
    });
  }

  /** Closes a document. */
  async closeDocument(uri: string): Promise<void> {
    if (!this.#documents.delete(uri) || this.#run === undefined) return;
    await this.#run.server.connection.sendNotification('textDocument/didClose', {
      textDocument: { uri },
    });
  }

  /**
   * Sends a request, for instance `textDocument/hover`, and resolves to its result.
   *
   * @throws {LspTimeoutError} when the server does not respond in time; the request is cancelled
   * @throws {LspExitError} when the server exits before it responds
   * @throws {LspUnavailableError} when the server has exited too often
   * @throws {LspRequestError} when the server returns an error
   * @throws {LspClosedError} after `close`
   */
  request(method: string, params: unknown, options: LspRequestOptions = {}): Promise<unknown> {
    return this.#within(method, options, async (cancellation) => {
      const run = this.#running();
      await run.ready;
      return run.server.connection.sendRequest(method, params, cancellation.token);
    });
  }

  /** Kills the server process, as if it had crashed. */
  kill(): void {
    this.#run?.server.kill();
  }

  /**
   * Shuts the server down, and kills it after `closeTimeoutMs`. Resolves when the process has
   * exited.
   */
  async close(): Promise<void> {
    const run = this.#run;
    this.#state = 'closed';
    this.#run = undefined;
    await run?.server.stop(this.#times.closeTimeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * The current run of the server. Starts one if there is none and the restart budget allows it.
   */
  #running(): Run {
    if (this.#state === 'closed') throw new LspClosedError();
    if (this.#run !== undefined) return this.#run;
    const waitMs = this.#budget.waitMs();
    if (waitMs > 0) {
      const { max, windowMs } = this.#budget;
      throw new LspUnavailableError(max, windowMs, waitMs, this.#lastExit);
    }
    this.#budget.take();
    this.#starts += 1;
    this.#state = 'starting';
    const server = new ServerProcess(this.#options.server ?? ownServer(), this.#options.onLog);
    lowerPriority(server.pid, this.#options.lessPriority ?? 0);
    const run: Run = { server, ready: this.#greet(server) };
    this.#run = run;
    // Callers that await `ready` get the rejection; without callers it must not be unhandled.
    run.ready.catch(() => undefined);
    void server.exited.then((error) => this.#ended(run, error));
    return run;
  }

  async #greet(server: ServerProcess): Promise<void> {
    server.connection.onNotification((method, params) =>
      this.#options.onNotification?.(method, params),
    );
    const died = server.exited.then((error) => Promise.reject(error));
    const { startTimeoutMs } = this.#times;
    const late = setTimeout(
      () => server.kill(`it did not start within ${startTimeoutMs} ms`),
      startTimeoutMs,
    );
    late.unref();
    try {
      await Promise.race([server.initialize(this.#options.initialization ?? {}), died]);
    } finally {
      clearTimeout(late);
    }
    this.#watch(server);
    for (const uri of this.#documents.keys()) await this.#sendOpen(server, uri);
    if (this.#run?.server === server) this.#state = 'running';
  }

  /** Kills a server that hangs. Its exit then restarts it. */
  #watch(server: ServerProcess): void {
    const { heartbeatTimeoutMs: timeoutMs } = this.#times;
    const heartbeat = new Heartbeat({
      ask: () => server.connection.sendRequest(HEARTBEAT),
      timeoutMs,
      onSilent: () => server.kill(`it did not answer for ${timeoutMs} ms`),
    });
    void server.exited.then(() => heartbeat[Symbol.dispose]());
  }

  async #sendOpen(server: ServerProcess, uri: string): Promise<void> {
    const document = this.#documents.get(uri);
    if (document === undefined) return;
    await server.connection.sendNotification('textDocument/didOpen', {
      textDocument: { uri, ...document },
    });
  }

  #ended(run: Run, error: LspExitError): void {
    run.server.connection.dispose();
    if (this.#run !== run) return;
    this.#run = undefined;
    this.#lastExit = error;
    this.#state = 'down';
    this.#options.onExit?.(error);
    // Restart immediately while the budget allows it; otherwise the next request restarts the server.
    if (this.#budget.waitMs() === 0) this.#running();
  }

  async #within<T>(
    method: string,
    { signal, timeoutMs = this.#times.requestTimeoutMs }: LspRequestOptions,
    work: (cancellation: CancellationTokenSource) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const cancellation = new CancellationTokenSource();
    const ended = Promise.withResolvers<never>();
    const timer = setTimeout(() => ended.reject(new LspTimeoutError(method, timeoutMs)), timeoutMs);
    const onAbort = (): void => ended.reject(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    let server: ServerProcess | undefined;
    let forget: (() => void) | undefined;
    try {
      server = this.#running().server;
      forget = server.onExit(ended.reject);
      return await Promise.race([work(cancellation), ended.promise]);
    } catch (error) {
      // Cancels the request on the server.
      cancellation.cancel();
      throw await this.#explain(method, error, server);
    } finally {
      forget?.();
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      cancellation.dispose();
    }
  }

  async #explain(
    method: string,
    error: unknown,
    server: ServerProcess | undefined,
  ): Promise<unknown> {
    let found = error;
    if (
      error instanceof ConnectionError ||
      (error instanceof ResponseError && isBroken(error.code)) ||
      BROKEN_PIPE.has((error as NodeJS.ErrnoException | undefined)?.code ?? '')
    ) {
      // The connection broke before the exit of the process was noticed.
      server?.kill();
      found = (await server?.exited) ?? error;
    }
    if (found instanceof LspExitError && this.#state === 'closed') return new LspClosedError();
    if (!(found instanceof ResponseError)) return found;
    return new LspRequestError(method, found.code, found.message, { cause: found });
  }
}

/** Error codes of a write to a process that has just exited. */
const BROKEN_PIPE: ReadonlySet<string> = new Set([
  'EPIPE',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
]);

/** Errors of the connection, which have reserved JSON-RPC codes. */
function isBroken(code: number): boolean {
  return [
    ErrorCodes.MessageWriteError,
    ErrorCodes.MessageReadError,
    ErrorCodes.PendingResponseRejected,
    ErrorCodes.ConnectionInactive,
  ].includes(code as never);
}
