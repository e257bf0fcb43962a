import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ReadyLine } from './serve.ts';
import { readStoredToken, TOKEN_VARIABLE } from './token.ts';

export interface StartRegistryOptions {
  /** Folder for the database and the token. Created if it does not exist. */
  readonly dataDir: string;
  /** Whether to enable fault injection. @defaultValue false */
  readonly faults?: boolean;
  /** TCP port; 0 selects a free one. @defaultValue 0 */
  readonly port?: number;
  /** Whether to publish the standard library on the first start. @defaultValue true */
  readonly seed?: boolean;
  /** Additions to the environment of this process; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Timeout from start to listening, in milliseconds. @defaultValue 15_000 */
  readonly startTimeoutMs?: number;
  /**
   * Time before {@link RegistryProcess.stop} kills the process, in milliseconds.
   *
   * @defaultValue 10_000
   */
  readonly stopTimeoutMs?: number;
  /** Called for every line that the process writes to standard error. */
  readonly onLog?: (line: string) => void;
}

/** How the process exited. */
interface RegistryExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RegistryProcess extends AsyncDisposable {
  /** Base URL, without a trailing slash. */
  readonly url: string;
  /** Base URL for controlling faults, available also while the registry refuses connections. */
  readonly controlUrl: string | undefined;
  /** The bearer token for publishing and for controlling faults. */
  readonly token: string;
  readonly pid: number;
  /** Resolves when the process has exited for any reason. */
  readonly exited: Promise<RegistryExit>;
  /**
   * Requests a graceful stop, and kills the process after a timeout. Resolves when it has exited.
   */
  stop(): Promise<RegistryExit>;
  /** Kills the process with SIGKILL. Resolves when it has exited. */
  kill(): Promise<RegistryExit>;
}

const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 10_000;
const KEPT_LOG_LINES = 20;

/** Variables that identify the parent or its ports are not passed to the child. */
const NOT_INHERITED = [
  'OTEL_SERVICE_NAME',
  'OTEL_EXPORTER_PROMETHEUS_HOST',
  'OTEL_EXPORTER_PROMETHEUS_PORT',
] as const;

function childEnvironment(own: StartRegistryOptions['env']): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const name of NOT_INHERITED) delete env[name];
  if (env.OTEL_METRICS_EXPORTER?.includes('prometheus')) delete env.OTEL_METRICS_EXPORTER;
  if (env.OTEL_RESOURCE_ATTRIBUTES !== undefined) {
    env.OTEL_RESOURCE_ATTRIBUTES = env.OTEL_RESOURCE_ATTRIBUTES.split(',')
      .filter((pair) => !/^\s*service\.(?:name|instance\.id)\s*=/.test(pair))
      .join(',');
  }
  return { ...env, ...own };
}

/** The entry point next to this module, compiled or source. */
function entryPoint(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`./main.${extension}`, import.meta.url));
}

/**
 * Starts a registry as a child process. Resolves when it is listening. The process ends when it is
 * stopped or killed, or when this process ends for any reason.
 *
 * @throws {Error} when it exits early or is not listening in time; the message includes its last
 *   lines
 */
export async function startRegistry(options: StartRegistryOptions): Promise<RegistryProcess> {
  const env = childEnvironment(options.env);
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      entryPoint(),
      '--exit-with-parent',
      `--data-dir=${options.dataDir}`,
      `--port=${options.port ?? 0}`,
      ...(options.faults === true ? ['--faults'] : []),
      ...(options.seed === false ? ['--no-seed'] : []),
    ],
    { env, stdio: ['pipe', 'pipe', 'pipe'] },
  );
  const exited = exitOf(child);
  const lines = keepLog(child, options.onLog);
  const end = async (signal: NodeJS.Signals): Promise<RegistryExit> => {
    child.kill(signal);
    const limit = setTimeout(() => child.kill('SIGKILL'), options.stopTimeoutMs ?? STOP_TIMEOUT_MS);
    const exit = await exited;
    clearTimeout(limit);
    return exit;
  };
  let ready: ReadyLine;
  try {
    ready = await readyLine(child, exited, options.startTimeoutMs ?? START_TIMEOUT_MS);
  } catch (error) {
    await end('SIGKILL');
    throw new Error(
      `The registry did not start: ${(error as Error).message}\n${lines.join('\n')}`,
      {
        cause: error,
      },
    );
  }
  const token = env[TOKEN_VARIABLE] || readStoredToken(options.dataDir);
  if (token === undefined) throw new Error(`No token found in ${join(options.dataDir)}.`);
  const stop = (): Promise<RegistryExit> => end('SIGTERM');
  return {
    url: urlOf(ready.listening),
    controlUrl: ready.control === undefined ? undefined : urlOf(ready.control),
    token,
    pid: child.pid!,
    exited,
    stop,
    kill: () => end('SIGKILL'),
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

function urlOf(address: { readonly host: string; readonly port: number }): string {
  return `http://${address.host}:${address.port}`;
}

function exitOf(child: ChildProcess): Promise<RegistryExit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
}

function keepLog(child: ChildProcess, onLog: ((line: string) => void) | undefined): string[] {
  const lines: string[] = [];
  createInterface({ input: child.stderr! }).on('line', (line) => {
    lines.push(line);
    if (lines.length > KEPT_LOG_LINES) lines.shift();
    onLog?.(line);
  });
  return lines;
}

async function readyLine(
  child: ChildProcess,
  exited: Promise<RegistryExit>,
  timeoutMs: number,
): Promise<ReadyLine> {
  const output = createInterface({ input: child.stdout! });
  const timeout = AbortSignal.timeout(timeoutMs);
  const found = new Promise<ReadyLine>((resolve) => {
    // Keep reading after the ready line: a full pipe would block the process.
    output.on('line', (line) => {
      if (line.startsWith('{"listening":')) resolve(JSON.parse(line) as ReadyLine);
    });
  });
  const ended = exited.then(({ code, signal }) => {
    throw new Error(`it exited with ${signal ?? `code ${code}`}.`);
  });
  const late = once(timeout, 'abort').then(() => {
    throw new Error(`it was not listening within ${timeoutMs} ms.`);
  });
  ended.catch(() => undefined);
  late.catch(() => undefined);
  return Promise.race([found, ended, late]);
}
