import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ManualClock } from '@temper/testkit/clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type TemporaryDirectory, temporaryDirectory } from '../../test/temporary-directory.ts';
import { generateSigningKey, noteSigner } from '../chain/signing-key.ts';
import { auditLog } from '../log/durable-log.ts';
import { fileSink } from '../sinks/file/file-sink.ts';
import { sqliteSink } from '../sinks/sqlite/sqlite-sink.ts';
import { COMMAND_NAMES } from './help.ts';
import { run } from './run.ts';

const key = generateSigningKey('example.com/audit');
const NOW = Date.parse('2026-11-24T12:00:00.000Z');

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Around {
  readonly env?: Record<string, string>;
  readonly terminal?: boolean;
  readonly signal?: AbortSignal;
  readonly clock?: ManualClock;
}

async function command(args: readonly string[], around: Around = {}): Promise<Result> {
  let out = '';
  let err = '';
  const isTerminal = around.terminal === true;
  const code = await run(args, {
    stdout: {
      isTerminal,
      columns: 80,
      write: (text) => {
        out += text;
      },
    },
    stderr: {
      isTerminal,
      columns: 80,
      write: (text) => {
        err += text;
      },
    },
    env: around.env ?? {},
    clock: around.clock ?? new ManualClock(NOW),
    signal: around.signal ?? new AbortController().signal,
  });
  return { code, out, err };
}

let directory: TemporaryDirectory;
let database: string;
let files: string;
let kept: string;
beforeEach(async () => {
  directory = temporaryDirectory();
  database = join(directory.path, 'audit.db');
  files = join(directory.path, 'log');
  kept = join(directory.path, 'kept');
  const clock = new ManualClock(NOW - 100_000);
  const log = auditLog({
    clock,
    sinks: [sqliteSink({ path: database }), fileSink({ directory: files })],
    checkpoints: { signer: noteSigner(key.secretKey) },
  });
  for (let i = 1; i <= 20; i++) {
    await log.append({
      eventType: i % 2 === 0 ? 'login' : 'operation',
      action: `action ${i}`,
      resource: 'stdlib',
      status: i % 5 === 0 ? 'failure' : 'success',
      actor: i % 2 === 0 ? 'ann' : { id: 'u2', name: 'Bob', type: 'user' },
      details: { user: { id: i }, note: i === 7 ? '\u001b[31mred' : 'x' },
      error:
        i % 5 === 0 ? Object.assign(new Error('no route'), { code: 'EHOSTUNREACH' }) : undefined,
      durationMs: i * 10,
    });
    await clock.advance(5_000);
  }
  writeFileSync(kept, (await log.checkpoint()).note);
  await log.close();
});
afterEach(() => directory[Symbol.dispose]());

describe('checkpoint', () => {
  it('prints the last stored checkpoint', async () => {
    expect((await command(['checkpoint', database])).out).toBe(readFileSync(kept, 'utf8'));
    expect((await command(['checkpoint', files])).out).toBe(readFileSync(kept, 'utf8'));
  });

  it('signs a new checkpoint with a key from a file or the environment', async () => {
    const path = join(directory.path, 'key');
    writeFileSync(path, `${key.secretKey}\n`);
    const signed = await command(['checkpoint', database, '--key-file', path]);
    expect(signed).toEqual({ code: 0, out: readFileSync(kept, 'utf8'), err: '' });
    const env = { TEMPER_AUDIT_KEY: key.secretKey };
    expect(await command(['checkpoint', files, '--sign'], { env })).toEqual(signed);
  });

  it('does not sign an invalid log', async () => {
    const path = join(files, '00000000000000000001.jsonl');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"action 7"', '"action 8"'));
    const { code, out, err } = await command(['checkpoint', files, '--sign'], {
      env: { TEMPER_AUDIT_KEY: key.secretKey },
    });
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('Not signed, because the log is invalid at event 7');
  });

  it('generates a usable key', async () => {
    const { out, err } = await command(['checkpoint', '--new-key', 'example.com/new']);
    expect(err).toBe(`verifier key: ${noteSigner(out.trim()).verifierKey}\n`);
  });
});

describe('usage', () => {
  it.each(Object.getOwnPropertyNames(Object.prototype))(
    'takes %s, which every object has, for no command',
    async (name) => {
      const unknown = await command([name, database]);
      expect(unknown.code).toBe(2);
      expect(unknown.err).toContain(`Unknown command '${name}'`);
      expect(await command(['help', name])).toEqual(await command(['help']));
    },
  );

  it.each([
    [[], 2],
    [['nothing'], 2],
    [['verify'], 2],
    [['verify', 'a', 'b'], 2],
    [['verify', 'LOG', '--misspelt'], 2],
    [['verify', 'LOG', '--key', 'nonsense'], 2],
    [['query', 'LOG', '--limit', 'many'], 2],
    [['query', 'LOG', '--limit', '100000'], 2],
    [['query', 'LOG', '--order', 'sideways'], 2],
    [['query', 'LOG', '--cursor', 'nonsense'], 2],
    [['query', 'LOG', '--since', 'yesterday-ish'], 2],
    [['query', 'LOG', '--detail', 'novalue'], 2],
    [['export', 'LOG', '--format', 'xml'], 2],
    [['checkpoint', 'LOG', '--sign'], 2],
    [['checkpoint', '--new-key', 'two words'], 2],
    [['verify', '/nowhere/at/all'], 3],
    [['verify', 'LOG', '--checkpoint', '/nowhere/at/all'], 3],
    [['--help'], 0],
    [['help', 'verify'], 0],
    [['--version'], 0],
    ...COMMAND_NAMES.map((name): [string[], number] => [[name, '--help'], 0]),
  ])('%j exits with %i', async (args, expected) => {
    const { code, out, err } = await command(args.map((arg) => (arg === 'LOG' ? database : arg)));
    expect(code).toBe(expected);
    expect(expected === 0 ? out : err).not.toBe('');
    expect(expected === 0 ? err : out).toBe('');
  });

  it('runs as an executable', async () => {
    const main = fileURLToPath(new URL('./main.ts', import.meta.url));
    const started = (args: readonly string[]): Promise<Result> =>
      new Promise((resolve) => {
        const child = spawn(process.execPath, [
          '--experimental-strip-types',
          '--no-warnings',
          main,
          ...args,
        ]);
        let out = '';
        let err = '';
        child.stdout.on('data', (data) => {
          out += data;
        });
        child.stderr.on('data', (data) => {
          err += data;
        });
        child.on('close', (code) => resolve({ code: code ?? -1, out, err }));
      });
    expect(await started(['verify', database])).toMatchObject({ code: 4, err: '' });
    expect(await started(['verify', '/nowhere'])).toMatchObject({ code: 3, out: '' });
    expect((await started(['export', files])).out.split('\n')).toHaveLength(21);
  });
});
