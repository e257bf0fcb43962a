import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import {
  createMessageConnection,
  type MessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-jsonrpc/node';
import { LspExitError } from './errors.ts';
import type { LspInitialization } from './workspace.ts';

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
}

const KEPT_LOG_LINES = 20;

/** The command for the server of this package, compiled or from source. */
export function ownServer(): ServerCommand {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const main = fileURLToPath(new URL(`./main.${extension}`, import.meta.url));
  return {
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', main, '--stdio'],
  };
}

/** One run of the server: the child process and its connection. */
export class ServerProcess {
  readonly connection: MessageConnection;
  /** Resolves when the process has exited. Never rejects. */
  readonly exited: Promise<LspExitError>;
  /** Resolves when the output of the process has been read to its end as well. */
  readonly closed: Promise<void>;
  readonly #child: ChildProcess;
  /**
   * Exit callbacks of pending calls. Handlers on `exited` would be retained until the process
   * exits.
   */
  readonly #waiting = new Set<(error: LspExitError) => void>();
  #reason: string | undefined;
  #exit: LspExitError | undefined;

  constructor({ command, args }: ServerCommand, onLog: ((line: string) => void) | undefined) {
    const child = spawn(command, [...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    this.closed = new Promise((resolve) => child.once('close', () => resolve()));
    const lines: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line);
      if (lines.length > KEPT_LOG_LINES) lines.shift();
      onLog?.(line);
    });
    this.exited = new Promise((resolve) => {
      const end = (exitCode: number | null, signal: NodeJS.Signals | null): void => {
        this.#exit ??= new LspExitError({ exitCode, signal }, lines, this.#reason);
        resolve(this.#exit);
        for (const tell of this.#waiting) tell(this.#exit);
        this.#waiting.clear();
      };
      child.once('exit', end);
      // When the command cannot be started, there is no `exit` event.
      child.once('error', (error) => {
        lines.push(error.message);
        end(null, null);
      });
    });
    // A write after the server has exited fails. The exit error is reported instead.
    child.stdin.on('error', () => undefined);
    const reader = new StreamMessageReader(child.stdout);
    // A server killed in the middle of a message would leave a timer that re-arms itself for ever.
    reader.partialMessageTimeout = 0;
    this.connection = createMessageConnection(reader, new StreamMessageWriter(child.stdin));
    this.connection.onError(() => undefined);
    this.connection.listen();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Registers a callback for the exit of the process. Returns a function that removes it. */
  onExit(tell: (error: LspExitError) => void): () => void {
    if (this.#exit === undefined) this.#waiting.add(tell);
    else tell(this.#exit);
    return () => void this.#waiting.delete(tell);
  }

  /** Number of registered exit callbacks. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Performs the LSP handshake. Resolves when the server accepts requests. */
  async initialize(initialization: LspInitialization): Promise<void> {
    await this.connection.sendRequest('initialize', {
      processId: process.pid,
      rootUri: null,
      capabilities: {},
      initializationOptions: initialization,
    });
    await this.connection.sendNotification('initialized', {});
  }

  /** Shuts the process down as the protocol specifies, and kills it after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    const force = setTimeout(() => this.kill(), graceMs);
    try {
      await Promise.race([this.connection.sendRequest('shutdown'), this.exited]);
      await this.connection.sendNotification('exit');
    } catch {
      this.kill();
    }
    await this.exited;
    clearTimeout(force);
    this.connection.dispose();
  }

  /** @param reason - for the message of the {@link LspExitError} */
  kill(reason?: string): void {
    this.#reason ??= reason;
    this.#child.kill('SIGKILL');
  }
}
