import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@temper/testkit';
import { expect, it } from 'vitest';
import { checkLine } from '../../src/chain/hash-chain.ts';
import { FileSource } from '../../src/sinks/file/file-source.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const PROGRAM = fileURLToPath(new URL('../programs/shipper.mjs', import.meta.url));

/** Runs the shipper, and kills it some milliseconds after it has begun, if a time is given. */
async function runShipper(directory: string, appends: number, killAfterMs?: number): Promise<void> {
  const child = spawn(process.execPath, ['--no-warnings', PROGRAM, directory, String(appends)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.once('data', () => {
    if (killAfterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect([code, signal]).toEqual(killAfterMs === undefined ? [0, null] : [null, 'SIGKILL']);
}

it('every event arrives at the target although the process is killed 20 times', {
  timeout: 180_000,
}, async () => {
  using directory = temporaryDirectory();
  const random = seededRandom(16);
  for (let kill = 0; kill < 20; kill++) {
    await runShipper(directory.path, 1_000_000, random() * 80);
  }
  await runShipper(directory.path, 1);

  const received = readFileSync(join(directory.path, 'received'), 'utf8').split('\n').slice(0, -1);
  const byHash = new Map<string, string>();
  let highest = 0;
  for (const line of received) {
    const checked = checkLine(line);
    expect(checked.fault).toBeUndefined();
    const { sequence, hash } = JSON.parse(line) as { sequence: number; hash: string };
    // In order, but for what is sent again.
    expect(sequence).toBeLessThanOrEqual(highest + 1);
    highest = Math.max(highest, sequence);
    byHash.set(hash, line);
  }
  let events = 0;
  for await (const lines of new FileSource(join(directory.path, 'log')).read({})) {
    for (const line of lines) {
      const { hash } = JSON.parse(line) as { hash: string };
      expect(byHash.get(hash)).toBe(line);
      events++;
    }
  }
  expect(events).toBeGreaterThan(100);
  expect(byHash.size).toBe(events);
});
