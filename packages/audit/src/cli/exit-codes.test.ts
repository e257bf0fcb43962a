import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { ManualClock } from '@temper/testkit/clock';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TemporaryDirectory, temporaryDirectory } from '../../test/temporary-directory.ts';
import { generateSigningKey, noteSigner } from '../chain/signing-key.ts';
import { auditLog } from '../log/durable-log.ts';
import { fileSink } from '../sinks/file/file-sink.ts';
import { sqliteSink } from '../sinks/sqlite/sqlite-sink.ts';
import { EXIT } from './exit-codes.ts';
import { run } from './run.ts';

const key = generateSigningKey('example.com/audit');
const FIRST = '00000000000000000001.jsonl';

async function command(args: readonly string[], terminal = false, signal?: AbortSignal) {
  let out = '';
  const output = {
    isTerminal: terminal,
    columns: 80,
    write: (text: string) => {
      out += text;
    },
  };
  const code = await run(args, {
    stdout: output,
    stderr: output,
    env: {},
    clock: new ManualClock(0),
    signal: signal ?? new AbortController().signal,
  });
  return { code, out };
}

let directory: TemporaryDirectory;
let next = 0;
const hostile = '\u001b[31m\u202e\u0007x';

/** A log in a directory and a database. */
async function written(): Promise<{ files: string; database: string }> {
  const at = join(directory.path, String(next++));
  const files = join(at, 'log');
  mkdirSync(files, { recursive: true });
  const log = auditLog({
    sinks: [fileSink({ directory: files }), sqliteSink({ path: join(files, 'a.db') })],
    checkpoints: { signer: noteSigner(key.secretKey) },
  });
  for (let i = 0; i < 5; i++) {
    await log.append({ eventType: 'o', action: hostile, resource: hostile, status: 's' });
  }
  await log.close();
  return { files, database: join(files, 'a.db') };
}

beforeAll(() => {
  directory = temporaryDirectory();
});
afterAll(() => directory[Symbol.dispose]());

describe('exit codes', () => {
  it('are those of the README', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const table = readme.split('\n\n').find((block) => block.startsWith('| exit code')) ?? '';
    const codes = table
      .split('\n')
      .slice(2)
      .map((row) => Number(row.split('|')[1]));
    expect(codes).toEqual(Object.values(EXIT));
  });

  it('is 0 for a log that is valid', async () => {
    const { files, database } = await written();
    for (const location of [files, database]) {
      expect((await command(['verify', location, '--key', key.verifierKey])).code).toBe(EXIT.ok);
    }
  });

  it.each<[string, string, string]>([
    ['an anchor that is not JSON', 'anchor.json', '{'],
    ['an anchor without hash', 'anchor.json', '{"sequence":1}'],
    [
      'an anchor with a wrong frontier',
      'anchor.json',
      JSON.stringify({ sequence: 1, hash: 'a'.repeat(64), log: 'x', frontier: ['zz'] }),
    ],
    ['an anchor that is a list', 'anchor.json', '[]'],
    ['a line that is not an event', FIRST, 'nothing\n'],
    ['a database that is none inside', 'a.db', `SQLite format 3\0${'x'.repeat(5_000)}`],
  ])('is 1 and a report for a log with %s', async (_, file, content) => {
    const { files, database } = await written();
    writeFileSync(join(files, file), content);
    const location = file === 'a.db' ? database : files;
    const { code, out } = await command(['verify', location, '--json', '--key', key.verifierKey]);
    expect([code, JSON.parse(out)]).toMatchObject([EXIT.invalidLog, { verdict: 'invalid' }]);
  });

  it('is 1 for a damaged database that is queried, and for a migration from a damaged log', async () => {
    const { files, database } = await written();
    const whole = readFileSync(database);
    whole.fill(0xff, 4_096, 12_288);
    writeFileSync(database, whole);
    expect((await command(['query', database])).code).toBe(EXIT.invalidLog);
    const to = join(directory.path, 'migrated');
    expect((await command(['migrate', files, '--to', to])).code).toBe(EXIT.invalidLog);
  });

  it('is 2 for wrong arguments, and for a migration to a log that has events', async () => {
    const { files, database } = await written();
    for (const args of [
      ['verify'],
      ['verify', files, '--size', 'x'],
      ['verify', files, '--key', 'x'],
      ['query', files, '--from', 'x'],
      ['export', files, '--source', 'two words', '--format', 'cloudevents'],
      ['migrate', database, '--to', files],
    ]) {
      expect([args, (await command(args)).code]).toEqual([args, EXIT.usage]);
    }
  });

  it('is 3 for a log that cannot be read', async () => {
    expect((await command(['verify', '/nowhere'])).code).toBe(EXIT.unreadable);
    expect((await command(['migrate', '/nowhere', '--to', 'x'])).code).toBe(EXIT.unreadable);
  });

  it('is 4 for a log that is held to nothing, and 130 when interrupted', async () => {
    const { files } = await written();
    expect((await command(['verify', files])).code).toBe(EXIT.unproven);
    expect((await command(['verify', files], false, AbortSignal.abort())).code).toBe(
      EXIT.interrupted,
    );
  });
});

describe('what is printed', () => {
  it.each([
    'postgres://ann:hunter2@127.0.0.1:PORT/x',
    'postgresql://ann:hun/hunter2@127.0.0.1:PORT/x',
    'postgres://ann:hun#hunter2%@127.0.0.1:PORT/x',
    'postgres://127.0.0.1:PORT/x?user=ann&password=hunter2',
    'Postgres://ann:hunter2@127.0.0.1:PORT/x',
    'host=127.0.0.1 password=hunter2',
  ])('has no password of %s', async (location) => {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const at = location.replace('PORT', String(port));
    for (const args of [
      ['verify', at],
      ['query', at, 'extra'],
      ['tail', at],
      ['migrate', at, '--to', at],
    ]) {
      const { code, out } = await command(args);
      expect(code).toBeGreaterThan(0);
      expect(out).not.toContain('hunter2');
    }
    server.close();
  });

  it.each([
    ['query'],
    ['query', '--json'],
    ['tail'],
    ['tail', '--json'],
    ['export'],
    ['export', '--format', 'cloudevents'],
    ['export', '--format', 'ocsf'],
    ['verify'],
    ['verify', '--json'],
    ['verify', '--key', hostile],
    ['query', '--limit', hostile],
    [`nothing${hostile}`],
  ])('does not command a terminal: %j', async (name, ...options) => {
    const { files } = await written();
    const { out } = await command([name, files, ...options], true);
    expect(out).not.toBe('');
    const ours = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');
    expect(out.replaceAll(ours, '')).not.toMatch(/[[\p{Cc}\p{Cf}]--[\n]]/v);
  });
});

describe('the files of a log', () => {
  it('can be read by their owner only, those of SQLite while it is written too', async () => {
    const path = join(directory.path, 'modes.db');
    const log = auditLog({ sinks: [sqliteSink({ path })] });
    await log.append({ eventType: 'o', action: 'a', resource: 'r', status: 's' });
    const modes = ['', '-wal', '-shm', '-lock'].map((end) => statSync(path + end).mode & 0o777);
    await log.close();
    expect(modes).toEqual([0o600, 0o600, 0o600, 0o600]);
  });
});
