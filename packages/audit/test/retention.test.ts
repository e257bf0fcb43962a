import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { genesis, parseLine } from '../src/chain/hash-chain.ts';
import { encodeFrontier, leafOf, MerkleFrontier } from '../src/chain/merkle.ts';
import { generateSigningKey, type NoteSigner, noteSigner } from '../src/chain/signing-key.ts';
import { auditLog } from '../src/log/durable-log.ts';
import { Intake } from '../src/log/intake/intake.ts';
import { Redactor } from '../src/log/intake/redaction.ts';
import { DEFAULT_LIMITS } from '../src/log/options.ts';
import { verifyLog } from '../src/read/verify.ts';
import { fileSink } from '../src/sinks/file/file-sink.ts';
import { FileSource } from '../src/sinks/file/file-source.ts';
import type { Anchor, AuditSink, AuditSource } from '../src/sinks/sink.ts';
import { sqliteSink } from '../src/sinks/sqlite/sqlite-sink.ts';
import { SqliteSource } from '../src/sinks/sqlite/sqlite-source.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const key = generateSigningKey('example.com/audit');
const event = (action: string) => ({ eventType: 'o', action, resource: 'r', status: 's' });

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A signer that takes many turns of the event loop. */
function slow(): NoteSigner {
  const real = noteSigner(key.secretKey);
  return {
    ...real,
    sign: async (data) => {
      for (let i = 0; i < 300; i++) await turn();
      return real.sign(data);
    },
  };
}

/** Watches what is published before the sink removes events. */
function watched(sink: AuditSink, published: () => number, removed: number[]): AuditSink {
  return new Proxy(sink, {
    get(target, field) {
      const value = Reflect.get(target, field, target) as unknown;
      if (field === 'retire') {
        return async (last: Anchor) => {
          expect(published()).toBeGreaterThan(last.sequence);
          removed.push(last.sequence);
          await target.retire?.(last);
        };
      }
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

interface Store {
  sink(path: string): AuditSink;
  source(path: string): AuditSource;
}

const STORES: Readonly<Record<string, Store>> = {
  files: {
    sink: (directory) => fileSink({ directory, maxSegmentBytes: 4_096, maxSegments: 3 }),
    source: (directory) => new FileSource(directory),
  },
  SQLite: {
    sink: (path) => sqliteSink({ path: `${path}.db`, maxEvents: 100 }),
    source: (path) => new SqliteSource(`${path}.db`),
  },
};

describe.each(Object.entries(STORES))('retention of %s', { timeout: 120_000 }, (_, store) => {
  it.each([
    ['at once', noteSigner(key.secretKey)],
    ['slowly', slow()],
  ])(
    'removes nothing before a published checkpoint, signed %s, covers it and its statement',
    async (_, signer) => {
      using directory = temporaryDirectory();
      const path = join(directory.path, 'log');
      let published = 0;
      const removed: number[] = [];
      const log = auditLog({
        sinks: [watched(store.sink(path), () => published, removed)],
        checkpoints: {
          signer,
          everyEvents: 20,
          publish: async (_, { size }) => {
            await turn();
            published = size;
          },
        },
      });
      for (let i = 0; i < 60; i++) {
        await Promise.all(Array.from({ length: 10 }, (_, n) => log.append(event(`n${i}-${n}`))));
      }
      const { note } = await log.checkpoint();
      await log.close();
      expect(removed.length).toBeGreaterThan(0);
      const report = await verifyLog(store.source(path), {
        keys: [key.verifierKey],
        checkpoints: [note],
      });
      expect(report).toMatchObject({ verdict: 'valid', anchor: { sequence: removed.at(-1) } });
      expect(report.events).toBeLessThan(600);
    },
  );

  it('removes nothing while checkpoints cannot be published', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'log');
    const log = auditLog({
      sinks: [store.sink(path)],
      checkpoints: {
        signer: noteSigner(key.secretKey),
        publish: () => Promise.reject(new Error('bucket unavailable')),
      },
    });
    for (let i = 0; i < 30; i++) {
      await Promise.all(Array.from({ length: 10 }, (_, n) => log.append(event(`n${i}-${n}`))));
    }
    await log.close();
    const report = await verifyLog(store.source(path), { keys: [key.verifierKey] });
    expect(report).toMatchObject({ verdict: 'valid', anchor: undefined, first: 1 });
  });

  it('verifies while events are being removed', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'log');
    const log = auditLog({
      sinks: [store.sink(path)],
      checkpoints: { signer: noteSigner(key.secretKey), everyEvents: 20 },
    });
    await log.append(event('first'));
    let writing = true;
    const writer = (async (): Promise<void> => {
      for (let i = 0; writing; i++) await log.append(event(`n${i}`));
    })();
    const problems: unknown[] = [];
    for (let i = 0; i < 15; i++) {
      const { problem } = await verifyLog(store.source(path));
      if (problem !== undefined) problems.push(problem);
    }
    writing = false;
    await writer;
    await log.close();
    expect(problems).toEqual([]);
  });
});

/** A log of 60 events in one file, and a checkpoint of it that is stored elsewhere. */
async function written(directory: string): Promise<{ lines: string[]; note: string }> {
  const log = auditLog({
    sinks: [fileSink({ directory })],
    checkpoints: { signer: noteSigner(key.secretKey), everyEvents: 30 },
  });
  for (let i = 1; i <= 60; i++) log.record(event(`n${i}`));
  const { note } = await log.checkpoint();
  await log.close();
  const lines = readFileSync(join(directory, FIRST), 'utf8').trimEnd().split('\n');
  return { lines, note };
}

const FIRST = '00000000000000000001.jsonl';

function frontierOf(lines: readonly string[]): readonly string[] {
  const frontier = new MerkleFrontier();
  for (const line of lines) frontier.append(leafOf(parseLine(line).hash));
  return encodeFrontier(frontier);
}

function store(directory: string, lines: readonly string[], anchor: Anchor): void {
  writeFileSync(join(directory, FIRST), `${lines.join('\n')}\n`);
  writeFileSync(join(directory, 'anchor.json'), JSON.stringify(anchor));
}

describe('an anchor that the log does not state', () => {
  it('is not believed, even with the right hash and frontier', async () => {
    using directory = temporaryDirectory();
    const { lines, note } = await written(directory.path);
    const { sequence, hash, log } = parseLine(lines[39] as string);
    store(directory.path, lines.slice(40), {
      sequence,
      hash,
      log,
      frontier: frontierOf(lines.slice(0, 40)),
    });
    for (const options of [{}, { keys: [key.verifierKey] }, { checkpoints: [note] }]) {
      expect((await verifyLog(new FileSource(directory.path), options)).problem).toMatchObject({
        kind: 'removed',
        sequence: 1,
      });
    }
  });

  it('is not believed when an adversary has added the statement after the last checkpoint', async () => {
    using directory = temporaryDirectory();
    const { lines } = await written(directory.path);
    const { sequence, hash, log } = parseLine(lines[39] as string);
    const statement = forged(lines.at(-1) as string, { to: sequence, hash });
    store(directory.path, [...lines.slice(40), statement], {
      sequence,
      hash,
      log,
      frontier: frontierOf(lines.slice(0, 40)),
    });
    const report = await verifyLog(new FileSource(directory.path), { keys: [key.verifierKey] });
    expect(report.problem).toMatchObject({ kind: 'unsigned', sequence: 61 });
    expect((await verifyLog(new FileSource(directory.path))).verdict).toBe('unproven');
  });

  it('does not hide a log forged from nothing from a checkpoint stored elsewhere', async () => {
    using directory = temporaryDirectory();
    const { note } = await written(directory.path);
    const log = '00000000-0000-4000-8000-000000000000';
    const junk = { sequence: 1_000, hash: 'ab'.repeat(32), log };
    const first = forged(JSON.stringify(junk), { to: 1_000, hash: junk.hash });
    for (const anchor of [junk, { ...junk, frontier: Array(6).fill('cd'.repeat(32)) }]) {
      store(directory.path, [first], anchor);
      writeFileSync(join(directory.path, 'checkpoints.jsonl'), '');
      const report = await verifyLog(new FileSource(directory.path), { checkpoints: [note] });
      expect(report.problem).toMatchObject({ kind: 'unreachable', sequence: 60 });
    }
  });

  it('cannot be stated by a caller of the log', async () => {
    using directory = temporaryDirectory();
    const log = auditLog({ sinks: [fileSink({ directory: directory.path })] });
    const own = { eventType: 'audit', action: 'retire', resource: 'audit', status: 'success' };
    await expect(log.append(own)).rejects.toThrow('reserved');
    expect(() => log.record(own)).toThrow('reserved');
    await log.close();
  });
});

/** A valid event of the log's own kind after the event of `line`. */
function forged(line: string, details: object): string {
  const intake = new Intake({
    now: () => 1_700_000_000_000,
    activeSpan: () => undefined,
    redactor: new Redactor(),
    limits: DEFAULT_LIMITS,
  });
  const own = { eventType: 'audit', action: 'retire', resource: 'audit', status: 'success' };
  const { sequence, hash, log } = JSON.parse(line) as Anchor;
  return intake.prepare({ ...own, details }).seal({ sequence, hash, log }).line;
}

describe('a verification that the log cannot fail', () => {
  it.each<[string, (directory: string) => AuditSource]>([
    ['an empty directory', (directory) => new FileSource(directory)],
    [
      'an empty database',
      (directory) => {
        const database = new DatabaseSync(join(directory, 'a.db'));
        database.exec(
          'CREATE TABLE event (sequence INTEGER PRIMARY KEY, line TEXT); CREATE TABLE anchor (one); CREATE TABLE checkpoint (size, note, frontier)',
        );
        database.close();
        return new SqliteSource(join(directory, 'a.db'));
      },
    ],
  ])('is unproven for %s, with and without a key', async (_, make) => {
    using directory = temporaryDirectory();
    mkdirSync(join(directory.path, 'x'));
    const source = make(join(directory.path, 'x'));
    for (const options of [{}, { keys: [key.verifierKey] }]) {
      const report = await verifyLog(source, options);
      expect(report).toMatchObject({ ok: false, verdict: 'unproven', problem: undefined });
      expect(report.notShown[0]).toBe('The log has no events: there may have been some.');
    }
    expect((await verifyLog(source, { size: 1 })).problem).toMatchObject({ kind: 'truncated' });
  });

  it('is what the log was held to, and says what was not shown', async () => {
    using directory = temporaryDirectory();
    const { lines, note } = await written(directory.path);
    const { log } = parseLine(lines[0] as string);
    const keys = [key.verifierKey];
    const verdict = async (options: object) => {
      const { verdict, problem } = await verifyLog(new FileSource(directory.path), options);
      return problem?.kind ?? verdict;
    };
    expect(await verdict({})).toBe('unproven');
    expect(await verdict({ keys })).toBe('valid');
    expect(await verdict({ checkpoints: [note] })).toBe('valid');
    expect(await verdict({ log })).toBe('valid');
    expect(await verdict({ log: genesis('x').hash })).toBe('foreign');
    expect(await verdict({ size: 60 })).toBe('valid');
    expect(await verdict({ size: 61 })).toBe('truncated');
    expect(await verdict({ origin: 'example.com/audit' })).toBe('valid');
    expect(await verdict({ keys, origin: 'example.com/other' })).toBe('checkpoint');
    const { notShown } = await verifyLog(new FileSource(directory.path), {
      keys,
      checkpoints: [note],
    });
    expect(notShown).toEqual([]);
  });
});
