import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type RegistryProcess, startRegistry } from '../src/launcher.ts';
import type { PackageVersions, VersionMetadata } from '../src/metadata.ts';
import { digestOf } from '../src/tarball.ts';
import {
  alive,
  ask,
  bearer,
  json,
  publish,
  registryForTest,
  temporaryDir,
  until,
} from './fixture.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const LAUNCHER = fileURLToPath(new URL('../src/launcher.ts', import.meta.url));

/** Starts the process directly, without the launcher. */
function run(...args: string[]): ChildProcess & { output: { text: string } } {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const output = { text: '' };
  child.stdout.on('data', (chunk) => {
    output.text += chunk;
  });
  return Object.assign(child, { output });
}

async function portOf(child: { output: { text: string } }): Promise<number> {
  await until(() => child.output.text.includes('\n'), 10_000);
  return JSON.parse(child.output.text.split('\n', 1)[0]!).listening.port;
}

const exitOf = (child: ChildProcess) =>
  new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });

describe('the process', () => {
  it('prints only one line with its address to standard output', async () => {
    const child = run('--data-dir', temporaryDir(), '--port', '0');
    const port = await portOf(child);
    expect((await ask(`http://127.0.0.1:${port}`, '/health')).status).toBe(200);
    child.kill('SIGTERM');
    expect(await exitOf(child)).toEqual({ code: 0, signal: null });
    expect(child.output.text).toBe(`{"listening":{"host":"127.0.0.1","port":${port}}}\n`);
  });

  it('listens only on loopback by default', async () => {
    const registry = await registryForTest();
    const { port } = new URL(registry.url);
    const other = spawnSync('hostname', ['-I'], { encoding: 'utf8' }).stdout.trim().split(' ')[0];
    const address = other || '127.0.0.2';
    const refused = await new Promise((resolve) => {
      connect(Number(port), address)
        .on('connect', () => resolve('connected'))
        .on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    });
    expect(refused).toBe('ECONNREFUSED');
  });

  it.each([
    [['--port', '70000'], '--port must be an integer from 0 to 65535'],
    [['--port', 'x'], '--port must be an integer'],
    [['--grace-ms', '-1'], '--grace-ms'],
    [['--no-such'], "Unknown option '--no-such'"],
    [['stray'], 'Unexpected argument'],
  ])('rejects the arguments %j with a reason and the usage', (args, why) => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [MAIN, ...args], {
      encoding: 'utf8',
    });
    expect(status).toBe(2);
    expect(stderr).toContain(why);
    expect(stderr).toContain('Usage: ');
    expect(stdout).toBe('');
  });

  it('--help prints the usage', () => {
    const { status, stdout } = spawnSync(process.execPath, [MAIN, '--help'], { encoding: 'utf8' });
    expect(status).toBe(0);
    expect(stdout).toContain('--exit-with-parent');
  });

  it('reports a port that is in use and fails', async () => {
    const registry = await registryForTest();
    const { port } = new URL(registry.url);
    await expect(startRegistry({ dataDir: temporaryDir(), port: Number(port) })).rejects.toThrow(
      /it exited with code 1\.[\s\S]*EADDRINUSE/,
    );
  });

  it('rejects a database of a newer schema version', async () => {
    const dataDir = temporaryDir();
    const database = new DatabaseSync(join(dataDir, 'registry.sqlite'));
    database.exec('PRAGMA user_version = 999');
    database.close();
    await expect(startRegistry({ dataDir })).rejects.toThrow(
      /schema version 999; this registry supports up to/,
    );
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'completes running requests and exits on %s',
    async (signal) => {
      const registry = await registryForTest({ faults: false });
      const { hostname, port } = new URL(registry.url);
      const socket = connect(Number(port), hostname);
      let received = '';
      socket.on('data', (chunk) => {
        received += chunk;
      });
      // A request that is partially sent when the signal arrives.
      socket.write(
        `PUT /packages/std.math/1.2.0/yank HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${registry.token}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{`,
      );
      await sleep(150);
      process.kill(registry.pid, signal);
      await sleep(150);
      expect(alive(registry.pid)).toBe(true);
      await expect(ask(registry.url, '/health')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      socket.write('}');
      expect(await registry.exited).toEqual({ code: 0, signal: null });
      expect(received).toMatch(/^HTTP\/1\.1 200 /);
    },
  );

  it('shutdown does not wait for an idle connection', async () => {
    const registry = await registryForTest();
    const { hostname, port } = new URL(registry.url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => socket.once('data', resolve));
    const start = performance.now();
    await registry.stop();
    expect(performance.now() - start).toBeLessThan(4_000);
  });

  it('shutdown waits at most the grace period, and a second signal exits immediately', async () => {
    for (const [args, second, code] of [
      [['--grace-ms', '200'], false, 0],
      [['--grace-ms', '60000'], true, 130],
    ] as const) {
      const child = run('--data-dir', temporaryDir(), '--port', '0', ...args);
      const socket = connect(await portOf(child), '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write('POST /packages/publish HTTP/1.1\r\nHost: x\r\n');
      await sleep(100);
      const start = performance.now();
      child.kill('SIGTERM');
      const exit = exitOf(child);
      // On a busy machine two signals can be merged, so the signal is repeated.
      const again = second ? setInterval(() => child.kill('SIGTERM'), 150) : undefined;
      expect(await exit).toEqual({ code, signal: null });
      clearInterval(again);
      expect(performance.now() - start).toBeLessThan(3_000);
    }
  });
});

describe('the token', () => {
  it('the token is generated on the first start, readable only by its owner, and kept', async () => {
    const dataDir = temporaryDir();
    const logs: string[] = [];
    const first = await startRegistry({ dataDir, onLog: (line) => logs.push(line) });
    expect(first.token).toMatch(/^[\w-]{43}$/);
    expect(statSync(join(dataDir, 'token')).mode & 0o777).toBe(0o600);
    await first.stop();
    expect(logs.join('\n')).toContain(join(dataDir, 'token'));
    expect(logs.join('\n')).not.toContain(first.token);
    const second = await registryForTest({ dataDir });
    expect(second.token).toBe(first.token);
    expect((await publish(second, { name: 'mine' })).status).toBe(201);
  });

  it('a token from the environment is used and not stored', async () => {
    const token = 'stated-in-the-environment';
    const registry = await registryForTest({ env: { TEMPER_REGISTRY_TOKEN: token } });
    expect(registry.token).toBe(token);
    expect(existsSync(join(registry.dataDir, 'token'))).toBe(false);
    expect((await publish(registry, { name: 'mine' })).status).toBe(201);
  });

  it('a token that is too short or invalid in a header is rejected', async () => {
    for (const token of ['short', 'with a space in its middle', 'é'.repeat(20)]) {
      await expect(
        startRegistry({ dataDir: temporaryDir(), env: { TEMPER_REGISTRY_TOKEN: token } }),
      ).rejects.toThrow('TEMPER_REGISTRY_TOKEN must have at least 16 visible ASCII characters');
    }
  });
});

describe('what was published', () => {
  it('published packages survive a restart unchanged, and the seed is not published again', async () => {
    const dataDir = temporaryDir();
    const first = await startRegistry({ dataDir });
    expect((await publish(first, { name: 'kept', version: '3.2.1' })).status).toBe(201);
    await ask(first.url, '/packages/std.text/1.1.0/yank', {
      method: 'PUT',
      headers: bearer(first.token),
    });
    const before = await ask(first.url, '/packages/kept/3.2.1/download');
    const counts = json(await ask(first.url, '/health'));
    await first.stop();

    const second = await registryForTest({ dataDir });
    const after = await ask(second.url, '/packages/kept/3.2.1/download');
    expect(after.body.equals(before.body)).toBe(true);
    expect(json(await ask(second.url, '/health'))).toEqual(counts);
    expect(json(await ask(second.url, '/packages/std.text'))).toMatchObject({ version: '1.0.0' });
  });

  it('after SIGKILL every acknowledged version is complete and none is partial', async () => {
    const dataDir = temporaryDir();
    const acknowledged = new Map<string, string>();
    for (let round = 0; round < 3; round += 1) {
      const registry: RegistryProcess = await startRegistry({ dataDir, seed: false });
      let next = 0;
      const writer = async (): Promise<void> => {
        for (;;) {
          const version = `${round}.0.${next}`;
          next += 1;
          const source = `fn n(): int { return ${next} }\n`.repeat(200);
          const answer = await publish(registry, { name: 'stormy', version }, source);
          if (answer.status === 201)
            acknowledged.set(version, json<VersionMetadata>(answer).integrity);
        }
      };
      const writers = Array.from({ length: 8 }, () => writer().catch(() => undefined));
      const wanted = acknowledged.size + 20;
      await until(() => acknowledged.size >= wanted, 10_000);
      await registry.kill();
      await Promise.all(writers);
    }

    const database = new DatabaseSync(join(dataDir, 'registry.sqlite'));
    expect(database.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    expect(database.prepare('PRAGMA foreign_key_check').all()).toEqual([]);
    database.close();

    const registry = await registryForTest({ dataDir, seed: false });
    const { versions } = json<PackageVersions>(
      await ask(registry.url, '/packages/stormy/versions'),
    );
    for (const [version, integrity] of acknowledged) {
      expect(versions).toContain(version);
      const { body } = await ask(registry.url, `/packages/stormy/${version}/download`);
      expect(digestOf(body).integrity).toBe(integrity);
    }
    for (const version of versions) {
      const metadata = json<VersionMetadata>(
        await ask(registry.url, `/packages/stormy/${version}`),
      );
      const { body } = await ask(registry.url, metadata.download);
      expect(digestOf(body).integrity).toBe(metadata.integrity);
    }
  });

  it('the seed is complete even when the first start is killed', async () => {
    for (const delayMs of [150, 250, 350]) {
      const dataDir = temporaryDir();
      const child = run('--data-dir', dataDir, '--port', '0');
      await sleep(delayMs);
      child.kill('SIGKILL');
      await exitOf(child);
      const registry = await startRegistry({ dataDir });
      expect(json(await ask(registry.url, '/health'))).toMatchObject({ packages: 7, versions: 21 });
      await registry.stop();
    }
  });
});

describe('a registry whose parent exits', () => {
  const parentScript = (dataDir: string): string => `
    import { startRegistry } from ${JSON.stringify(LAUNCHER)};
    const registry = await startRegistry({ dataDir: ${JSON.stringify(dataDir)}, faults: true });
    process.stdout.write(registry.pid + '\\n');
    setInterval(() => {}, 1000);
  `;

  it.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)(
    'exits when its parent is ended by %s',
    async (signal) => {
      const dataDir = temporaryDir();
      const script = join(dataDir, 'parent.mts');
      writeFileSync(script, parentScript(dataDir));
      const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
      onTestFinished(() => {
        parent.kill('SIGKILL');
      });
      let text = '';
      parent.stdout.on('data', (chunk) => {
        text += chunk;
      });
      await until(() => text.includes('\n'), 10_000);
      const pid = Number(text);
      expect(alive(pid)).toBe(true);
      parent.kill(signal);
      await until(() => !alive(pid));
    },
  );

  it('exits when the IPC channel closes', async () => {
    const child = spawn(
      process.execPath,
      [MAIN, '--exit-with-parent', '--port', '0', '--data-dir', temporaryDir()],
      {
        stdio: ['pipe', 'pipe', 'inherit', 'ipc'],
      },
    );
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    await new Promise((resolve) => child.stdout!.once('data', resolve));
    child.disconnect();
    expect(await exitOf(child)).toEqual({ code: 0, signal: null });
  });

  it('keeps running when standard input closes without --exit-with-parent', async () => {
    const child = run('--data-dir', temporaryDir(), '--port', '0');
    const port = await portOf(child);
    child.stdin!.end();
    await sleep(300);
    expect((await ask(`http://127.0.0.1:${port}`, '/health')).status).toBe(200);
  });
});

describe('startRegistry', () => {
  it('leaves no process behind when the start fails or times out', async () => {
    const dataDir = temporaryDir();
    await expect(startRegistry({ dataDir, startTimeoutMs: 1 })).rejects.toThrow(
      'it was not listening within 1 ms',
    );
    const { stdout } = spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
    expect(stdout).not.toContain(dataDir);
  });

  it('`await using` stops the process at the end of the block', async () => {
    let pid: number;
    {
      await using registry = await startRegistry({ dataDir: temporaryDir() });
      pid = registry.pid;
      expect(alive(pid)).toBe(true);
    }
    expect(alive(pid)).toBe(false);
  });

  it('stop() and kill() can be called repeatedly', async () => {
    const registry = await registryForTest();
    const exits = await Promise.all([registry.stop(), registry.stop(), registry.kill()]);
    expect(new Set(exits.map((exit) => JSON.stringify(exit))).size).toBe(1);
    await registry.stop();
  });
});
