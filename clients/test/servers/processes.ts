import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { createClient } from 'redis';
import { closedPort } from '../case.ts';

/** A server in a process and folder of its own. */
interface Running {
  readonly port: number;
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

const POSTGRES = '/usr/lib/postgresql';

/** The folder of the programs of the newest PostgreSQL; undefined if none is installed. */
function postgresPrograms(): string | undefined {
  if (!existsSync(POSTGRES)) return undefined;
  const versions = readdirSync(POSTGRES).sort((a, b) => Number(b) - Number(a));
  const folders = versions.map((version) => join(POSTGRES, version, 'bin'));
  return folders.find((folder) => existsSync(join(folder, 'postgres')));
}

const available = {
  'redis-server': spawnSync('redis-server', ['--version']).status === 0,
  PostgreSQL: postgresPrograms() !== undefined,
};

/** Whether a server is installed: in CI it must be. */
export function isInstalled(server: keyof typeof available): boolean {
  if (!available[server] && process.env.CI === 'true') throw new Error(`${server} is missing.`);
  if (!available[server]) console.warn(`${server} is not installed: its errors are skipped.`);
  return available[server];
}

/** How often another port is tried: a connection of another process may take one that was free. */
const MAX_PORTS = 5;

async function run(
  folder: string,
  start: (port: number) => ChildProcess,
  isReady: (port: number) => Promise<unknown>,
): Promise<Running> {
  for (let ports = 1; ; ports++) {
    const port = await closedPort();
    const child = start(port);
    try {
      await untilReady(child, () => isReady(port));
      return running(port, child, folder);
    } catch (error) {
      if (child.exitCode === null || ports === MAX_PORTS) throw error;
    }
  }
}

async function untilReady(child: ChildProcess, isReady: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await isReady();
      return;
    } catch (error) {
      if (tries > 400 || child.exitCode !== null) throw error;
      await setTimeout(25);
    }
  }
}

function running(port: number, child: ChildProcess, folder: string): Running {
  return {
    port,
    process: child,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL does not run as root. */
function identity(): { readonly uid?: number; readonly gid?: number } {
  if (userInfo().uid !== 0) return {};
  const idOf = (flag: string): number => Number(execFileSync('id', [flag, 'postgres']).toString());
  return { uid: idOf('-u'), gid: idOf('-g') };
}

export async function startPostgres(
  settings: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const programs = postgresPrograms() ?? '';
  const as = identity();
  const folder = mkdtempSync(join(tmpdir(), 'temper-postgres-'));
  if (as.uid !== undefined && as.gid !== undefined) chownSync(folder, as.uid, as.gid);
  const data = join(folder, 'data');
  const setup = ['--auth=trust', '--username=temper', '--encoding=UTF8', '--no-sync'];
  execFileSync(join(programs, 'initdb'), ['-D', data, ...setup], {
    ...as,
    stdio: 'ignore',
    cwd: folder,
  });
  const given = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  const flags = ['-D', data, '-h', '127.0.0.1', '-k', folder, ...given];
  return await run(
    folder,
    (port) =>
      spawn(join(programs, 'postgres'), [...flags, '-p', String(port)], {
        ...as,
        stdio: 'ignore',
        cwd: folder,
      }),
    async (port) => {
      const client = new pg.Client({
        port,
        host: '127.0.0.1',
        user: 'temper',
        database: 'postgres',
      });
      await client.connect();
      await client.end();
    },
  );
}

export async function startRedis(
  settings: Readonly<Record<string, string>> = {},
  folder: string = mkdtempSync(join(tmpdir(), 'temper-redis-')),
): Promise<Running> {
  const all = { bind: '127.0.0.1', save: '', dir: folder, ...settings };
  const flags = Object.entries(all).flatMap(([key, value]) => [`--${key}`, value]);
  return await run(
    folder,
    (port) => spawn('redis-server', [...flags, '--port', String(port)], { stdio: 'ignore' }),
    async (port) => {
      const client = createClient({
        socket: { port, host: '127.0.0.1', reconnectStrategy: false },
        disableClientInfo: true,
      });
      client.on('error', () => undefined);
      await client.connect();
      client.destroy();
    },
  );
}
