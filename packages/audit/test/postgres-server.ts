import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';

/** A PostgreSQL server, started for one test file on a free port. */
export interface PostgresServer {
  readonly connectionString: string;
  /** Stops the server and its sessions immediately, like a crash. */
  crash(): Promise<void>;
  /** Restarts the server with the same data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const LIBRARY = '/usr/lib/postgresql';

/** Binaries of the newest installed server; undefined if none is installed. */
export function postgresBinaries(): string | undefined {
  if (!existsSync(LIBRARY)) return undefined;
  const version = readdirSync(LIBRARY)
    .filter((name) => existsSync(join(LIBRARY, name, 'bin', 'postgres')))
    .sort((a, b) => Number(b) - Number(a))[0];
  return version === undefined ? undefined : join(LIBRARY, version, 'bin');
}

/** The server does not run as root, so it is run as the user postgres. */
function identity(): { readonly uid?: number; readonly gid?: number } {
  if (userInfo().uid !== 0) return {};
  const [uid, gid] = ['-u', '-g'].map((flag) =>
    Number(execFileSync('id', [flag, 'postgres']).toString()),
  );
  return { uid: uid as number, gid: gid as number };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function startPostgres(): Promise<PostgresServer> {
  const binaries = postgresBinaries();
  if (binaries === undefined) throw new Error(`There is no PostgreSQL under ${LIBRARY}.`);
  const as = identity();
  const directory = mkdtempSync(join(tmpdir(), 'temper-postgres-'));
  if (as.uid !== undefined) chownSync(directory, as.uid, as.gid as number);
  const data = join(directory, 'data');
  const options = ['--auth=trust', '--username=audit', '--encoding=UTF8', '--no-sync'];
  execFileSync(join(binaries, 'initdb'), ['-D', data, ...options], {
    ...as,
    stdio: 'ignore',
    cwd: directory,
  });
  const port = await freePort();
  const connectionString = `postgres://audit@127.0.0.1:${port}/postgres`;
  let server: ChildProcess;
  const start = async (): Promise<void> => {
    const flags = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', directory];
    server = spawn(join(binaries, 'postgres'), flags, { ...as, stdio: 'ignore', cwd: directory });
    await untilReady(connectionString);
  };
  const exited = (): Promise<void> =>
    server.exitCode !== null || server.signalCode !== null
      ? Promise.resolve()
      : new Promise((resolve) => server.once('exit', () => resolve()));
  await start();
  return {
    connectionString,
    crash: async () => {
      server.kill('SIGQUIT');
      await exited();
    },
    restart: start,
    stop: async () => {
      // Waits for ending sessions; remaining ones are terminated.
      server.kill('SIGTERM');
      await Promise.race([exited(), setTimeout(5_000, undefined, { ref: false })]);
      server.kill('SIGINT');
      await exited();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function untilReady(connectionString: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const client = new pg.Client({ connectionString });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (attempt > 200) throw error;
      await setTimeout(50);
    }
  }
}
