import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { seededRandom } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { parseLine } from '../../src/chain/hash-chain.ts';
import { verifyLog } from '../../src/read/verify.ts';
import { FileSource } from '../../src/sinks/file/file-source.ts';
import { SqliteSource } from '../../src/sinks/sqlite/sqlite-source.ts';
import { killRepeatedly, runBeside, verifierKey } from '../kill-writer.ts';

const seed = Date.now() % 1_000_000;
const APPENDERS = 12;
/** Size from which the writer begins another file. */
const SEGMENT_BYTES = 32_768;

async function inDirectory<T>(work: (path: string) => Promise<T>): Promise<T> {
  const path = mkdtempSync(join(tmpdir(), 'temper-stranger-'));
  try {
    return await work(path);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

/** The segments of a log, the current one last. */
function segments(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => /^\d{20}\.jsonl$/.test(name))
    .sort()
    .map((name) => join(directory, name));
}

/** The sequence of the first event of a segment. */
function firstOf(segment: string): number {
  return Number.parseInt(basename(segment), 10);
}

/** The sequences that are in a log, whatever else is there. */
async function found(source: FileSource): Promise<Map<number, string>> {
  const events = new Map<number, string>();
  try {
    for await (const lines of source.read({})) {
      for (const line of lines) {
        const event = safeParse(line);
        if (event !== undefined) events.set(event.sequence, event.hash);
      }
    }
  } catch {
    // Damaged from here on: verification has to say so.
  }
  return events;
}

function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** The whole lines of a file; none if the writer has compressed it meanwhile. */
function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(0, -1);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

type Act = (path: string, random: () => number) => void;

/** What leaves every event where it is. */
const HARMLESS: Readonly<Record<string, Act>> = {
  'copies a file beside it': (path) => copyFileSync(path, `${path}.bak`),
  'compresses a file beside it (gzip -k)': (path) =>
    writeFileSync(`${path}.gz`, gzipSync(readFileSync(path))),
  'makes a file read-only': (path) => chmodSync(path, 0o444),
  'removes the lock': (path) => rmSync(join(path, '../lock'), { force: true }),
  'leaves a file of its own': (path) => writeFileSync(join(path, '../notes.txt'), 'mine'),
};

/** What destroys events, or takes the file away. */
const DESTRUCTIVE: Readonly<Record<string, Act>> = {
  'truncates the file': (path, random) =>
    truncateSync(path, Math.floor(random() * statSync(path).size)),
  'empties the file': (path) => truncateSync(path, 0),
  'removes the file': (path) => rmSync(path),
};

describe('a stranger at the files of a writer that is killed', { timeout: 300_000 }, () => {
  it.each(Object.entries(HARMLESS))(
    'who %s costs no acknowledged event and raises no alarm',
    async (_, act) => {
      const random = seededRandom(seed);
      await inDirectory(async (path) => {
        const report = await killRepeatedly(
          {
            kind: 'file',
            location: path,
            patient: true,
            stranger: () => {
              const current = segments(path).at(-1);
              if (current === undefined || random() > 0.2) return;
              try {
                act(current, random);
              } catch (error) {
                if (!isGone(error)) throw error;
              }
            },
          },
          () => new FileSource(path),
          6,
          random,
        );
        expect(report.acknowledged).toBeGreaterThan(0);
      });
    },
  );

  it('who renames the file gets no further acknowledgement, and putting it back restores all', async () => {
    const random = seededRandom(seed);
    /** Rounds in which the writer did not begin another file. */
    let rounds = 0;
    for (let round = 0; round < 6; round++) {
      await inDirectory(async (path) => {
        let moved: string | undefined;
        let content: readonly string[] = [];
        const at = 20 + Math.floor(random() * 100);
        const { acknowledged } = await runBeside(
          {
            kind: 'file',
            location: path,
            appenders: APPENDERS,
            stranger: (answers) => {
              const current = segments(path).at(-1);
              if (moved !== undefined || answers < at || current === undefined) return;
              try {
                renameSync(current, `${current}.1`);
              } catch (error) {
                if (isGone(error)) return; // compressed meanwhile
                throw error;
              }
              moved = current;
              content = linesOf(`${current}.1`);
            },
          },
          400,
        );
        if (moved === undefined) throw new Error('The file was not renamed.');
        if (segments(path).every((other) => other < (moved as string))) {
          rounds++;
          // What was acknowledged was checked under the old name, so it was in the file by then.
          const last = safeParse(content.at(-1) ?? '')?.sequence ?? firstOf(moved) - 1;
          for (const [sequence] of acknowledged) expect(sequence).toBeLessThanOrEqual(last);
        } else {
          // Only a full file can have been checked before it was renamed, and the next one begun after it.
          const size = content.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
          expect(size).toBeGreaterThanOrEqual(SEGMENT_BYTES);
        }
        renameSync(`${moved}.1`, moved);
        const events = await found(new FileSource(path));
        for (const [sequence, hash] of acknowledged) expect(events.get(sequence)).toBe(hash);
        const { problem } = await verifyLog(new FileSource(path), {
          keys: [verifierKey],
          requireCheckpoint: false,
        });
        expect(problem).toBeUndefined();
      });
    }
    expect(rounds).toBeGreaterThan(0);
  });

  it.each(Object.entries(DESTRUCTIVE))(
    'who %s destroys what was in it and no more, and the log is never called sound',
    async (_, act) => {
      const random = seededRandom(seed);
      let destroyed = 0;
      for (let round = 0; round < 8; round++) {
        await inDirectory(async (path) => {
          let acted = false;
          /** Lines in the files after the act. */
          let survives: ReadonlySet<string> = new Set();
          const at = 20 + Math.floor(random() * 100);
          const { acknowledged } = await runBeside(
            {
              kind: 'file',
              location: path,
              appenders: APPENDERS,
              stranger: (answers) => {
                const current = segments(path).at(-1);
                if (acted || answers < at || current === undefined) return;
                try {
                  act(current, random);
                  acted = true;
                } catch (error) {
                  if (!isGone(error)) throw error; // compressed meanwhile
                }
                survives = new Set(segments(path).flatMap(linesOf));
              },
            },
            400,
          );
          const source = new FileSource(path);
          const events = await found(source);
          const lost = acknowledged.filter(([sequence]) => !events.has(sequence));
          for (const line of survives) {
            const parsed = safeParse(line);
            if (parsed !== undefined) expect(events.get(parsed.sequence)).toBe(parsed.hash);
          }
          if (lost.length === 0) return;
          destroyed += lost.length;
          const size = Math.max(...acknowledged.map(([sequence]) => sequence));
          const { verdict, problem } = await verifyLog(source, { keys: [verifierKey], size });
          expect([verdict, problem === undefined]).toEqual(['invalid', false]);
        });
      }
      expect(destroyed).toBeGreaterThan(0);
    },
  );
});

/** A line that was cut, or that another was written behind, is no event. */
function safeParse(line: string): { sequence: number; hash: string } | undefined {
  try {
    return parseLine(line);
  } catch {
    return undefined;
  }
}

describe('a killed writer', { timeout: 300_000 }, () => {
  it.each<[string, object]>([
    ['retention at full speed and a slow signer', { maxSegments: 3, signMs: 30 }],
    ['a clock that jumps ahead by a year and back', { jumps: true }],
  ])('with %s loses no acknowledged event and raises no alarm', async (_, options) => {
    await inDirectory(async (path) => {
      const files = join(path, 'log');
      const report = await killRepeatedly(
        { kind: 'file', location: files, ...options },
        () => new FileSource(files),
        12,
        seededRandom(seed),
      );
      expect(report.acknowledged).toBeGreaterThan(report.kills);
      if ('jumps' in options) expect(await new FileSource(files).anchor()).toBeUndefined();
    });
    await inDirectory(async (path) => {
      const location = join(path, 'audit.db');
      // Killed first when it is open, so that there is a database.
      await runBeside({ kind: 'sqlite', location, ...options }, 30);
      const report = await killRepeatedly(
        { kind: 'sqlite', location, ...options },
        () => new SqliteSource(location),
        12,
        seededRandom(seed + 1),
      );
      expect(report.acknowledged).toBeGreaterThan(report.kills);
      const source = new SqliteSource(location);
      if ('jumps' in options) expect(await source.anchor()).toBeUndefined();
      await source.close();
    });
  });
});
