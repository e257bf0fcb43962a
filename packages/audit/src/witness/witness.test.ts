import { hash } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManualClock } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import {
  checkpointOf,
  leaf,
  logKey,
  runningWitness,
  treeOf,
  witnessKey,
} from '../../test/witnessed.ts';
import { openCheckpoint } from '../chain/checkpoint.ts';
import { consistencyRanges, RangeHasher } from '../chain/merkle-proof.ts';
import { openNote, parseNote } from '../chain/signed-note.ts';
import { generateSigningKey, noteVerifier } from '../chain/signing-key.ts';
import { formatAddCheckpoint, parseAddCheckpoint } from './add-checkpoint.ts';
import { cosignaturesOf, cosignatureVerifier, cosigner } from './cosignature.ts';
import { witness } from './witness-server.ts';

function proof(from: number, to: number, salt = '', forkAt = 0): readonly Buffer[] {
  const hasher = new RangeHasher(consistencyRanges(from, to));
  for (let i = 0; i < to; i++) hasher.append(leaf(i, i < forkAt ? '' : salt));
  return hasher.roots();
}

async function post(
  url: string,
  body: string,
): Promise<{ status: number; type: string | null; text: string }> {
  const response = await fetch(`${url}/add-checkpoint`, { method: 'POST', body });
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    text: await response.text(),
  };
}

async function add(url: string, old: number, size: number, salt = '', forkAt = 0) {
  const note = await checkpointOf(treeOf(size, salt, forkAt));
  const nodes = old <= size ? proof(old, size, salt, forkAt) : [];
  return post(url, formatAddCheckpoint({ old, proof: nodes, note }));
}

describe('a cosignature', () => {
  const clock = new ManualClock(1_679_315_147_000);

  it('is one of the key and of the time, over header, time and text', async () => {
    const signer = cosigner(witnessKey.secretKey, clock);
    const note = await checkpointOf(treeOf(3));
    const signature = Buffer.from(await signer.sign(Buffer.from(parseNote(note).text)));
    expect(signature).toHaveLength(72);
    expect(signature.readBigUInt64BE()).toBe(1_679_315_147n);
    const verifier = cosignatureVerifier(signer.verifierKey);
    expect(verifier.verify(Buffer.from(parseNote(note).text), signature)).toBe(true);
    expect(verifier.verify(Buffer.from('x\n'), signature)).toBe(false);
    for (const at of [0, 7, 8, 71]) {
      const changed = Buffer.from(signature);
      changed[at] = (changed[at] as number) ^ 1;
      expect(verifier.verify(Buffer.from(parseNote(note).text), changed)).toBe(false);
    }
    expect(verifier.verify(Buffer.from(parseNote(note).text), signature.subarray(0, 71))).toBe(
      false,
    );
  });

  it('has a key of the type 4, which is no key of a log', () => {
    const { verifierKey, keyId } = cosigner(witnessKey.secretKey);
    expect(Buffer.from(verifierKey.split('+').slice(2).join('+'), 'base64')[0]).toBe(4);
    expect(keyId).not.toBe(noteVerifier(witnessKey.verifierKey).keyId);
    expect(() => noteVerifier(verifierKey)).toThrow(TypeError);
    expect(() => cosignatureVerifier(witnessKey.verifierKey)).toThrow(TypeError);
  });

  it('is not made before 1970', () => {
    const early = new ManualClock(-1_000);
    const sign = () => cosigner(witnessKey.secretKey, early).sign(Buffer.from('x\n'));
    expect(sign).toThrow('before 1970');
  });
});

describe('the request add-checkpoint', () => {
  it('has the lines of the specification', async () => {
    const text = `old 20\n${leaf(1).toString('base64')}\n${leaf(2).toString('base64')}\n\nexample.com/x\n21\nroot\n\n— a b\n`;
    const parsed = parseAddCheckpoint(text);
    expect(parsed).toEqual({
      old: 20,
      proof: [leaf(1), leaf(2)],
      note: 'example.com/x\n21\nroot\n\n— a b\n',
    });
    expect(formatAddCheckpoint(parsed)).toBe(text);
  });

  it.each([
    '',
    'old 1\n',
    'old 01\n\nx',
    'old -1\n\nx',
    'old 1 \n\nx',
    'old 1.5\n\nx',
    'old 99999999999999999999\n\nx',
    'size 1\n\nx',
    'old 1\nxx\n\nx',
    `old 1\n${'a'.repeat(44)}\n\nx`,
    `old 1\n${`${Buffer.alloc(32).toString('base64')}\n`.repeat(64)}\nx`,
  ])('is refused with 400 when it is %j', async (body) => {
    await using running = await runningWitness();
    expect((await post(running.url, body)).status).toBe(400);
  });
});

describe('a witness', () => {
  it('cosigns what continues the last checkpoint, and the note verifies', async () => {
    await using running = await runningWitness();
    let old = 0;
    for (const size of [1, 1, 2, 3, 7, 8, 100, 1_000]) {
      const answer = await add(running.url, old, size);
      expect([answer.status, size]).toEqual([200, size]);
      const note = (await checkpointOf(treeOf(size))) + answer.text;
      const verifiers = [
        noteVerifier(logKey.verifierKey),
        cosignatureVerifier(running.verifierKey),
      ];
      expect(openNote(note, verifiers).signedBy).toEqual(['example.com/log', 'witness.example/w1']);
      old = size;
    }
    expect(running.conflicts).toEqual([]);
  });

  it('names the size that it has when the old size is another', async () => {
    await using running = await runningWitness();
    await add(running.url, 0, 5);
    const answer = await add(running.url, 0, 9);
    expect(answer).toEqual({ status: 409, type: 'text/x.tlog.size', text: '5\n' });
    expect((await add(running.url, 7, 9)).text).toBe('5\n');
    expect((await add(running.url, 5, 9)).status).toBe(200);
  });

  it.each<[string, number, () => Promise<string>]>([
    [
      'an old size beyond the checkpoint',
      400,
      async () => `old 9\n\n${await checkpointOf(treeOf(5))}`,
    ],
    [
      'an unknown origin',
      404,
      async () => `old 0\n\n${await checkpointOf(treeOf(5), 'example.com/other')}`,
    ],
    [
      'another key',
      403,
      async () =>
        `old 0\n\n${await checkpointOf(treeOf(5), 'example.com/log', generateSigningKey('example.com/log').secretKey)}`,
    ],
    [
      'a proof from nothing',
      422,
      async () => `old 0\n${leaf(0).toString('base64')}\n\n${await checkpointOf(treeOf(5))}`,
    ],
    ['a note that is no checkpoint', 400, async () => 'old 0\n\nhello\n\n— a AAAAAAA=\n'],
  ])('refuses %s with %i', async (_, status, body) => {
    await using running = await runningWitness();
    expect((await post(running.url, await body())).status).toBe(status);
    expect((await add(running.url, 0, 3)).status).toBe(200);
  });

  it('does not cosign a log that was rolled back, and reports it', async () => {
    await using running = await runningWitness();
    await add(running.url, 0, 8);
    expect(await add(running.url, 0, 5)).toMatchObject({ status: 409, text: '8\n' });
    expect(await add(running.url, 5, 5)).toMatchObject({ status: 409, text: '8\n' });
    expect(await add(running.url, 8, 5)).toMatchObject({ status: 400 });
    expect(running.conflicts.map(({ kind }) => kind)).toEqual(['size', 'size']);
  });

  it('does not cosign a fork, whether it has as many events or more', async () => {
    await using running = await runningWitness();
    await add(running.url, 0, 8);
    expect(await add(running.url, 8, 8, 'x', 7)).toMatchObject({ status: 409, text: '8\n' });
    // Neither the proof of the forged tree nor that of the true one shows what is not so.
    expect((await add(running.url, 8, 9, 'x', 7)).status).toBe(422);
    const forged = await checkpointOf(treeOf(9, 'x', 7));
    const body = formatAddCheckpoint({ old: 8, proof: proof(8, 9), note: forged });
    expect((await post(running.url, body)).status).toBe(422);
    expect(running.conflicts.map(({ kind }) => kind)).toEqual(['root', 'proof', 'proof']);
    const { cosigned, refused } = running.conflicts[0] as (typeof running.conflicts)[number];
    const verifiers = [noteVerifier(logKey.verifierKey)];
    const [one, other] = [openCheckpoint(cosigned, verifiers), openCheckpoint(refused, verifiers)];
    expect(one.size).toBe(other.size);
    expect(one.root.equals(other.root)).toBe(false);
  });

  it('tells two logs of one key apart by their origin', async () => {
    const keys = [logKey.verifierKey];
    const logs = [
      { origin: 'example.com/log', keys },
      { origin: 'example.com/other', keys },
    ];
    await using running = await runningWitness({ logs });
    await add(running.url, 0, 8);
    const other = treeOf(9, 'other');
    const swapped = await checkpointOf(other, 'example.com/log');
    const body = { old: 8, proof: proof(8, 9, 'other'), note: swapped };
    expect((await post(running.url, formatAddCheckpoint(body))).status).toBe(422);
    const own = await checkpointOf(other, 'example.com/other');
    const first = { old: 0, proof: [], note: own };
    expect((await post(running.url, formatAddCheckpoint(first))).status).toBe(200);
  });

  it('decides on concurrent requests one after the other', async () => {
    await using running = await runningWitness();
    await add(running.url, 0, 4);
    const sizes = [5, 6, 7, 8, 9, 10, 11, 12];
    const answers = await Promise.all(sizes.map((size) => add(running.url, 4, size)));
    const cosigned = answers.filter(({ status }) => status === 200);
    expect(cosigned).toHaveLength(1);
    const size = sizes[answers.findIndex(({ status }) => status === 200)];
    for (const { status, text } of answers) {
      if (status !== 200) expect(text).toBe(`${size}\n`);
    }
  });

  it('knows after a restart what it has cosigned, and refuses to work on a damaged state', async () => {
    await using running = await runningWitness();
    await add(running.url, 0, 8);
    const [file = ''] = readdirSync(running.directory).filter((name) =>
      name.endsWith('.checkpoint'),
    );
    const logs = [{ origin: 'example.com/log', keys: [logKey.verifierKey] }];
    const options = {
      directory: running.directory,
      cosigner: cosigner(witnessKey.secretKey),
      logs,
    };
    await expect(witness(options)).rejects.toMatchObject({ code: 'AUDIT_LOCKED' });
    writeFileSync(join(running.directory, file), 'damaged');
    expect((await add(running.url, 0, 3)).status).toBe(500);
    expect((await add(running.url, 8, 9)).status).toBe(500);
  });

  it('returns the last cosigned checkpoint by the hash of the origin', async () => {
    await using running = await runningWitness();
    const url = `${running.url}/checkpoint/${hash('sha256', 'example.com/log')}`;
    expect((await fetch(url)).status).toBe(404);
    await add(running.url, 0, 8);
    const note = await (await fetch(url)).text();
    expect(openCheckpoint(note, [noteVerifier(logKey.verifierKey)]).size).toBe(8);
    expect(cosignaturesOf(note, [cosignatureVerifier(running.verifierKey)])).toHaveLength(1);
  });

  it('stores signatures of known keys only, and refuses huge requests and other methods', async () => {
    await using running = await runningWitness();
    const note = `${await checkpointOf(treeOf(2))}— stranger ${Buffer.alloc(68).toString('base64')}\n`;
    expect((await post(running.url, `old 0\n\n${note}`)).status).toBe(200);
    const url = `${running.url}/checkpoint/${hash('sha256', 'example.com/log')}`;
    expect(await (await fetch(url)).text()).not.toContain('stranger');
    expect((await post(running.url, 'x'.repeat(300_000))).status).toBe(413);
    expect((await fetch(`${running.url}/add-checkpoint`)).status).toBe(405);
    expect((await fetch(`${running.url}/`)).status).toBe(404);
  });

  it('cosigns nothing while its clock is before 1970', async () => {
    const clock = new ManualClock(-5_000);
    await using running = await runningWitness({ clock });
    expect((await add(running.url, 0, 1)).status).toBe(500);
    clock.adjustWallClock(10_000);
    expect((await add(running.url, 0, 1)).status).toBe(200);
  });
});
