import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root: string = fileURLToPath(new URL('../../../', import.meta.url));

/** A free port below the ephemeral range, so that no outgoing connection can take it. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer()
        .once('error', () => resolve(false))
        .listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

/** A temporary folder that is removed when it is disposed. */
export function temporaryFolder(): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'temper-observability-'));
  return {
    path,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }),
  };
}

/** The first of these commands or paths that exists; undefined when none does. */
export function findProgram(...names: readonly string[]): string | undefined {
  for (const name of names) {
    if (name.includes('/')) {
      if (existsSync(name)) return name;
    } else if (spawnSync('sh', ['-c', `command -v ${name}`]).status === 0) {
      return name;
    }
  }
  return undefined;
}

export const PROMETHEUS: string | undefined = findProgram('prometheus');
export const PROMTOOL: string | undefined = findProgram('promtool');
/** Programs that `.ci/run` builds. */
const built = (name: string): string =>
  join(process.env.TEMPER_BIN ?? join(homedir(), '.cache/temper/bin'), name);
export const PROMTOOL_3: string | undefined = findProgram(built('promtool3'));
export const PROMETHEUS_3: string | undefined = findProgram(built('prometheus3'));
export const PINT: string | undefined = findProgram(built('pint'), 'pint');
export const ALERTMANAGER: string | undefined = findProgram(
  'prometheus-alertmanager',
  'alertmanager',
);
export const REDIS: string | undefined = findProgram(
  process.env.TEMPER_REDIS_SERVER ?? 'redis-server',
);
export const JAEGER: string | undefined = findProgram(built('jaeger'), 'jaeger');

/**
 * Whether the programs of a suite are installed. If not, throws under CI; elsewhere logs a warning, and
 * the suite is skipped.
 */
export function available(programs: Readonly<Record<string, string | undefined>>): boolean {
  const missing = Object.entries(programs).flatMap(([name, found]) =>
    found === undefined ? [name] : [],
  );
  if (missing.length === 0) return true;
  if (process.env.CI === 'true') throw new Error(`Not installed: ${missing.join(', ')}.`);
  console.warn(`Tests skipped. Not installed: ${missing.join(', ')}.`);
  return false;
}

/**
 * As {@link available}, for a program whose suite is further evidence: where it is not installed the suite
 * is skipped under CI too, with a warning.
 */
export function optional(name: string, found: string | undefined): boolean {
  if (found === undefined)
    console.warn(`Tests skipped. Not installed: ${name}, which is optional.`);
  return found !== undefined;
}

/** A running child process. */
export interface Program extends AsyncDisposable {
  readonly pid: number;
  /** Its output so far, at most the last 200 000 characters. */
  output(): string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export function start(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  cwd: string = root,
): Program {
  const child: ChildProcess = spawn(command, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk).slice(-200_000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    const limit = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(limit);
  };
  return {
    pid: child.pid ?? 0,
    output: () => output,
    stop,
    [Symbol.asyncDispose]: () => stop(),
  };
}

/** How many times longer than on a machine of its own a test waits. Only a test that fails takes so long. */
const PATIENCE = 4;

/** Polls until the result is defined. @throws {Error} with the last error after `limitMs`, with patience */
export async function eventually<T>(
  ask: () => Promise<T | undefined>,
  what: string,
  limitMs = 30_000,
): Promise<T> {
  const patientMs = limitMs * PATIENCE;
  const until = performance.now() + patientMs;
  let last: unknown;
  while (performance.now() < until) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(
    `Timed out after ${patientMs} ms waiting for ${what}.${last === undefined ? '' : ` ${last}`}`,
  );
}

/** A ParserCraft service with its own ports, data and environment. */
export interface DemoService extends Program {
  readonly url: string;
  readonly metricsUrl: string;
  readonly metricsPort: number;
  readonly token: string;
}

export async function startDemo(
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
  args: readonly string[] = [],
): Promise<DemoService> {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('OTEL_')),
  );
  const program = start(
    process.execPath,
    ['apps/demo/dist/main.js', '--port', String(port), '--data-dir', dataDir, ...args],
    { ...inherited, OTEL_EXPORTER_PROMETHEUS_PORT: String(metricsPort), ...env },
  );
  const url = `http://127.0.0.1:${port}`;
  try {
    await eventually(
      async () => ((await fetch(`${url}/readyz`)).ok ? true : undefined),
      'the service to become ready',
      40_000,
    );
  } catch (error) {
    await program.stop('SIGKILL');
    throw new Error(`${(error as Error).message}\n${program.output()}`);
  }
  const token = /token:\s+(\S+)/.exec(program.output())?.[1] ?? '';
  const metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
  return { ...program, url, metricsUrl, metricsPort, token };
}
