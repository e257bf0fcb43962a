import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, onTestFinished } from 'vitest';
import type { FaultPlan, FaultStatus } from '../src/faults/plan.ts';
import { type RegistryProcess, type StartRegistryOptions, startRegistry } from '../src/launcher.ts';
import { packTarball } from '../src/tarball.ts';

/** Removes the OpenTelemetry settings of the machine from the environment of a test. */
const QUIET = Object.fromEntries(
  Object.keys(process.env)
    .filter((name) => name.startsWith('OTEL_') || name.startsWith('TEMPER_'))
    .map((name) => [name, undefined]),
);

const dirs: string[] = [];
afterAll(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

/** Creates a temporary folder, removed after the tests of the file. */
export function temporaryDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'registry-test-'));
  dirs.push(dir);
  return dir;
}

/** Starts a registry for one test. */
export async function registryForTest(
  options: Partial<StartRegistryOptions> = {},
): Promise<RegistryProcess & { readonly dataDir: string }> {
  const dataDir = options.dataDir ?? temporaryDir();
  const registry = await startRegistry({
    ...options,
    dataDir,
    env: { ...QUIET, ...options.env },
  });
  onTestFinished(async () => {
    await registry.kill();
  });
  return { ...registry, dataDir };
}

/** Starts a registry for a test file. The caller stops it. */
export async function registryForFile(
  options: Partial<StartRegistryOptions> = {},
): Promise<{ registry: RegistryProcess; end: () => Promise<void> }> {
  const dataDir = temporaryDir();
  const registry = await startRegistry({ ...options, dataDir, env: { ...QUIET, ...options.env } });
  return {
    registry,
    end: async () => {
      await registry.stop();
    },
  };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Sends one request on a new connection, with the path unmodified. */
export function ask(
  base: string,
  path: string,
  options: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string | Uint8Array;
    readonly timeoutMs?: number;
  } = {},
): Promise<Answer> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      {
        hostname,
        port,
        path,
        method: options.method ?? 'GET',
        headers: { ...options.headers },
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    outgoing.on('error', reject);
    if (options.timeoutMs !== undefined) {
      outgoing.setTimeout(options.timeoutMs, () => outgoing.destroy(new Error('timed out')));
    }
    outgoing.end(options.body);
  });
}

export function json<T = Record<string, unknown>>(answer: Answer): T {
  return JSON.parse(answer.body.toString('utf8')) as T;
}

export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}

/** The files of a small valid package. */
export function packageFiles(
  manifest: Record<string, unknown>,
  source = 'fn one(): int { return 1 }\n',
): Record<string, string> {
  return { 'package.json': JSON.stringify({ version: '1.0.0', ...manifest }), 'main.pc': source };
}

/** Publishes a package as a tarball. */
export async function publish(
  registry: { readonly url: string; readonly token: string },
  manifest: Record<string, unknown>,
  source?: string,
): Promise<Answer> {
  return ask(registry.url, '/packages/publish', {
    method: 'POST',
    headers: { ...bearer(registry.token), 'content-type': 'application/gzip' },
    body: await packTarball(packageFiles(manifest, source)),
  });
}

/** Sets faults through the control listener. */
export async function setFaults(registry: RegistryProcess, plan: FaultPlan): Promise<FaultStatus> {
  const answer = await ask(registry.controlUrl!, '/faults', {
    method: 'PUT',
    headers: { ...bearer(registry.token), 'content-type': 'application/json' },
    body: JSON.stringify(plan),
  });
  if (answer.status !== 200) throw new Error(answer.body.toString());
  return json<FaultStatus>(answer);
}

/** Polls until a condition holds, and fails after a timeout. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  limitMs = 5_000,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadline)
      throw new Error(`the condition did not hold within ${limitMs} ms`);
    await sleep(20);
  }
}

/** Whether a process with this id exists. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
