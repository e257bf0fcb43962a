import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ReadyLine } from './serve.ts';
import { readStoredToken, TOKEN_VARIABLE } from './token.ts';

export interface StartRegistryOptions {
  /** Where the database and the token are kept; made when it is missing. */
  readonly dataDir: string;
  /** Whether faults can be switched on. @defaultValue false */
  readonly faults?: boolean;
  /** 0 takes a free port. @defaultValue 0 */
  readonly port?: number;
  /** Whether the standard library is published at the first start. @defaultValue true */
  readonly seed?: boolean;
  /** Added to this process's environment; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Longest time from start to listening, in milliseconds. @defaultValue 15_000 */
  readonly startTimeoutMs?: number;
  /** Longest time that {@link RegistryProcess.stop} waits before it kills. @defaultValue 10_000 */
  readonly stopTimeoutMs?: number;
  /** Gets every line that the process writes to its standard error. */
  readonly onLog?: (line: string) => void;
}

/** How the process ended. */
export interface RegistryExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RegistryProcess extends AsyncDisposable {
  /** Without a slash at its end. */
  readonly url: string;
  /** Where faults are switched, also while the registry refuses connections. */
  readonly controlUrl: string | undefined;
  /** The bearer token for publishing and for faults. */
  readonly token: string;
  readonly pid: number;
  /** Resolves when the process has ended, by whatever. */
  readonly exited: Promise<RegistryExit>;
  /** Asks it to stop, and kills it when it does not. Resolves when it has ended. */
  stop(): Promise<RegistryExit>;
  /** Ends it without a chance to clean up. Resolves when it has ended. */
  kill(): Promise<RegistryExit>;
}

const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 10_000;
const KEPT_LOG_LINES = 20;

/** What names the parent, or gives it a port of its own, is not the child's. */
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

/** The entry point beside this module: compiled, or as it was written. */
function entryPoint(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`./main.${extension}`, import.meta.url));
}

/**
 * Starts a registry as a child process, and resolves when it listens. It ends when it is stopped,
 * killed, or when this process ends, however that comes about.
 *
 * @throws {Error} when it does not listen in time or ends before; the message has its last lines
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
  if (token === undefined) throw new Error(`No token in ${join(options.dataDir)}.`);
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
    // Read to the end, ready or not: a full pipe would stop the process.
    output.on('line', (line) => {
      if (line.startsWith('{"listening":')) resolve(JSON.parse(line) as ReadyLine);
    });
  });
  const ended = exited.then(({ code, signal }) => {
    throw new Error(`it ended with ${signal ?? `code ${code}`}.`);
  });
  const late = once(timeout, 'abort').then(() => {
    throw new Error(`it did not listen within ${timeoutMs} ms.`);
  });
  ended.catch(() => undefined);
  late.catch(() => undefined);
  return Promise.race([found, ended, late]);
}
