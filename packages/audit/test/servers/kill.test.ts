import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { seededRandom } from '@temper/testkit';
import pg from 'pg';
import { afterAll, describe, expect, it } from 'vitest';
import { FileSource } from '../../src/sinks/file/file-source.ts';
import { memorySink } from '../../src/sinks/memory/memory-sink.ts';
import { PostgresSource } from '../../src/sinks/postgres/postgres-source.ts';
import type { AuditSource } from '../../src/sinks/sink.ts';
import { SqliteSource } from '../../src/sinks/sqlite/sqlite-source.ts';
import { type KillReport, killRepeatedly } from '../kill-writer.ts';
import { postgresBinaries, startPostgres } from '../postgres-server.ts';

/** Kills per log, bounded to keep verification fast. */
const KILLS_PER_LOG = 10;
/** Two logs at a time: one writes while the other is verified. */
const LANES = 2;

const seed = Date.now() % 1_000_000;
const reports = new Map<string, KillReport>();
afterAll(() => {
  for (const [name, { kills, acknowledged, refused, killedEarly }] of reports) {
    console.info(
      `${name}: ${kills} kills, ${acknowledged} events acknowledged and found, ${refused} refused, ${killedEarly} killed before the log was open (seed ${seed})`,
    );
  }
});

/** A log in SQLite; an empty one if the writer was killed before it had created its tables. */
function sqliteSource(path: string): AuditSource {
  if (!existsSync(path)) return memorySink().source;
  const database = new DatabaseSync(path, { readOnly: true });
  const row = database
    .prepare(`SELECT count(*) AS tables FROM sqlite_schema WHERE name = 'event'`)
    .get();
  database.close();
  return row?.tables === 1 ? new SqliteSource(path) : memorySink().source;
}

/** Kills the writers of several logs, two at a time, and adds up the reports. */
async function killLogs(
  name: string,
  kills: number,
  one: (log: number) => Promise<KillReport>,
): Promise<KillReport> {
  const sum: KillReport = { kills: 0, acknowledged: 0, refused: 0, killedEarly: 0 };
  let next = 0;
  const queue = async (): Promise<void> => {
    while (next * KILLS_PER_LOG < kills) {
      const report = await one(next++);
      for (const field of Object.keys(sum) as (keyof KillReport)[]) sum[field] += report[field];
    }
  };
  await Promise.all(Array.from({ length: LANES }, queue));
  reports.set(name, sum);
  return sum;
}

function inDirectory<T>(work: (path: string) => Promise<T>): Promise<T> {
  const path = mkdtempSync(join(tmpdir(), 'temper-kill-'));
  return work(path).finally(() => rmSync(path, { recursive: true, force: true }));
}

describe('a writer killed by SIGKILL at any time', { timeout: 400_000 }, () => {
  it('loses no acknowledged event in files', async () => {
    const report = await killLogs('files', 220, (log) =>
      inDirectory((path) =>
        killRepeatedly(
          { kind: 'file', location: path },
          () => new FileSource(path),
          KILLS_PER_LOG,
          seededRandom(seed + log),
        ),
      ),
    );
    expect(report.kills).toBeGreaterThanOrEqual(220);
    expect(report.acknowledged).toBeGreaterThan(report.kills);
  });

  it('loses no acknowledged event in SQLite', async () => {
    const report = await killLogs('SQLite', 180, (log) =>
      inDirectory((path) => {
        const location = join(path, 'audit.db');
        return killRepeatedly(
          { kind: 'sqlite', location },
          () => sqliteSource(location),
          KILLS_PER_LOG,
          seededRandom(seed + log),
        );
      }),
    );
    expect(report.kills).toBeGreaterThanOrEqual(180);
    expect(report.acknowledged).toBeGreaterThan(report.kills);
  });

  it.runIf(postgresBinaries() !== undefined || process.env.CI === 'true')(
    'loses no acknowledged event in PostgreSQL',
    async () => {
      const server = await startPostgres();
      const admin = new pg.Pool({ connectionString: server.connectionString, max: 2 });
      const pools: pg.Pool[] = [admin];
      try {
        const report = await killLogs('PostgreSQL', 120, async (log) => {
          await admin.query(`CREATE DATABASE log${log}`);
          const location = server.connectionString.replace(/postgres$/, `log${log}`);
          const pool = new pg.Pool({ connectionString: location, max: 2 });
          pool.on('error', () => undefined);
          pools.push(pool);
          const source = new PostgresSource(pool, 'killed');
          // The first writer may be killed before it has created the tables.
          const { createTables } = await import('../../src/sinks/postgres/postgres-schema.ts');
          const client = await pool.connect();
          await createTables(client, 'public', []);
          client.release();
          return killRepeatedly(
            { kind: 'postgres', location },
            () => source,
            KILLS_PER_LOG,
            seededRandom(seed + log),
          );
        });
        expect(report.kills).toBeGreaterThanOrEqual(120);
        expect(report.acknowledged).toBeGreaterThan(report.kills);
      } finally {
        await Promise.all(pools.map((pool) => pool.end()));
        await server.stop();
      }
    },
  );

  it('loses no acknowledged event on a disk that fails intermittently (EIO)', async () => {
    const report = await killLogs('files on a failing disk', 40, (log) =>
      inDirectory((path) =>
        killRepeatedly(
          { kind: 'file', location: path, faults: 0.05 },
          () => new FileSource(path),
          KILLS_PER_LOG,
          seededRandom(seed + log),
        ),
      ),
    );
    expect(report.refused, JSON.stringify(report)).toBeGreaterThan(0);
    expect(report.acknowledged).toBeGreaterThan(report.kills);
  });
});

const canMount = ((): boolean => {
  const path = mkdtempSync(join(tmpdir(), 'temper-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path], { stdio: 'ignore' });
    execFileSync('umount', [path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
})();
if (!canMount && process.env.CI === 'true') throw new Error('A small tmpfs cannot be mounted.');
if (!canMount)
  console.warn('No tmpfs can be mounted here: the suites of the full disk are skipped.');

describe.runIf(canMount)('a writer on a full disk', { timeout: 300_000 }, () => {
  it.each(['file', 'sqlite'] as const)(
    'loses no acknowledged event and leaves a valid log in sink %s',
    async (kind) => {
      const path = mkdtempSync(join(tmpdir(), 'temper-full-'));
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1024k', 'tmpfs', path]);
      try {
        const location = kind === 'file' ? join(path, 'log') : join(path, 'audit.db');
        const ballast = join(path, 'ballast');
        // Files of JSON lines need less room than a database.
        writeFileSync(ballast, Buffer.alloc((kind === 'file' ? 896 : 640) * 1_024));
        const random = seededRandom(seed);
        let beforeFreed = 0;
        const report = await killRepeatedly(
          { kind, location, fill: 1_200, appenders: 6 },
          () => (kind === 'file' ? new FileSource(location) : sqliteSource(location)),
          24,
          random,
          (kill, acknowledged) => {
            // Half-way through, space is freed.
            if (kill !== 12) return;
            rmSync(ballast);
            beforeFreed = acknowledged;
          },
        );
        reports.set(`${kind} on a full disk`, report);
        expect(report.refused, JSON.stringify(report)).toBeGreaterThan(0);
        expect(beforeFreed).toBeGreaterThan(0);
        expect(report.acknowledged).toBeGreaterThan(beforeFreed);
      } finally {
        execFileSync('umount', ['--lazy', path]);
        rmSync(path, { recursive: true, force: true });
      }
    },
  );
});
