import { fileURLToPath } from 'node:url';
import { WorkerPool } from '../../src/workers/pool.ts';

/** A service whose one worker hangs in a job. Writes the id of the worker's process. */
const file = fileURLToPath(new URL('./misbehaving-worker.ts', import.meta.url));
const budget = { timeMs: 600_000, memoryMb: 64 };
const pool = new WorkerPool({ size: 1, budget, file, log: () => undefined });
await pool.start();
const { signal } = new AbortController();
const ask = (source: string) =>
  pool.run('c', () => ({ source, language: { bundled: 'core' }, packages: new Map() }), { signal });
const { c: pid } = await ask('answer');
void ask('hang');
process.stdout.write(`${pid}\n`);
