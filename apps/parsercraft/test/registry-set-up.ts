import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { RegistryClient, type RegistryClientOptions } from '../src/registry-client/client.ts';
import { packageServer, type TestPackage } from './package-server.ts';

/** The packages in the registry of most tests. */
export const PACKAGES: readonly TestPackage[] = [
  { name: 'std.math', version: '1.0.0' },
  { name: 'std.math', version: '1.1.0', source: 'fn two(): int { return 2 }\n' },
  { name: 'std.text', version: '0.3.0', dependencies: { 'std.math': '^1.0.0' } },
];

/** Creates a temporary folder for one test. */
export async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'parsercraft-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Starts a package server, and creates a client with a manual clock. */
export async function setUp(packages = PACKAGES, options: Partial<RegistryClientOptions> = {}) {
  const server = await packageServer(packages);
  let now = 1_000_000;
  const client = new RegistryClient({ url: `${server.url}/`, now: () => now, ...options });
  return {
    client,
    asked: server.asked,
    pass: (ms: number) => {
      now += ms;
    },
  };
}
