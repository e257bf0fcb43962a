import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { HttpCaller } from './http-caller.ts';

/** What became of requests while a service was told to end. */
interface ShutdownResult {
  readonly sent: number;
  readonly ok: number;
  /** Not sent, as `/readyz` had said that the service was going: a balancer sends them elsewhere. */
  readonly sentElsewhere: number;
  /** From the signal until `/readyz` said so, in milliseconds. */
  readonly notReadyAfterMs: number;
  /** Began, and were not answered, or with an error. */
  readonly failed: number;
  /** Answers that asked for the connection to be closed. */
  readonly askedToClose: number;
  readonly exitCode: number | null;
  /** From the signal to the end, in milliseconds. */
  readonly endedAfterMs: number;
  readonly failures: readonly string[];
}

/** How long the second service is under load before the signal comes. */
const LOADED_MS = 1_500;
/** How often the balancer asks whether the service is ready. */
const BALANCER_MS = 50;
const WORKER_PAUSE_MS = 25;
const END_LIMIT_MS = 20_000;
const WORKERS = 8;
const ADDRESS = /^ParserCraft: (http:\S+)/;

/** The program that a user starts: compiled, or as it was written. */
function entryPoint(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`../main.${extension}`, import.meta.url));
}

/**
 * Starts a second service in a process of its own, puts it under load, sends it SIGTERM, and counts
 * what becomes of the requests: the service that shows this goes on.
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
      // Its own metrics would want our port.
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
  // It goes on asking, as balancers do: over one kept-alive connection, until nobody answers.
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
      // A limit is an answer too; anything else is not what was asked for.
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
