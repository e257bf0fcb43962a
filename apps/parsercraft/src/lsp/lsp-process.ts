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
import { RestartBudget } from './restart-budget.ts';
import { ownServer, type ServerCommand, ServerProcess } from './server-process.ts';
import type { LspInitialization } from './workspace.ts';

export interface LspProcessOptions {
  /** What is started. @defaultValue this package's own server */
  readonly server?: ServerCommand;
  readonly initialization?: LspInitialization;
  /** Longest wait for an answer, the start of the server included, in milliseconds. @defaultValue 5000 */
  readonly requestTimeoutMs?: number;
  /** Starts within `restartWindowMs`, the first included. @defaultValue 5 */
  readonly maxStarts?: number;
  /** @defaultValue 60_000 */
  readonly restartWindowMs?: number;
  /** Monotonic clock, in milliseconds, for that window. @defaultValue performance.now */
  readonly now?: () => number;
  /** Longest wait for an orderly end before the process is killed. @defaultValue 2000 */
  readonly closeTimeoutMs?: number;
  /** Told of every end of the server's process that nobody asked for. */
  readonly onExit?: (error: LspExitError) => void;
  /** Told of every message that the server sends by itself. */
  readonly onNotification?: (method: string, params: unknown) => void;
  /** Gets every line that the server writes to its standard error. */
  readonly onLog?: (line: string) => void;
}

export const LSP_PROCESS_DEFAULTS: Readonly<
  Record<'requestTimeoutMs' | 'maxStarts' | 'restartWindowMs' | 'closeTimeoutMs', number>
> = { requestTimeoutMs: 5000, maxStarts: 5, restartWindowMs: 60_000, closeTimeoutMs: 2000 };

export interface LspRequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** For this request, instead of the client's. */
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
 * Runs the language server as a child process. When it dies, its requests fail with
 * {@link LspExitError} and it is started again with the documents that were open, but only so
 * many times within a window: after that requests fail at once with
 * {@link LspUnavailableError} until the window has moved on.
 */
export class LspProcess implements AsyncDisposable {
  readonly #options: LspProcessOptions;
  readonly #budget: RestartBudget;
  readonly #documents = new Map<string, OpenDocument>();
  readonly #requestTimeoutMs: number;
  readonly #closeTimeoutMs: number;
  #run: Run | undefined;
  #state: LspState = 'idle';
  #starts = 0;

  constructor(options: LspProcessOptions = {}) {
    const { requestTimeoutMs, maxStarts, restartWindowMs, closeTimeoutMs } = {
      ...LSP_PROCESS_DEFAULTS,
      ...options,
    };
    const numbers = { requestTimeoutMs, maxStarts, restartWindowMs, closeTimeoutMs };
    for (const [name, value] of Object.entries(numbers)) {
      if (!(value >= 1)) throw new RangeError(`${name} must be at least 1, not ${value}.`);
    }
    this.#options = options;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.#closeTimeoutMs = closeTimeoutMs;
    this.#budget = new RestartBudget(
      maxStarts,
      restartWindowMs,
      options.now ?? (() => performance.now()),
    );
  }

  get state(): LspState {
    return this.#state;
  }

  /** Of the running server. */
  get pid(): number | undefined {
    return this.#run?.server.pid;
  }

  /** Calls under way that end when the running server does. */
  get waiting(): number {
    return this.#run?.server.waiting ?? 0;
  }

  /** How often the server was started again after it had died. */
  get restarts(): number {
    return Math.max(0, this.#starts - 1);
  }

  /** Starts the server, unless it runs; resolves when it is ready. */
  async start(options: LspRequestOptions = {}): Promise<void> {
    await this.#within('initialize', options, async () => {
      await this.#running().ready;
    });
  }

  /** Opens a document, or gives an open one another text. */
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
      // A server that was starting meanwhile has been told with all other documents.
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
   * @throws {LspTimeoutError} when there is no answer in time; the server is told to forget it
   * @throws {LspExitError} when the server ends before it answers
   * @throws {LspUnavailableError} when it has died too often
   * @throws {LspRequestError} when it refuses
   * @throws {LspClosedError} after `close`
   */
  request(method: string, params: unknown, options: LspRequestOptions = {}): Promise<unknown> {
    return this.#within(method, options, async (cancellation) => {
      const run = this.#running();
      await run.ready;
      return run.server.connection.sendRequest(method, params, cancellation.token);
    });
  }

  /** Kills the server's process, as if it had crashed. */
  kill(): void {
    this.#run?.server.kill();
  }

  /** Ends the server in order, or by force when it does not end in time. Waits for its end. */
  async close(): Promise<void> {
    const run = this.#run;
    this.#state = 'closed';
    this.#run = undefined;
    await run?.server.stop(this.#closeTimeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The current run of the server, started when there is none and the budget allows one. */
  #running(): Run {
    if (this.#state === 'closed') throw new LspClosedError();
    if (this.#run !== undefined) return this.#run;
    const waitMs = this.#budget.waitMs();
    if (waitMs > 0) {
      throw new LspUnavailableError(this.#budget.max, this.#budget.windowMs, waitMs);
    }
    this.#budget.take();
    this.#starts += 1;
    this.#state = 'starting';
    const server = new ServerProcess(this.#options.server ?? ownServer(), this.#options.onLog);
    const run: Run = { server, ready: this.#greet(server) };
    this.#run = run;
    // Whoever waits for it is told; nobody may be waiting.
    run.ready.catch(() => undefined);
    void server.exited.then((error) => this.#ended(run, error));
    return run;
  }

  async #greet(server: ServerProcess): Promise<void> {
    server.connection.onNotification((method, params) =>
      this.#options.onNotification?.(method, params),
    );
    const died = server.exited.then((error) => Promise.reject(error));
    await Promise.race([server.initialize(this.#options.initialization ?? {}), died]);
    for (const uri of this.#documents.keys()) await this.#sendOpen(server, uri);
    if (this.#run?.server === server) this.#state = 'running';
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
    this.#state = 'down';
    this.#options.onExit?.(error);
    // At once while the budget lasts; later the first request starts it.
    if (this.#budget.waitMs() === 0) this.#running();
  }

  async #within<T>(
    method: string,
    { signal, timeoutMs = this.#requestTimeoutMs }: LspRequestOptions,
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
      // Tells the server to forget a request that nobody waits for any more.
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
      // The wire broke before the end of the process was noticed.
      server?.kill();
      found = (await server?.exited) ?? error;
    }
    if (found instanceof LspExitError && this.#state === 'closed') return new LspClosedError();
    if (!(found instanceof ResponseError)) return found;
    return new LspRequestError(method, found.code, found.message, { cause: found });
  }
}

/** What a write to a process says that has just died. */
const BROKEN_PIPE: ReadonlySet<string> = new Set([
  'EPIPE',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
]);

/** Errors of the connection itself, which have codes of their own in JSON-RPC's reserved range. */
function isBroken(code: number): boolean {
  return [
    ErrorCodes.MessageWriteError,
    ErrorCodes.MessageReadError,
    ErrorCodes.PendingResponseRejected,
    ErrorCodes.ConnectionInactive,
  ].includes(code as never);
}
