import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { portOf } from '../dropping-server.ts';

const run = promisify(execFile);
const PM2 = createRequire(import.meta.url).resolve('pm2/bin/pm2');
const APP = fileURLToPath(new URL('fixtures/pm2-app.mjs', import.meta.url));

/** Settings of an app, as in an ecosystem file. */
export type AppSettings = Readonly<Record<string, unknown>> & {
  readonly env?: Readonly<Record<string, string>>;
};

/** A PM2 of its own, with one app. */
export class Pm2 implements AsyncDisposable {
  readonly #home = mkdtempSync(join(tmpdir(), 'temper-pm2-'));
  readonly #reports = join(this.#home, 'reports');

  /** Starts the daemon and the app. @returns the port of the app */
  async start(settings: AppSettings): Promise<number> {
    const probe = createServer();
    const port = await portOf(probe);
    await new Promise((resolve) => probe.close(resolve));
    const env = { ...settings.env, PORT: String(port), REPORTS: this.#reports };
    const app = { name: 'app', script: APP, wait_ready: true, ...settings, env };
    const file = join(this.#home, 'ecosystem.json');
    writeFileSync(file, JSON.stringify({ apps: [app] }));
    await this.run('start', file);
    return port;
  }

  /** Runs a command of PM2 as a shell would. */
  async run(...args: string[]): Promise<string> {
    const { NODE_OPTIONS, VITEST, ...env } = process.env;
    const { stdout } = await run(process.execPath, [PM2, ...args], {
      env: {
        ...env,
        NODE_ENV: 'production',
        PM2_HOME: this.#home,
        PM2_DISABLE_VERSION_CHECK: 'true',
        PM2_DISCRETE_MODE: 'true',
      },
    });
    return stdout;
  }

  /** Reports of the processes that have ended. */
  reports(): unknown[] {
    const lines = readFileSync(this.#reports, 'utf8').trim().split('\n');
    return lines.map((line) => JSON.parse(line) as unknown);
  }

  /** How the daemon has seen processes end. */
  exits(): string[] {
    const log = readFileSync(join(this.#home, 'pm2.log'), 'utf8');
    return [...log.matchAll(/exited with code \[\d+\] via signal \[\w+\]/g)].map(String);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run('delete', 'all').catch(() => {});
    const daemon = Number(readFileSync(join(this.#home, 'pm2.pid'), 'utf8'));
    process.kill(daemon, 'SIGTERM');
    while (isAlive(daemon)) await sleep(20);
    rmSync(this.#home, { recursive: true, force: true });
  }
}

/** Whether the process has not ended. A zombie, whose parent has not asked how it ended, has. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
