import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  bundledDefinition,
  createToolchain,
  IntegrityError,
  packageSources,
  RegistryClient,
  RegistryConnectionError,
  RegistryHttpError,
  RegistryTimeoutError,
} from '../src/index.ts';

// The registry is another app of this repository. The tests use only its HTTP interface.
const MAIN = fileURLToPath(new URL('../../registry/src/main.ts', import.meta.url));
const TOKEN = 'a-token-for-one-test';

interface Running {
  readonly process: ChildProcess;
  readonly dataDir: string;
  readonly url: string;
  readonly controlUrl: string;
}

async function start(): Promise<Running> {
  const dataDir = await mkdtemp(join(tmpdir(), 'parsercraft-registry-'));
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      MAIN,
      '--exit-with-parent',
      `--data-dir=${dataDir}`,
      '--port=0',
      '--faults',
    ],
    { env: { ...process.env, TEMPER_REGISTRY_TOKEN: TOKEN }, stdio: ['pipe', 'pipe', 'inherit'] },
  );
  for await (const line of createInterface({ input: child.stdout })) {
    const { listening, control } = JSON.parse(line);
    const address = ({ host, port }: { host: string; port: number }) => `http://${host}:${port}`;
    return { process: child, dataDir, url: address(listening), controlUrl: address(control) };
  }
  throw new Error('The registry exited before it was listening.');
}

describe('the client against the registry', () => {
  let registry: Running;
  beforeAll(async () => {
    registry = await start();
  }, 60_000);
  afterAll(async () => {
    const ended = new Promise((resolve) => registry.process.once('exit', resolve));
    registry.process.kill();
    await ended;
    await rm(registry.dataDir, { recursive: true, force: true });
  });

  const client = (timeoutMs = 10_000) => new RegistryClient({ url: registry.url, timeoutMs });

  async function withFaults(faults: readonly object[], work: () => Promise<void>): Promise<void> {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const url = `${registry.controlUrl}/faults`;
    const put = await fetch(url, {
      method: 'PUT',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ faults }),
    });
    expect(put.status).toBe(200);
    try {
      await work();
    } finally {
      const gone = await fetch(url, { method: 'DELETE', headers });
      expect(gone.ok).toBe(true);
    }
  }

  it('installs the package with the deepest dependency tree and runs it, interpreted and compiled to C', async () => {
    await client().health();
    const { packages } = await client().install({ 'std.report': '*' });
    expect(packages.size).toBeGreaterThan(3);
    const sources = packageSources(packages);
    // Every package is valid by itself.
    for (const name of packages.keys()) {
      const toolchain = createToolchain(bundledDefinition('core'), { packages: sources });
      expect(toolchain.diagnostics(`use ${name}\n`)).toEqual([]);
      expect(toolchain.toC(`use ${name}\n`)).toContain('int main(void)');
      expect((await toolchain.run(`use ${name}\n`)).exitCode).toBe(0);
    }
  });

  it('parses and type-checks every published version of the standard library', async () => {
    const answer = await fetch(`${registry.url}/packages?limit=100`);
    const { packages: names } = (await answer.json()) as {
      packages: readonly (string | { name: string })[];
    };
    let checked = 0;
    for (const one of names) {
      const name = typeof one === 'string' ? one : one.name;
      for (const version of (await client().versions(name)).value.versions) {
        const { packages } = await client().install({ [name]: version });
        const toolchain = createToolchain(bundledDefinition('core'), {
          packages: packageSources(packages),
        });
        expect(toolchain.diagnostics(`use ${name}\n`), `${name}@${version}`).toEqual([]);
        checked += 1;
      }
    }
    expect(checked).toBeGreaterThan(10);
  });

  it('publishes a package, then installs and runs it', async () => {
    const files = {
      'package.json': JSON.stringify({
        name: 'saludo',
        version: '1.0.0',
        language: 'escuela',
        dependencies: {},
      }),
      'main.pc': 'funcion hola(nombre: texto): texto inicio\n  devuelve "Hola, " + nombre\nfin\n',
    };
    await expect(client().publish(files, 'not-the-right-token')).rejects.toMatchObject({
      status: 401,
    });
    expect(await client().publish(files, TOKEN)).toMatchObject({
      name: 'saludo',
      language: 'escuela',
    });
    await expect(client().publish(files, TOKEN)).rejects.toMatchObject({ status: 409 });
    const packages = packageSources((await client().install({ saludo: '^1.0.0' })).packages);
    const { run } = createToolchain(bundledDefinition('core'), { packages });
    expect((await run('use saludo\nprint(saludo.hola("Ana"))')).output).toBe('Hola, Ana\n');
  });

  it('maps each injected registry fault to its own error class', async () => {
    const fetchIt = (timeoutMs?: number) => client(timeoutMs).fetchPackage('std.math');
    await withFaults([{ kind: 'error', status: 503, retryAfterSeconds: 2 }], async () => {
      await expect(fetchIt()).rejects.toThrow(RegistryHttpError);
      await expect(fetchIt()).rejects.toMatchObject({ status: 503, retryAfterMs: 2000 });
    });
    await withFaults([{ kind: 'hang', at: 'headers' }], async () => {
      await expect(fetchIt(200)).rejects.toThrow(RegistryTimeoutError);
    });
    await withFaults([{ kind: 'hang', at: 'body' }], async () => {
      await expect(fetchIt(200)).rejects.toThrow(RegistryTimeoutError);
    });
    for (const mode of ['destroy', 'short']) {
      await withFaults([{ kind: 'cut', mode, fraction: 0.5 }], async () => {
        await expect(fetchIt()).rejects.toThrow(RegistryConnectionError);
      });
    }
    await withFaults([{ kind: 'refuse' }], async () => {
      await expect(fetchIt()).rejects.toThrow(RegistryConnectionError);
    });
    const routes = ['/packages/:name/:version/download'];
    await withFaults([{ kind: 'corrupt', routes }], async () => {
      await expect(fetchIt()).rejects.toThrow(IntegrityError);
    });
    expect((await fetchIt()).metadata.name).toBe('std.math');
  });
});
