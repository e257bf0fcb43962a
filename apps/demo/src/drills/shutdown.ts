import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { HttpCaller } from './http-caller.ts';

/** Result of stopping a service under load. */
interface ShutdownResult {
  readonly sent: number;
  readonly ok: number;
  /** Requests not sent because `/readyz` had reported not ready; a load balancer would reroute them. */
  readonly sentElsewhere: number;
  /** Time from the signal until `/readyz` reported not ready, in milliseconds. */
  readonly notReadyAfterMs: number;
  /** Requests that were sent and got an error or no response. */
  readonly failed: number;
  /** Responses with `Connection: close`. */
  readonly askedToClose: number;
  readonly exitCode: number | null;
  /** Time from the signal to the exit of the process, in milliseconds. */
  readonly endedAfterMs: number;
  readonly failures: readonly string[];
}

/** How long the second service is under load before the signal, in milliseconds. */
const LOADED_MS = 1_500;
/** Interval of the simulated load balancer's readiness checks, in milliseconds. */
const BALANCER_MS = 50;
const WORKER_PAUSE_MS = 25;
const END_LIMIT_MS = 20_000;
const WORKERS = 8;
const ADDRESS = /^ParserCraft: (http:\S+)/;

/** Path of the demo's entry point: compiled when this module is compiled, source otherwise. */
function entryPoint(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`../main.${extension}`, import.meta.url));
}

/**
 * Starts a second service in its own process, puts it under load, sends it SIGTERM and counts the
 * outcomes of the requests. The first service keeps running.
 */
export class ShutdownDrill {
  #result: ShutdownResult | undefined;

  get result(): ShutdownResult | undefined {
    return this.#result;
  }

  async run(signal: AbortSignal): Promise<ShutdownResult> {
    this.#result = undefined;
    const dataDir = mkdtempSync(join(tmpdir(), 'parsercraft-drill-'));
    const child = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        entryPoint(),
        '--port=0',
        '--no-load',
        `--data-dir=${dataDir}`,
      ],
      // Its metrics endpoint would need the port that this process uses.
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, OTEL_METRICS_EXPORTER: 'none' },
      },
    );
    const exited = new Promise<number | null>((resolve) => {
      child.once('exit', (code) => resolve(code));
      child.once('error', () => resolve(null));
    });
    const kill = (): void => void child.kill('SIGKILL');
    signal.addEventListener('abort', kill, { once: true });
    try {
      const url = await addressOf(child, exited);
      this.#result = await load(url, child, exited);
      return this.#result;
    } finally {
      signal.removeEventListener('abort', kill);
      kill();
      await exited;
      rmSync(dataDir, { recursive: true, force: true });
    }
  }
}

async function addressOf(child: ChildProcess, exited: Promise<unknown>): Promise<string> {
  const found = Promise.withResolvers<string>();
  const lines: string[] = [];
  createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
    lines.push(line);
    const url = ADDRESS.exec(line)?.[1];
    if (url !== undefined) found.resolve(url);
  });
  const ended = exited.then((): never => {
    throw new Error(`The second service did not start: ${lines.join(' ')}`);
  });
  return Promise.race([found.promise, ended]);
}

async function load(
  url: string,
  child: ChildProcess,
  exited: Promise<number | null>,
): Promise<ShutdownResult> {
  using caller = new HttpCaller(url, WORKERS);
  using balancer = new HttpCaller(url, 1);
  const counts = { sent: 0, ok: 0, sentElsewhere: 0, failed: 0, askedToClose: 0 };
  const failures: string[] = [];
  const body = JSON.stringify({ source: 'let n = 0\nwhile n < 2000 { n = n + 1 }\nprint(n)\n' });
  let [gone, ready, notReadyAt] = [false, true, 0];
  // As load balancers do, it keeps checking on one keep-alive connection until there is no response.
  const balance = async (): Promise<void> => {
    while (!gone) {
      const answer = await balancer.call({ path: '/readyz' }).catch(() => undefined);
      if (answer?.headers.connection === 'close') counts.askedToClose += 1;
      if (answer?.status !== 200 && ready) {
        ready = false;
        notReadyAt = performance.now();
      }
      if (answer === undefined) return;
      await sleep(BALANCER_MS);
    }
  };
  const send = async (): Promise<void> => {
    counts.sent += 1;
    try {
      const answer = await caller.call({ method: 'POST', path: '/v1/run', body });
      if (answer.headers.connection === 'close') counts.askedToClose += 1;
      // Being rate-limited is a regular response; any other error is a failure.
      if (answer.status === 200 || answer.status === 429) counts.ok += 1;
      else fail(`${answer.status} ${answer.body.slice(0, 120)}`);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      fail(`${code ?? ''} ${message}`);
    }
  };
  const worker = async (): Promise<void> => {
    while (!gone) {
      if (ready) await send();
      else counts.sentElsewhere += 1;
      await sleep(WORKER_PAUSE_MS);
    }
  };
  const fail = (what: string): void => {
    counts.failed += 1;
    if (failures.length < 10) failures.push(what);
  };
  const workers = [balance(), ...Array.from({ length: WORKERS }, worker)];
  await sleep(LOADED_MS);
  const signalledAt = performance.now();
  child.kill('SIGTERM');
  const limit = AbortSignal.timeout(END_LIMIT_MS);
  const late = new Promise<null>((resolve) => {
    limit.addEventListener('abort', () => resolve(null), { once: true });
  });
  const exitCode = await Promise.race([exited, late]);
  const endedAfterMs = Math.round(performance.now() - signalledAt);
  gone = true;
  await Promise.all(workers);
  const notReadyAfterMs = Math.round(notReadyAt - signalledAt);
  return { ...counts, exitCode, endedAfterMs, notReadyAfterMs, failures };
}
