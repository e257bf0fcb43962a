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
const NEWLINE = 10;
/** Answers of a writer before its death: from the first (that the log is open) to some batches. */
const MOST_ANSWERS = 40;
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
  /** Files that retention leaves, of 4 KiB each, or a twentieth of the events in a database. */
  readonly maxSegments?: number;
  /** Longest duration of a signature, in milliseconds. */
  readonly signMs?: number;
  /** Whether the clock jumps ahead by a year and back, beside a retention of 30 days. */
  readonly jumps?: boolean;
  /** Whether the writer tries again when the log cannot be opened. */
  readonly patient?: boolean;
  /** Called every few milliseconds while the writer runs, with the number of its answers. */
  readonly stranger?: (answers: number) => void;
}

/** Result of one run of the writer. */
interface RunResult {
  readonly acknowledged: readonly (readonly [sequence: number, hash: string])[];
  readonly refused: number;
  readonly wasReady: boolean;
}

/** When a writer is killed: so many answers (and milliseconds) after its start. */
interface Death {
  /** Counted in answers, so that a slow machine does not write less before its death. */
  readonly answers: number;
  readonly thenMs: number;
}

/** Starts the writer and kills it. */
function runWriter(options: WriterOptions, death: Death): Promise<RunResult> {
  const { stranger, ...told } = options;
  const settings = { secretKey: key.secretKey, appenders: 12, faults: 0, fill: 0, ...told };
  const child = spawn(process.execPath, ['--no-warnings', WRITER, JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  let out = '';
  let err = '';
  let answers = 0;
  let armed = death.answers === 0;
  if (armed) setTimeout(kill, death.thenMs);
  const visits = stranger && setInterval(() => stranger(answers), 3);
  // Upper bound, if the writer hangs.
  const longest = setTimeout(kill, LONGEST_LIFE_MS);
  child.stdout.on('data', (data: Buffer) => {
    out += data;
    for (const byte of data) if (byte === NEWLINE) answers++;
    if (!armed && answers >= death.answers) {
      armed = true;
      setTimeout(kill, death.thenMs);
    }
  });
  child.stderr.on('data', (data) => {
    err += data;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(longest);
      clearInterval(visits);
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
  beforeEach: (kill: number, acknowledged: number) => void = () => undefined,
): Promise<KillReport> {
  const acknowledged = new Map<number, string>();
  const report: KillReport = { kills: 0, acknowledged: 0, refused: 0, killedEarly: 0 };
  for (let kill = 0; kill < kills; kill++) {
    beforeEach(kill, acknowledged.size);
    // Most writers are killed while writing, some while opening and repairing the log.
    const early = random() < 0.15;
    const run = await runWriter(options, {
      answers: early ? 0 : 1 + Math.floor(random() * MOST_ANSWERS),
      thenMs: early ? 60 + random() * 120 : random() * 10,
    });
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

/** Runs a writer once, beside a stranger, and kills it after a number of answers. */
export async function runBeside(
  options: WriterOptions,
  answers: number,
): Promise<{
  readonly acknowledged: readonly (readonly [number, string])[];
  readonly wasReady: boolean;
}> {
  return runWriter(options, { answers, thenMs: 0 });
}

/** The verifier key of the logs. */
export const verifierKey: string = key.verifierKey;

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
  const removed = (await source.anchor())?.sequence ?? 0;
  for (const sequence of missing.keys()) if (sequence <= removed) missing.delete(sequence);
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
