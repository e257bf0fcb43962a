import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface DemoProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** Process ids of all descendants. */
  readonly descendants: () => readonly number[];
}

/** Starts the demo as a user does, with metrics on a free port. It is stopped when the test ends. */
export async function runDemo(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  nodeArgs: readonly string[] = [],
  cwd?: string,
): Promise<DemoProcess> {
  const child = spawn(process.execPath, [...nodeArgs, MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
    env: {
      ...withoutTelemetry(process.env),
      OTEL_EXPORTER_PROMETHEUS_PORT: String(await freePort()),
      ...env,
    },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    const limit = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(limit);
  });
  const pid = child.pid as number;
  return {
    child,
    pid,
    stdout: () => stdout,
    stderr: () => stderr,
    exited,
    descendants: () => descendantsOf(pid),
  };
}

function withoutTelemetry(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('OTEL_')));
}

function descendantsOf(pid: number): readonly number[] {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
  const found: number[] = [];
  const waiting = [pid];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const children = table.filter(([, parent]) => parent === next).map(([child]) => child);
    found.push(...children);
    waiting.push(...children);
  }
  return found;
}

/** Whether a process is running and not a zombie. */
export function alive(pid: number): boolean {
  try {
    const state = execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
    return state.trim() !== '' && !state.trim().startsWith('Z');
  } catch {
    return false;
  }
}

/** How many times longer than on a machine of its own a test waits. Only a test that fails takes so long. */
const PATIENCE = 4;

/** Polls until a condition holds. @throws {Error} when it does not hold within `limitMs`, with patience */
export async function until(
  holds: () => boolean | Promise<boolean>,
  limitMs: number,
  what = 'the condition',
): Promise<void> {
  const end = performance.now() + limitMs * PATIENCE;
  while (!(await holds())) {
    if (performance.now() > end)
      throw new Error(`Timed out after ${limitMs} ms waiting for ${what}.`);
    await sleep(50);
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
