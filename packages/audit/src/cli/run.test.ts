import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManualClock } from '@temper/testkit/clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type TemporaryDirectory, temporaryDirectory } from '../../test/temporary-directory.ts';
import type { AuditEvent } from '../chain/event.ts';
import { generateSigningKey, noteSigner } from '../chain/signing-key.ts';
import { auditLog } from '../log/durable-log.ts';
import type { VerifyReport } from '../read/verify-report.ts';
import { fileSink } from '../sinks/file/file-sink.ts';
import { sqliteSink } from '../sinks/sqlite/sqlite-sink.ts';
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
  /** Called with everything written to stdout so far. */
  readonly onOutput?: (out: string) => void;
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
        around.onOutput?.(out);
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
    // Signed once, at the end: the clock of the test runs ahead of the writes.
    checkpoints: { signer: noteSigner(key.secretKey), everyMs: Number.POSITIVE_INFINITY },
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

describe('verify', () => {
  it('verifies a valid log in a directory, a database and an export', async () => {
    for (const location of [database, files]) {
      const { code, out, err } = await command([
        'verify',
        location,
        '--key',
        key.verifierKey,
        '--checkpoint',
        kept,
      ]);
      expect([code, err]).toEqual([0, '']);
      expect(out).toBe(
        `valid  ${location}: 20 events, 1 to 20\n  2 trusted checkpoints match, the last covers 20 events\n`,
      );
    }
    const { out: lines } = await command(['export', database]);
    const path = join(directory.path, 'export.jsonl');
    writeFileSync(path, lines);
    const { code, out } = await command(['verify', path]);
    expect([code, out.split('\n').slice(0, 3)]).toEqual([
      4,
      [
        `unproven  ${path}: 20 events, 1 to 20`,
        '  no checkpoints: only the hash chain was verified',
        '  not shown: No key and no checkpoint was given: the events may have been rewritten.',
      ],
    ]);
  });

  it('reports the first invalid event and exits with 1', async () => {
    const [name] = ['00000000000000000001.jsonl'];
    const path = join(files, name as string);
    writeFileSync(path, readFileSync(path, 'utf8').replace('"action 7"', '"action 8"'));
    const { code, out } = await command(['verify', files]);
    expect(code).toBe(1);
    expect(out).toContain('at event 7: Event 7: its content does not match its hash.');
    expect(out).toContain('6 events before it are valid');
    const json = await command(['verify', files, '--json']);
    expect(json.code).toBe(1);
    expect((JSON.parse(json.out) as VerifyReport).problem).toMatchObject({
      kind: 'edited',
      sequence: 7,
    });
  });

  it('signs only what continues the checkpoints that are known', async () => {
    const secret = join(directory.path, 'secret');
    writeFileSync(secret, key.secretKey);
    const sign = ['checkpoint', files, '--sign', '--key-file', secret];
    expect((await command([...sign, '--checkpoint', kept])).code).toBe(0);
    const other = await command([...sign, '--origin', 'example.com/other']);
    expect([other.code, other.err]).toEqual([1, expect.stringContaining('of another log')]);
    writeFileSync(join(files, 'checkpoints.jsonl'), '');
    const lines = join(files, '00000000000000000001.jsonl');
    const shorter = readFileSync(lines, 'utf8').split('\n').slice(0, 10);
    writeFileSync(lines, `${shorter.join('\n')}\n`);
    expect((await command(sign)).code).toBe(0); // nothing says that there were more
    const cut = await command([...sign, '--checkpoint', kept]);
    expect([cut.code, cut.err]).toEqual([1, expect.stringContaining('the log ends at 10')]);
  });

  it('reports signatures that were not verified', async () => {
    expect((await command(['verify', database])).out).toContain(
      '1 checkpoints match; signatures were not verified (no --key)',
    );
    const stranger = generateSigningKey('stranger').verifierKey;
    const { code, out } = await command(['verify', database, '--key', stranger]);
    expect(code).toBe(1);
    expect(out).toContain('unsigned');
    expect(out).toContain('none is signed by a given key');
  });

  it('colours output only on a terminal and respects NO_COLOR', async () => {
    expect((await command(['verify', database])).out).not.toContain('\u001b');
    expect(
      (await command(['verify', database, '--key', key.verifierKey], { terminal: true })).out,
    ).toContain('\u001b[32mvalid');
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
      expect((await command(['verify', database], { terminal: true, env })).out).not.toContain(
        '\u001b[32m',
      );
    }
  });

  it('exits with 130 when interrupted', async () => {
    expect((await command(['verify', database], { signal: AbortSignal.abort() })).code).toBe(130);
  });
});

describe('query', () => {
  const actions = async (...args: string[]): Promise<string[]> => {
    const { code, out, err } = await command(['query', database, '--json', ...args]);
    expect([code, err.replaceAll(/(next|previous) page: --cursor \S+\n/g, '')]).toEqual([0, '']);
    return out
      .split('\n')
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as AuditEvent).action.slice(7));
  };

  it.each([
    [
      ['--limit', '3'],
      ['20', '19', '18'],
    ],
    [['--limit', '0'], []],
    [
      ['--limit', '2', '--order', 'asc'],
      ['1', '2'],
    ],
    [
      ['--failed', '--order', 'asc'],
      ['5', '10', '15', '20'],
    ],
    [
      ['--actor', 'ann', '--failed'],
      ['20', '10'],
    ],
    [
      ['--action', 'action 3', '--action', 'action 4'],
      ['4', '3'],
    ],
    [['--detail', 'user.id=7'], ['7']],
    [
      ['--from', '4', '--to', '6'],
      ['6', '5', '4'],
    ],
    [
      ['--min-duration', '190'],
      ['20', '19'],
    ],
    [
      ['--since', '10s'],
      ['20', '19'],
    ],
    [
      ['--until', '2026-11-24T11:58:30Z', '--order', 'asc'],
      ['1', '2'],
    ],
    [['--error-code', 'EHOSTUNREACH', '--limit', '1'], ['20']],
    [['--resource', 'nothing'], []],
  ])('prints the events of query %j', async (args, expected) => {
    expect(await actions(...args)).toEqual(expected);
  });

  it('pages in both directions with the cursors printed to stderr', async () => {
    const first = await command(['query', database, '--limit', '2', '--json']);
    const next = /next page: --cursor (\S+)/.exec(first.err)?.[1] as string;
    const second = await command(['query', database, '--limit', '2', '--json', '--cursor', next]);
    expect(second.out).toContain('"action":"action 18"');
    const previous = /previous page: --cursor (\S+)/.exec(second.err)?.[1] as string;
    expect(
      (await command(['query', database, '--limit', '2', '--json', '--cursor', previous])).out,
    ).toBe(first.out);
  });

  it('prints a readable line per event with control characters replaced', async () => {
    const { out } = await command(['query', files, '--from', '7', '--to', '7']);
    expect(out).toBe(
      '2026-11-24T11:58:50.000Z #7  success  operation action 7 stdlib  by Bob  70 ms  {"note":"\\u001b[31mred","user":{"id":7}}\n',
    );
    expect((await command(['query', files, '--failed', '--limit', '1'])).out).toContain(
      'Error: no route',
    );
  });
});

describe('tail', () => {
  it('prints the last events, oldest first', async () => {
    const { out } = await command(['tail', database, '-n', '2', '--json']);
    expect(
      out
        .split('\n')
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as AuditEvent).sequence),
    ).toEqual([19, 20]);
    expect((await command(['tail', files, '-n', '0'])).out).toBe('');
  });

  it('follows the log until it is interrupted', async () => {
    const clock = new ManualClock(NOW);
    const interrupt = new AbortController();
    const firstOutput = Promise.withResolvers<void>();
    let printed = '';
    const following = command(
      ['tail', database, '-n', '1', '-f', '--json', '--status', 'success'],
      {
        clock,
        signal: interrupt.signal,
        onOutput: (out) => {
          printed = out;
          firstOutput.resolve();
        },
      },
    );
    await firstOutput.promise;
    const log = auditLog({ sinks: [sqliteSink({ path: database })] });
    await log.append({ eventType: 'a', action: 'new', resource: 'r', status: 'success' });
    await log.append({ eventType: 'a', action: 'other', resource: 'r', status: 'failure' });
    await log.close();
    while (!printed.includes('"new"')) await clock.advance(250);
    interrupt.abort();
    const { code, out } = await following;
    expect(code).toBe(130);
    expect(
      out
        .split('\n')
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as AuditEvent).action),
    ).toEqual(['action 19', 'new']);
  });
});

describe('export', () => {
  it('writes the lines of the log byte for byte from any sink', async () => {
    const stored = readFileSync(join(files, '00000000000000000001.jsonl'), 'utf8');
    expect((await command(['export', files])).out).toBe(stored);
    expect((await command(['export', database])).out).toBe(stored);
  });

  it('writes CloudEvents and OCSF', async () => {
    const cloud = await command([
      'export',
      files,
      '--format',
      'cloudevents',
      '--name',
      'main',
      '--to',
      '1',
    ]);
    expect(JSON.parse(cloud.out)).toMatchObject({
      specversion: '1.0',
      source: 'urn:temper:audit:main',
    });
    const ocsf = await command([
      'export',
      files,
      '--format',
      'ocsf',
      '--service',
      'registry',
      '--to',
      '1',
    ]);
    expect(JSON.parse(ocsf.out)).toMatchObject({
      class_uid: 6003,
      src_endpoint: { svc_name: 'registry' },
    });
  });
});
