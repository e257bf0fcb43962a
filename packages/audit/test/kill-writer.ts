import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { parseLine } from '../src/chain/hash-chain.ts';
import { generateSigningKey } from '../src/chain/signing-key.ts';
import { verifyLog } from '../src/read/verify.ts';
import type { AuditSource } from '../src/sinks/sink.ts';
import { SqliteSource } from '../src/sinks/sqlite/sqlite-source.ts';

const WRITER = fileURLToPath(new URL('./programs/writer.mjs', import.meta.url));
const LONGEST_LIFE_MS = 20_000;
const key = generateSigningKey('example.com/killed');

/** Options of the writer. */
export interface WriterOptions {
  readonly kind: 'file' | 'sqlite' | 'postgres';
  readonly location: string;
  readonly appenders?: number;
  /** Share of file operations that fail with EIO. */
  readonly faults?: number;
  /** Additional bytes of each event. */
  readonly fill?: number;
}

/** Result of one run of the writer. */
interface RunResult {
  readonly acknowledged: readonly (readonly [sequence: number, hash: string])[];
  readonly refused: number;
  readonly wasReady: boolean;
}

/** Starts the writer and kills it some milliseconds after its start or its first acknowledgement. */
function runWriter(
  options: WriterOptions,
  killAfterMs: number,
  from: 'start' | 'answer',
): Promise<RunResult> {
  const settings = { secretKey: key.secretKey, appenders: 12, faults: 0, fill: 0, ...options };
  const child = spawn(process.execPath, ['--no-warnings', WRITER, JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  let out = '';
  let err = '';
  let armed = from === 'start';
  if (armed) setTimeout(kill, killAfterMs);
  // Upper bound, if the writer hangs.
  const longest = setTimeout(kill, LONGEST_LIFE_MS);
  child.stdout.on('data', (data) => {
    out += data;
    if (!armed && out.includes('\n')) {
      armed = true;
      setTimeout(kill, killAfterMs);
    }
  });
  child.stderr.on('data', (data) => {
    err += data;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(longest);
      if (signal !== 'SIGKILL') {
        reject(new Error(`The writer ended by itself with ${code ?? signal}: ${err}`));
        return;
      }
      // A partly written line is not an acknowledgement.
      const lines = out.split('\n').slice(0, -1);
      const acknowledged = lines.flatMap((line) => {
        const [sequence, hash] = line.split(' ');
        return hash === undefined ? [] : [[Number(sequence), hash] as const];
      });
      const refused = lines.filter((line) => line === 'refused').length;
      resolve({ acknowledged, refused, wasReady: lines.includes('ready') });
    });
  });
}

/** Result of repeated kills. */
export interface KillReport {
  kills: number;
  acknowledged: number;
  refused: number;
  /** Runs that were killed before the log was open. */
  killedEarly: number;
}

/**
 * Kills a writer of one log repeatedly. After each kill, verifies the log and checks that every
 * acknowledged event is in it.
 */
export async function killRepeatedly(
  options: WriterOptions,
  source: () => AuditSource,
  kills: number,
  random: () => number,
  beforeEach: (kill: number) => void = () => undefined,
): Promise<KillReport> {
  const acknowledged = new Map<number, string>();
  const report: KillReport = { kills: 0, acknowledged: 0, refused: 0, killedEarly: 0 };
  for (let kill = 0; kill < kills; kill++) {
    beforeEach(kill);
    // Most writers are killed while writing, some while opening and repairing the log.
    const early = random() < 0.15;
    const run = early
      ? await runWriter(options, 60 + random() * 120, 'start')
      : await runWriter(options, random() * 50, 'answer');
    for (const [sequence, hash] of run.acknowledged) {
      const before = acknowledged.get(sequence);
      if (before !== undefined)
        expect(hash, `event ${sequence} was acknowledged twice`).toBe(before);
      acknowledged.set(sequence, hash);
    }
    report.kills++;
    report.refused += run.refused;
    if (!run.wasReady) report.killedEarly++;
    const opened = source();
    await check(opened, acknowledged, `kill ${kill}`);
    if (opened instanceof SqliteSource) opened.close();
  }
  report.acknowledged = acknowledged.size;
  return report;
}

async function check(
  source: AuditSource,
  acknowledged: ReadonlyMap<number, string>,
  when: string,
): Promise<void> {
  const { problem } = await verifyLog(source, {
    keys: [key.verifierKey],
    requireCheckpoint: false,
  });
  expect(problem, when).toBeUndefined();
  const missing = new Map(acknowledged);
  for await (const lines of source.read({})) {
    for (const line of lines) {
      const { sequence, hash } = parseLine(line);
      const expected = missing.get(sequence);
      if (expected !== undefined) expect(hash, `${when}: event ${sequence}`).toBe(expected);
      missing.delete(sequence);
    }
  }
  expect([...missing.keys()], `${when}: lost acknowledged events`).toEqual([]);
}
