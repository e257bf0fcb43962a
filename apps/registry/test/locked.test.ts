import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import type { RegistryProcess } from '../src/launcher.ts';
import { seedOnce } from '../src/seed.ts';
import { DATABASE_FILE } from '../src/serve.ts';
import { PackageStore } from '../src/store.ts';
import { ask, json, publish, registryForTest, temporaryDir } from './fixture.ts';

/** Locks the database as another process would, for reading too. */
function lock(dataDir: string): Disposable {
  const other = new DatabaseSync(join(dataDir, DATABASE_FILE));
  other.exec('PRAGMA locking_mode = NORMAL; BEGIN IMMEDIATE');
  return {
    [Symbol.dispose]: () => {
      other.exec('ROLLBACK');
      other.close();
    },
  };
}

const releaseOf = (registry: RegistryProcess) => (version: string) =>
  publish(registry, { name: 'a.b', version });

it('answers 503 with Retry-After while the database is locked, and other requests meanwhile', async () => {
  const registry = await registryForTest({ seed: false });
  const release = releaseOf(registry);
  expect((await release('1.0.0')).status).toBe(201);
  const locked = lock(registry.dataDir);
  const waiting = release('1.0.1');
  let reads = 0;
  let over = false;
  const reading = (async () => {
    while (!over) {
      const { status } = await ask(registry.url, '/packages/a.b/versions');
      if (status !== 200) return;
      reads += 1;
    }
  })();
  const refused = await waiting;
  const seen = reads;
  over = true;
  await reading;
  locked[Symbol.dispose]();
  expect(json(refused)).toMatchObject({ status: 503, code: 'locked' });
  expect(refused.headers['retry-after']).toBe('1');
  // The loop of the registry was never blocked for long: reads went on.
  expect(seen).toBeGreaterThan(10);
  expect((await release('1.0.1')).status).toBe(201);
}, 90_000);

it('publishes once a short lock is over', async () => {
  const registry = await registryForTest({ seed: false });
  const release = releaseOf(registry);
  const locked = lock(registry.dataDir);
  const waiting = release('2.0.0');
  await sleep(300);
  locked[Symbol.dispose]();
  expect((await waiting).status).toBe(201);
}, 90_000);

it('publishes the standard library once another process has released its lock', async () => {
  const dataDir = temporaryDir();
  using store = new PackageStore(join(dataDir, DATABASE_FILE));
  const tries = vi.spyOn(store, 'transaction');
  const locked = lock(dataDir);
  const seeding = seedOnce(store);
  await vi.waitFor(() => expect(tries.mock.results.length).toBeGreaterThan(0), { timeout: 60_000 });
  expect(tries.mock.results[0]?.type).toBe('throw');
  locked[Symbol.dispose]();
  expect(await seeding).toBeGreaterThan(0);
}, 90_000);
