import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';

const BINARY = process.env.TEMPER_REDIS_SERVER ?? 'redis-server';
const installed = spawnSync(BINARY, ['--version']).status === 0;

/**
 * A suite that needs a real server. Without one it is skipped with a warning; in CI it fails.
 */
export function describeWithRedis(name: string, body: () => void): void {
  if (!installed && process.env.CI !== 'true') {
    console.warn(`'${name}' is skipped: ${BINARY} is not installed.`);
    describe.skip(name, body);
    return;
  }
  describe(name, body);
}

/** A server on a free port that writes nothing to disk. */
export class RedisServer {
  readonly port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), 'temper-redis-'));
  readonly #settings: Readonly<Record<string, string>>;
  #process: ChildProcess | undefined;

  private constructor(port: number, settings: Readonly<Record<string, string>>) {
    this.port = port;
    this.#settings = settings;
  }

  static async start(settings: Readonly<Record<string, string>> = {}): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), settings);
    await server.up();
    return server;
  }

  /** Starts the server again, on the same port and without its data. */
  async up(): Promise<void> {
    const settings = {
      port: this.port,
      bind: '127.0.0.1',
      save: '',
      appendonly: 'no',
      dir: this.#folder,
    };
    const args = Object.entries({
      ...settings,
      'enable-debug-command': 'yes',
      ...this.#settings,
    }).flatMap(([key, value]) => [`--${key}`, String(value)]);
    const child = spawn(BINARY, args, { stdio: 'ignore' });
    this.#process = child;
    const gone = once(child, 'exit').then(() => {
      throw new Error('redis-server exited at once.');
    });
    gone.catch(() => undefined);
    await Promise.race([this.#accepting(), gone]);
  }

  async #accepting(): Promise<void> {
    for (let tries = 0; tries < 500; tries++) {
      if (await this.#ping()) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error('redis-server does not accept connections.');
  }

  #ping(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write('PING\r\n'));
      const end = (alive: boolean) => () => {
        socket.destroy();
        resolve(alive);
      };
      socket.once('data', (data) => end(data.toString().startsWith('+PONG'))());
      socket.once('error', end(false));
    });
  }

  /** Makes the server answer nothing, as one whose machine is cut off. */
  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Kills the server without notice. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A port that is free at present. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
