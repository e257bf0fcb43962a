import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execute, freePort, start } from '../processes.mjs';

/** Starts a Redis server for a row. @returns its port */
export async function startRedis(env) {
  if ((await which('redis-server')) === undefined)
    throw env.cannotRun('redis-server is not installed');
  const port = await freePort();
  const options = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
  ];
  const server = start('redis-server', options, { cwd: env.dir });
  env.onEnd(() => server.stop());
  await listening(port, server);
  return port;
}

/** Starts a PostgreSQL server for a row, as another user where this process is root. @returns its port */
export async function startPostgres(env) {
  const folder = '/usr/lib/postgresql';
  const version = existsSync(folder) ? readdirSync(folder).sort().at(-1) : undefined;
  if (version === undefined) throw env.cannotRun('PostgreSQL is not installed');
  const bin = join(folder, version, 'bin');
  const data = mkdtempSync(join(tmpdir(), 'temper-compat-postgres-'));
  const asUser = [];
  if (process.getuid() === 0) {
    const id = async (flag) =>
      Number((await execute('id', [flag, 'postgres'], { cwd: '/' })).stdout);
    chownSync(data, await id('-u'), await id('-g'));
    asUser.push('setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups');
  }
  const command = (program, ...args) => [...asUser, join(bin, program), ...args];
  const [init, ...initArgs] = command(
    'initdb',
    '-D',
    data,
    '-U',
    'compat',
    '-A',
    'trust',
    '--no-sync',
  );
  await execute(init, initArgs, { cwd: '/' });
  const port = await freePort();
  const [postgres, ...args] = command(
    'postgres',
    '-D',
    data,
    '-p',
    String(port),
    '-h',
    '127.0.0.1',
    '-k',
    data,
    '-F',
  );
  const server = start(postgres, args, { cwd: '/' });
  env.onEnd(async () => {
    await server.stop();
    rmSync(data, { recursive: true, force: true });
  });
  await listening(port, server);
  return port;
}

async function which(command) {
  const { code, stdout } = await execute('which', [command], { cwd: '/', mayFail: true });
  return code === 0 ? stdout.trim() : undefined;
}

/** Waits until something listens at the port. */
async function listening(port, server) {
  for (let tries = 0; tries < 100; tries++) {
    const open = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nothing listens: ${server.printed().slice(-1000)}`);
}
