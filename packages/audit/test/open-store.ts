import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { signCheckpoint } from '../src/chain/checkpoint.ts';
import { genesis, parseLine } from '../src/chain/hash-chain.ts';
import { encodeFrontier, leafOf, MerkleFrontier } from '../src/chain/merkle.ts';
import { noteSigner } from '../src/chain/signing-key.ts';
import { Intake } from '../src/log/intake/intake.ts';
import { Redactor } from '../src/log/intake/redaction.ts';
import { DEFAULT_LIMITS } from '../src/log/options.ts';
import { fileSink } from '../src/sinks/file/file-sink.ts';
import { FileSource } from '../src/sinks/file/file-source.ts';
import type { AuditSink, AuditSource, StoredCheckpoint } from '../src/sinks/sink.ts';
import { sqliteSink } from '../src/sinks/sqlite/sqlite-sink.ts';
import { SqliteSource } from '../src/sinks/sqlite/sqlite-source.ts';

const intake = new Intake({
  now: () => 1_700_000_000_000,
  activeSpan: () => undefined,
  redactor: new Redactor(),
  limits: DEFAULT_LIMITS,
});

export interface Stored {
  readonly lines: readonly string[];
  readonly checkpoints: readonly StoredCheckpoint[];
}

/** A store that an adversary can write to. */
export interface Store {
  readonly sink: () => AuditSink;
  readonly source: () => AuditSource & { close?(): Promise<void> };
  readonly replace: (stored: Stored) => void;
}

export function inFiles(directory: string): Store {
  const path = join(directory, 'log');
  return {
    sink: () => fileSink({ directory: path }),
    source: () => new FileSource(path),
    replace: ({ lines, checkpoints }) => {
      for (const name of readdirSync(path)) if (/jsonl/.test(name)) rmSync(join(path, name));
      const text = (all: readonly string[]): string => all.map((line) => `${line}\n`).join('');
      writeFileSync(join(path, '00000000000000000001.jsonl'), text(lines));
      const notes = checkpoints.map((checkpoint) => JSON.stringify(checkpoint));
      writeFileSync(join(path, 'checkpoints.jsonl'), text(notes));
    },
  };
}

export function inSqlite(directory: string): Store {
  const path = join(directory, 'log.db');
  return {
    sink: () => sqliteSink({ path }),
    source: () => new SqliteSource(path),
    replace: ({ lines, checkpoints }) => {
      const database = new DatabaseSync(path);
      database.exec('DELETE FROM event; DELETE FROM checkpoint');
      const event = database.prepare('INSERT INTO event (sequence, line) VALUES (?, ?)');
      for (const line of lines) event.run(parseLine(line).sequence, line);
      const checkpoint = database.prepare('INSERT INTO checkpoint VALUES (?, ?, ?)');
      for (const { size, note, frontier } of checkpoints) {
        checkpoint.run(size, note, JSON.stringify(frontier));
      }
      database.close();
    },
  };
}

/** A chain whose events after the first `kept` are others, with the same identifier. */
export function rewritten(lines: readonly string[], kept: number, length = lines.length): string[] {
  const chain = lines.slice(0, kept);
  let head =
    chain.length === 0
      ? genesis(parseLine(lines[0] as string).log)
      : parseLine(chain.at(-1) as string);
  while (chain.length < length) {
    const forged = { eventType: 'o', action: 'harmless', resource: 'r', status: 's' };
    const sealed = intake.prepare(forged).seal(head);
    chain.push(sealed.line);
    head = sealed.event;
  }
  return chain;
}

/** The checkpoint that the process's key signs over these events. */
export async function signed(
  lines: readonly string[],
  secretKey: string,
): Promise<StoredCheckpoint> {
  const frontier = new MerkleFrontier();
  for (const line of lines) frontier.append(leafOf(parseLine(line).hash));
  const body = { origin: 'example.com/audit', size: lines.length, root: frontier.root() };
  const note = await signCheckpoint(body, [noteSigner(secretKey)]);
  return { note, size: lines.length, frontier: encodeFrontier(frontier) };
}

/** The rows of a table of the README, found by its first cell. */
export function tableRows(firstCell: string): string[][] {
  const blocks = readFileSync(new URL('../README.md', import.meta.url), 'utf8').split('\n\n');
  const table = blocks.find((block) => block.startsWith(`| ${firstCell}`)) ?? '';
  return table.split('\n').map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
