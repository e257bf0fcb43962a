import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { auditLog } from '../log/durable-log.ts';
import {
  checkConsistency,
  checkInclusion,
  proveConsistency,
  proveInclusion,
} from '../read/proofs.ts';
import { verifyLog } from '../read/verify.ts';
import { memorySink } from '../sinks/memory/memory-sink.ts';
import { decodeBase64 } from './base64.ts';
import { canonicalize, type JsonObject } from './canonical-json.ts';
import { parseCheckpoint, signCheckpoint } from './checkpoint.ts';
import { decodeFrontier, EMPTY_ROOT } from './merkle.ts';
import { parseNote } from './signed-note.ts';
import { generateSigningKey, noteSigner, noteVerifier } from './signing-key.ts';

async function lines(id: string): Promise<string[]> {
  const sink = memorySink();
  const log = auditLog({ id, sinks: [sink] });
  for (let i = 0; i < 4; i++) {
    await log.append({ eventType: 'o', action: `n${i}`, resource: 'r', status: 's' });
  }
  await log.close();
  const found: string[] = [];
  for await (const batch of sink.source.read({})) found.push(...batch);
  return found;
}

const verify = (stored: readonly string[]) => verifyLog(memorySink({ lines: stored }).source);

describe('the format 2', () => {
  it('hashes an event after the name of its purpose', async () => {
    const [first = ''] = await lines('a');
    const { hash, ...fields } = JSON.parse(first) as JsonObject & { hash: string };
    const text = `temper-audit event v2\n${canonicalize(fields)}`;
    expect(createHash('sha256').update(text).digest('hex')).toBe(hash);
    const genesis = createHash('sha256').update('temper-audit genesis v2\na').digest('hex');
    expect(fields).toMatchObject({ v: 2, log: 'a', prev: genesis });
  });

  it('binds every event to its log', async () => {
    const [a, b] = [await lines('a'), await lines('b')];
    expect((await verify(a)).problem).toBeUndefined();
    for (let at = 0; at < 4; at++) {
      expect((await verify(a.with(at, b[at] as string))).problem?.sequence).toBeLessThanOrEqual(
        at + 2,
      );
    }
    const renamed = a.map((line) => line.replace('"log":"a"', '"log":"b"'));
    expect((await verify(renamed)).problem).toMatchObject({ kind: 'edited', sequence: 1 });
  });

  it('gives every log an identifier of its own, which it keeps', async () => {
    const sink = memorySink();
    const append = async (id?: string): Promise<string> => {
      const log = auditLog({ sinks: [sink], ...(id === undefined ? {} : { id }) });
      return (await log.append({ eventType: 'o', action: 'a', resource: 'r', status: 's' })).log;
    };
    const id = await append();
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(await append()).toBe(id);
    expect(await append(id)).toBe(id);
    await expect(append('another')).rejects.toMatchObject({
      cause: { code: 'AUDIT_CORRUPT', message: expect.stringContaining('belongs to the log') },
    });
  });

  it('names version, algorithm and log in every proof, and rejects what it does not know', async () => {
    const source = memorySink({ lines: await lines('a') }).source;
    const inclusion = await proveInclusion(source, 2, 4);
    const consistency = await proveConsistency(source, 2, 4);
    for (const proof of [inclusion, consistency]) {
      expect(proof).toMatchObject({ v: 2, algorithm: 'sha256', log: 'a' });
    }
    expect([checkInclusion(inclusion), checkConsistency(consistency)]).toEqual([true, true]);
    for (const other of [{ v: 3 as 2 }, { algorithm: 'sha3' as 'sha256' }]) {
      expect(checkInclusion({ ...inclusion, ...other })).toBe(false);
      expect(checkConsistency({ ...consistency, ...other })).toBe(false);
    }
  });
});

describe('base64', () => {
  it.each(['QQ', 'QR==', 'QQ==\n', ' QQ==', 'QQ-_', 'QQ==QQ==', 'Q', '*QQ==', 'QUJD='])(
    'is not decoded from %j',
    (text) => {
      expect(() => decodeBase64(text)).toThrow(TypeError);
    },
  );

  it('is decoded strictly in notes, keys, checkpoints and proofs', async () => {
    const { secretKey, verifierKey } = generateSigningKey('k');
    /** Texts that lenient decoders read as the same bytes. */
    const variants = (text: string): string[] => [`${text}=`, `${text}\n`, ` ${text}`];
    for (const key of variants(verifierKey)) expect(() => noteVerifier(key)).toThrow(TypeError);
    for (const key of variants(secretKey)) expect(() => noteSigner(key)).toThrow(TypeError);
    const body = { origin: 'o', size: 0, root: EMPTY_ROOT };
    const note = await signCheckpoint(body, [noteSigner(secretKey)]);
    const signature = note.trimEnd().split(' ').at(-1) as string;
    const root = EMPTY_ROOT.toString('base64');
    expect(() => parseNote(note.replace(signature, signature.replace(/=+$/, '')))).toThrow(
      TypeError,
    );
    for (const text of variants(root)) {
      expect(() => parseCheckpoint(note.replace(root, text))).toThrow(TypeError);
    }
    const source = memorySink({ lines: await lines('a') }).source;
    const proof = await proveInclusion(source, 2, 4);
    for (const text of variants(proof.root)) {
      expect(checkInclusion({ ...proof, root: text })).toBe(false);
    }
    expect(() => decodeFrontier(1, ['AB'.repeat(32)])).toThrow(RangeError);
    expect(() => decodeFrontier(1, ['ab'.repeat(31)])).toThrow(RangeError);
  });
});
