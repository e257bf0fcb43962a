import { systemClock } from '@temper/core';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import { type Listening, listening, logKey, runningWitness } from '../../test/witnessed.ts';
import { generateSigningKey, noteSigner } from '../chain/signing-key.ts';
import { auditLog } from '../log/durable-log.ts';
import { fileSink } from '../sinks/file/file-sink.ts';
import { cosigner } from '../witness/cosignature.ts';
import { httpWitness } from '../witness/http-witness.ts';
import { checkpointPublisher } from '../witness/publisher.ts';
import { run } from './run.ts';

async function answer(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const stream = (write: (text: string) => void) => ({ isTerminal: false, columns: 80, write });
  const code = await run(args, {
    stdout: stream((text) => {
      out += text;
    }),
    stderr: stream((text) => {
      err += text;
    }),
    env: {},
    clock: systemClock,
    signal: new AbortController().signal,
  });
  return { code, out, err };
}

/** Writes a log of `events` events, whose last checkpoint the witness has cosigned. */
async function written(directory: string, events: number, url: string, key: string): Promise<void> {
  const publisher = checkpointPublisher({
    keys: [logKey.verifierKey],
    source: () => log.source,
    witnesses: [httpWitness({ url, key })],
  });
  const log = auditLog({
    sinks: [fileSink({ directory })],
    checkpoints: { signer: noteSigner(logKey.secretKey), publish: publisher.publish },
  });
  for (let i = 0; i < events; i++) {
    await log.append({ eventType: 'o', action: 'a', resource: 'r', status: 's' });
  }
  await log.checkpoint();
  await log.close();
  await publisher.flush();
}

describe('temper-audit verify --witness', () => {
  it('holds the log to what the witness has cosigned', async () => {
    using directory = temporaryDirectory();
    await using witness = await runningWitness();
    await written(directory.path, 4, witness.url, witness.verifierKey);
    const options = ['--key', logKey.verifierKey, '--witness', witness.url, '--witness-key'];
    const valid = await answer('verify', directory.path, ...options, witness.verifierKey);
    expect(valid).toMatchObject({ code: 0, err: '' });
    expect(valid.out).toMatch(/4 events are witnessed by witness\.example\/w1 at \d{4}-/);

    using shorter = temporaryDirectory();
    await written(shorter.path, 3, witness.url, witness.verifierKey);
    const rolledBack = await answer('verify', shorter.path, ...options, witness.verifierKey);
    expect(rolledBack.code).toBe(1);

    using longer = temporaryDirectory();
    await written(longer.path, 9, witness.url, witness.verifierKey);
    const rewritten = await answer('verify', longer.path, ...options, witness.verifierKey);
    expect(rewritten.code).toBe(1);
    expect(rewritten.out).toContain('rewritten');
  });

  it('is not satisfied by a witness that has seen nothing, or has another key', async () => {
    using directory = temporaryDirectory();
    await using witness = await runningWitness();
    const options = ['--key', logKey.verifierKey, '--witness', witness.url, '--witness-key'];
    const other = cosigner(generateSigningKey('witness.example/w1').secretKey).verifierKey;
    await written(directory.path, 4, 'http://127.0.0.1:1', other);
    const unseen = await answer('verify', directory.path, ...options, witness.verifierKey);
    expect(unseen.code).toBe(1);
    expect(unseen.out).toContain('unwitnessed');

    using second = temporaryDirectory();
    await written(second.path, 4, witness.url, witness.verifierKey);
    const impostor = await answer('verify', second.path, ...options, other);
    expect(impostor.code).toBe(1);
    expect(impostor.out).toContain('unwitnessed');
  });

  it('cannot tell without an answer', async () => {
    using directory = temporaryDirectory();
    await using witness = await runningWitness();
    await written(directory.path, 1, witness.url, witness.verifierKey);
    const replies: Listening[] = [];
    for (const [status, body] of [
      [500, ''],
      [200, 'junk'],
      [200, 'x'.repeat(100_000)],
    ] as const) {
      replies.push(await listening((_, response) => response.writeHead(status).end(body)));
    }
    for (const url of ['http://127.0.0.1:1', ...replies.map((reply) => reply.url)]) {
      const options = ['--key', logKey.verifierKey, '--witness', url];
      const result = await answer(
        'verify',
        directory.path,
        ...options,
        '--witness-key',
        witness.verifierKey,
      );
      expect([url, result.code]).toEqual([url, 3]);
    }
    for (const reply of replies) await reply[Symbol.asyncDispose]();
  });

  it.each([
    ['verify', '.', '--witness', 'http://w'],
    ['verify', '.', '--witness', 'http://w', '--witness-key', logKey.verifierKey],
    [
      'verify',
      '.',
      '--key',
      logKey.verifierKey,
      '--witness',
      'http://w',
      '--witness-key',
      logKey.verifierKey,
    ],
    [
      'verify',
      '.',
      '--key',
      logKey.verifierKey,
      '--witness',
      'ftp://w',
      '--witness-key',
      cosigner(logKey.secretKey).verifierKey,
    ],
    [
      'verify',
      '.',
      '--key',
      logKey.verifierKey,
      '--witness',
      'http://w',
      '--witness-key',
      cosigner(logKey.secretKey).verifierKey,
      '--quorum',
      '2',
    ],
    ['witness'],
    ['witness', 'x', 'y'],
    ['witness', 'x'],
    ['witness', 'x', '--log', 'no key'],
    ['witness', 'x', '--log', logKey.verifierKey],
    ['witness', 'x', '--log', logKey.verifierKey, '--listen', 'nowhere'],
    ['witness', 'x', '--log', logKey.verifierKey, '--listen', '127.0.0.1:99999'],
  ])('is used wrongly as %j', async (...args) => {
    const result = await answer(...args);
    expect([result.code, result.err]).toEqual([2, expect.stringContaining('temper-audit:')]);
  });
});
