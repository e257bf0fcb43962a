import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManualClock } from '@temper/testkit/clock';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TemporaryDirectory, temporaryDirectory } from '../../test/temporary-directory.ts';
import { runningWitness, witnessKey } from '../../test/witnessed.ts';
import { generateSigningKey, noteSigner } from '../chain/signing-key.ts';
import { auditLog } from '../log/durable-log.ts';
import { fileSink } from '../sinks/file/file-sink.ts';
import { cosigner } from '../witness/cosignature.ts';
import { httpWitness } from '../witness/http-witness.ts';
import { checkpointPublisher } from '../witness/publisher.ts';
import { run } from './run.ts';

const key = generateSigningKey('example.com/audit');

async function command(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const texts = { out: '', err: '' };
  const output = (name: 'out' | 'err') => ({
    isTerminal: false,
    columns: 80,
    write: (text: string) => {
      texts[name] += text;
    },
  });
  const code = await run(args, {
    stdout: output('out'),
    stderr: output('err'),
    env: {},
    clock: new ManualClock(0),
    signal: new AbortController().signal,
  });
  return { code, ...texts };
}

let directory: TemporaryDirectory;
let log: string;
let kept: string;
beforeAll(async () => {
  directory = temporaryDirectory();
  log = join(directory.path, 'log');
  kept = join(directory.path, 'kept');
  const written = auditLog({
    sinks: [fileSink({ directory: log })],
    checkpoints: { signer: noteSigner(key.secretKey), everyMs: Number.POSITIVE_INFINITY },
  });
  for (let i = 1; i <= 9; i++) {
    await written.append({ eventType: 'o', action: `step ${i}`, resource: 'r', status: 's' });
    if (i === 6) writeFileSync(kept, (await written.checkpoint()).note);
  }
  await written.close();
});
afterAll(() => directory[Symbol.dispose]());

describe('bundle', () => {
  it('writes a file that verify verifies, with the exit codes of a log', async () => {
    const out = join(directory.path, 'a.tgz');
    const made = await command(
      'bundle',
      log,
      '--from',
      '2',
      '--to',
      '5',
      '--out',
      out,
      '--key',
      key.verifierKey,
    );
    expect([made.code, made.out]).toEqual([0, '']);
    expect(made.err).toBe(
      `${out}: 4 events, 2 to 5, 2 checkpoints, of which 2 are signed by a given key\n`,
    );
    const valid = await command('verify', out, '--key', key.verifierKey);
    expect(valid.code).toBe(0);
    expect(valid.out.split('\n').slice(0, 3)).toEqual([
      `valid  ${out}: 4 events, 2 to 5`,
      '  events up to 1 are not in the bundle',
      '  2 trusted checkpoints match, the last covers 9 events',
    ]);
    expect((await command('verify', out)).code).toBe(4);
    expect((await command('verify', out, '--checkpoint', kept)).code).toBe(0);
    const stranger = generateSigningKey('example.com/audit').verifierKey;
    expect((await command('verify', out, '--key', stranger)).code).toBe(1);
    expect((await command('query', out, '--action', 'step 3')).out).toContain('step 3');
    const json = await command('verify', out, '--key', key.verifierKey, '--json');
    expect(JSON.parse(json.out)).toMatchObject({ verdict: 'valid', first: 2, last: 5 });
    const renamed = join(directory.path, 'evidence');
    renameSync(out, renamed);
    expect((await command('verify', renamed, '--key', key.verifierKey)).code).toBe(0);
  });

  it('never replaces a file, and leaves none behind when it fails', async () => {
    const out = join(directory.path, 'b.tgz');
    writeFileSync(out, 'evidence');
    expect((await command('bundle', log, '--out', out)).code).toBe(3);
    expect(readFileSync(out, 'utf8')).toBe('evidence');
    const damaged = await command('verify', out);
    expect([damaged.code, damaged.out]).toEqual([1, expect.stringContaining('malformed')]);
    const none = join(directory.path, 'none.tgz');
    expect((await command('bundle', log, '--out', none, '--from', '99')).code).toBe(2);
    expect((await command('bundle', log, '--out', none, '--to', '0')).code).toBe(2);
    expect(existsSync(none)).toBe(false);
    expect((await command('bundle', log)).code).toBe(2);
    expect((await command('verify', none)).code).toBe(3);
    const whole = join(directory.path, 'c.tgz');
    expect((await command('bundle', log, '--out', whole)).code).toBe(0);
    for (const option of [
      ['--size', '9'],
      ['--witness', 'http://h'],
      ['--max-bytes', '0'],
    ]) {
      expect((await command('verify', whole, ...option)).code).toBe(2);
    }
    expect((await command('verify', whole, '--max-bytes', '2000')).code).toBe(1);
  });

  it('includes what a witness has cosigned', async () => {
    const logs = [{ origin: 'example.com/audit', keys: [key.verifierKey] }];
    await using witness = await runningWitness({ logs });
    const { verifierKey } = cosigner(witnessKey.secretKey);
    await checkpointPublisher({
      keys: [key.verifierKey],
      witnesses: [httpWitness({ url: witness.url, key: verifierKey })],
    }).publish(readFileSync(kept, 'utf8'));
    const out = join(directory.path, 'd.tgz');
    const asked = ['--key', key.verifierKey, '--witness-key', verifierKey];
    const made = await command(
      'bundle',
      log,
      '--to',
      '5',
      '--out',
      out,
      ...asked,
      '--witness',
      witness.url,
    );
    expect([made.code, made.err]).toEqual([0, expect.stringContaining('3 checkpoints')]);
    const { code, out: text } = await command('verify', out, ...asked);
    expect([code, text]).toEqual([
      0,
      expect.stringContaining('6 events are witnessed by witness.example/w1'),
    ]);
    const stranger = cosigner(generateSigningKey('w2').secretKey).verifierKey;
    const other = await command('verify', out, '--key', key.verifierKey, '--witness-key', stranger);
    expect([other.code, other.out]).toEqual([1, expect.stringContaining('unwitnessed')]);
  });
});

describe('--record', () => {
  it('records each read in another log, and refuses what it cannot record', async () => {
    const record = join(directory.path, 'reads');
    const as = ['--record', record, '--reader', 'ann'];
    const bundle = join(directory.path, 'e.tgz');
    expect((await command('query', log, '--action', 'step 3', ...as)).code).toBe(0);
    expect((await command('tail', log, '-n', '2', ...as)).code).toBe(0);
    expect((await command('export', log, '--format', 'csv', '--to', '4', ...as)).code).toBe(0);
    expect(
      (await command('bundle', log, '--to', '5', '--out', bundle, '--record', record)).code,
    ).toBe(0);
    const lines = (await command('query', record, '--json', '--order', 'asc')).out
      .trim()
      .split('\n');
    const events = lines.map((line) => JSON.parse(line));
    expect(events.map(({ action, status }) => `${action} ${status}`)).toEqual([
      'query success',
      'tail started',
      'tail success',
      'export started',
      'export success',
      'bundle started',
      'bundle success',
    ]);
    expect(events[2].details).toMatchObject({ events: 2, first: 8, last: 9 });
    expect(events[4].details).toMatchObject({ events: 4, filter: { toSequence: 4 } });
    expect(events[6].details).toEqual({ to: 5, bytes: statSync(bundle).size });
    expect(events.slice(0, 5).every(({ actor }) => actor.id === 'ann')).toBe(true);
    expect(events[6].actor.type).toBe('os-user');
    expect((await command('verify', record, '--size', '7')).code).toBe(0);
    // Another writer has it open.
    const held = auditLog({ sinks: [fileSink({ directory: record })] });
    await held.ready();
    const refused = join(directory.path, 'f.tgz');
    expect(await command('query', log, ...as)).toMatchObject({ code: 3, out: '' });
    expect(await command('export', log, ...as)).toMatchObject({ code: 3, out: '' });
    expect(await command('bundle', log, '--out', refused, ...as)).toMatchObject({ code: 3 });
    expect(existsSync(refused)).toBe(false);
    await held.close();
    expect((await command('query', log, '--reader', 'ann')).code).toBe(2);
  });
});
