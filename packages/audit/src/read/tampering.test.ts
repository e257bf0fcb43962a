import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gzipSync } from 'node:zlib';
import { describeTampering, type TamperTarget } from '../../test/tampering.ts';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import { fileSink } from '../sinks/file/file-sink.ts';
import { FileSource } from '../sinks/file/file-source.ts';
import { memorySink } from '../sinks/memory/memory-sink.ts';
import type { StoredCheckpoint } from '../sinks/sink.ts';
import { sqliteSink } from '../sinks/sqlite/sqlite-sink.ts';
import { SqliteSource } from '../sinks/sqlite/sqlite-source.ts';

describeTampering('memory', async (): Promise<TamperTarget> => {
  let sink = memorySink();
  const replaced = async (
    lines: readonly string[],
    checkpoints: readonly StoredCheckpoint[],
  ): Promise<void> => {
    sink = memorySink({ lines });
    for (const checkpoint of checkpoints) await sink.saveCheckpoint?.(checkpoint);
  };
  return {
    sink: () => sink,
    source: () => sink.source,
    replaceLines: async (lines) => replaced(lines, await sink.source.checkpoints()),
    replaceCheckpoints: async (checkpoints) => {
      const lines: string[] = [];
      for await (const batch of sink.source.read({})) lines.push(...batch);
      await replaced(lines, checkpoints);
    },
    dispose: () => undefined,
  };
});

function fileTarget(write: (directory: string, lines: readonly string[]) => void): TamperTarget {
  const directory = temporaryDirectory();
  const { path } = directory;
  return {
    sink: () => fileSink({ directory: path }),
    source: () => new FileSource(path),
    replaceLines: (lines) => {
      for (const name of readdirSync(path))
        if (/\.jsonl(\.gz)?$/.test(name) && name !== 'checkpoints.jsonl') rmSync(join(path, name));
      write(path, lines);
    },
    replaceCheckpoints: (checkpoints) => {
      const text = checkpoints.map((checkpoint) => `${JSON.stringify(checkpoint)}\n`).join('');
      writeFileSync(join(path, 'checkpoints.jsonl'), text);
    },
    dispose: () => directory[Symbol.dispose](),
  };
}

const segment = (first: number): string => `${String(first).padStart(20, '0')}.jsonl`;
const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

describeTampering('one file', async () =>
  fileTarget((path, lines) => writeFileSync(join(path, segment(1)), text(lines))),
);

describeTampering('several files, the closed ones compressed', async () =>
  fileTarget((path, lines) => {
    for (let i = 0; i < lines.length; i += 8) {
      const part = text(lines.slice(i, i + 8));
      if (i + 8 < lines.length) writeFileSync(join(path, `${segment(i + 1)}.gz`), gzipSync(part));
      else writeFileSync(join(path, segment(i + 1)), part);
    }
  }),
);

describeTampering('SQLite', async (): Promise<TamperTarget> => {
  const directory = temporaryDirectory();
  const path = join(directory.path, 'audit.db');
  const behind = (work: (database: DatabaseSync) => void): void => {
    const database = new DatabaseSync(path);
    work(database);
    database.close();
  };
  return {
    sink: () => sqliteSink({ path, indexes: [] }),
    source: () => new SqliteSource(path),
    replaceLines: (lines) =>
      behind((database) => {
        database.exec('DELETE FROM event');
        const insert = database.prepare('INSERT INTO event (sequence, line) VALUES (?, ?)');
        for (const [i, line] of lines.entries()) insert.run(i + 1, line);
      }),
    replaceCheckpoints: (checkpoints) =>
      behind((database) => {
        database.exec('DELETE FROM checkpoint');
        const insert = database.prepare(
          'INSERT INTO checkpoint (size, note, frontier) VALUES (?, ?, ?)',
        );
        for (const { size, note, frontier } of checkpoints)
          insert.run(size, note, JSON.stringify(frontier));
      }),
    dispose: () => directory[Symbol.dispose](),
  };
});
