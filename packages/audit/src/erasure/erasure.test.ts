import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import type { JsonValue } from '../chain/canonical-json.ts';
import { generateSigningKey, noteSigner } from '../chain/signing-key.ts';
import { auditLog } from '../log/durable-log.ts';
import { checkInclusion, proveInclusion } from '../read/proofs.ts';
import { fileSink } from '../sinks/file/file-sink.ts';
import { fileKeyStore } from './file-key-store.ts';
import type { KeyStore } from './key-store.ts';
import { memoryKeyStore } from './memory-key-store.ts';
import { subjectKeys } from './subject-keys.ts';

/** A kind of store, and how it is opened again after the process has ended. */
interface Kind {
  readonly name: string;
  make(directory: string): KeyStore & Partial<AsyncDisposable>;
}

const KINDS: readonly Kind[] = [
  { name: 'memory', make: () => memoryKeyStore() },
  { name: 'files', make: (directory) => fileKeyStore({ directory }) },
];

describe.each(KINDS)('personal details with keys in $name', ({ make }) => {
  it('are opened until the subject is forgotten, and those of others after that', async () => {
    using directory = temporaryDirectory();
    const keys = subjectKeys({ store: make(directory.path) });
    const ann = await keys.seal('ann', { email: 'ann@example.com' });
    const bob = await keys.seal('bob', 'bob@example.com');
    expect(await keys.open(ann)).toEqual({ email: 'ann@example.com' });
    const [id] = await keys.forget('ann');
    expect(ann).toContain(id);
    expect(await keys.open(ann)).toBeUndefined();
    expect(await keys.open(bob)).toBe('bob@example.com');
    expect(await keys.forget('ann')).toEqual([]);
    expect(await keys.forget('nobody')).toEqual([]);
    // Seen again, the subject has another key, and nothing links the two.
    const again = await keys.seal('ann', 1);
    expect(again).not.toContain(id);
    expect(await keys.open(ann)).toBeUndefined();
    expect(await keys.open(again)).toBe(1);
  });

  it('have one key for each subject, however many are sealed at once', async () => {
    using directory = temporaryDirectory();
    const keys = subjectKeys({ store: make(directory.path) });
    const sealed = await Promise.all(Array.from({ length: 20 }, (_, i) => keys.seal('ann', i)));
    expect(new Set(sealed.map((text) => text.split(':')[2])).size).toBe(1);
    expect(new Set(sealed).size).toBe(20);
    await keys.forget('ann');
    for (const text of sealed) expect(await keys.open(text)).toBeUndefined();
  });

  it('are never readable once forgotten, whatever is sealed meanwhile', async () => {
    using directory = temporaryDirectory();
    const keys = subjectKeys({ store: make(directory.path) });
    for (let round = 0; round < 20; round++) {
      const sealing = Promise.all([1, 2, 3].map((value) => keys.seal('ann', value)));
      const forgotten = keys.forget('ann');
      const sealed = await sealing;
      await forgotten;
      await keys.forget('ann');
      for (const text of sealed) expect(await keys.open(text)).toBeUndefined();
    }
  });

  it('are sealed with no key that is being destroyed', async () => {
    using directory = temporaryDirectory();
    const store = make(directory.path);
    const created = await store.create('ann', { id: 'a'.repeat(32), key: Buffer.alloc(32, 7) });
    const held = await store.current('ann');
    await store.destroy('ann');
    for (const key of [created, held]) expect(key?.key).toEqual(Buffer.alloc(32, 7));
  });

  it('have a pseudonym that stays the same until then', async () => {
    using directory = temporaryDirectory();
    const keys = subjectKeys({ store: make(directory.path) });
    const ann = await keys.pseudonym('ann');
    expect(ann).toMatch(/^subject:[0-9a-f]{32}$/);
    expect(await keys.pseudonym('ann')).toBe(ann);
    expect(await keys.pseudonym('bob')).not.toBe(ann);
    await keys.forget('ann');
    expect(await keys.pseudonym('ann')).not.toBe(ann);
  });
});

describe('a sealed value', () => {
  const keys = subjectKeys({ store: memoryKeyStore() });

  it('is any JSON value, and comes back the same', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 3 }), async (input) => {
        const value = JSON.parse(JSON.stringify(input).replaceAll('-0', '0')) as JsonValue;
        fc.pre(JSON.stringify(value).length < 500 && JSON.stringify(value).isWellFormed());
        const wellFormed = JSON.parse(JSON.stringify(value).toWellFormed()) as JsonValue;
        fc.pre(!JSON.stringify(wellFormed).includes('\\ud'));
        expect(await keys.open(await keys.seal('ann', wellFormed))).toEqual(wellFormed);
      }),
      { numRuns: 100 },
    );
  });

  it('shows neither subject nor value, and its length only in steps of 64 bytes', async () => {
    const lengths = new Set<number>();
    for (const value of ['', 'a', 'ann@example.com', 'x'.repeat(62)]) {
      const sealed = await keys.seal('ann@example.com', value);
      expect(sealed).not.toContain('ann');
      lengths.add(sealed.length);
    }
    expect(lengths.size).toBe(1);
    expect((await keys.seal('ann', 'x'.repeat(63))).length).toBeGreaterThan([...lengths][0] ?? 0);
  });

  it('is refused when any character of it is changed', async () => {
    const sealed = await keys.seal('ann', 'secret');
    const other = await keys.seal('bob', 'secret');
    for (let i = 0; i < sealed.length; i++) {
      const changed = `${sealed.slice(0, i)}${sealed[i] === 'A' ? 'B' : 'A'}${sealed.slice(i + 1)}`;
      const opened = await keys.open(changed).catch((error: unknown) => error);
      // A changed id is that of no key: it opens to nothing.
      if (opened !== undefined) expect(opened).toBeInstanceOf(TypeError);
    }
    const moved = `${other.split(':').slice(0, 3).join(':')}:${sealed.split(':')[3]}`;
    await expect(keys.open(moved)).rejects.toThrow('was changed');
    for (const text of ['', 'x', `${sealed}=`, `${sealed}\n`, 5, null]) {
      await expect(keys.open(text as never)).rejects.toThrow(TypeError);
    }
  });

  it('has at most 1024 bytes, and a subject with a name', async () => {
    await keys.seal('ann', 'x'.repeat(1_022));
    await expect(keys.seal('ann', 'x'.repeat(1_023))).rejects.toThrow(RangeError);
    for (const subject of ['', null, 5]) {
      await expect(keys.seal(subject as never, 1)).rejects.toThrow(TypeError);
      await expect(keys.forget(subject as never)).rejects.toThrow(TypeError);
    }
    await expect(keys.seal('ann', Number.NaN)).rejects.toThrow(TypeError);
  });

  it('is found and opened anywhere in the details of an event', async () => {
    const sealed = await keys.seal('ann', 'ann@example.com');
    const erased = await keys.seal('eve', 'eve@example.com');
    await keys.forget('eve');
    const details = { a: [sealed, 1, null], b: { c: erased }, __proto__x: 'sealed:v1:' };
    expect(await keys.reveal(details)).toEqual({
      a: ['ann@example.com', 1, null],
      b: { c: erased },
      __proto__x: 'sealed:v1:',
    });
  });

  it.each([null, {}, { store: {} }, { store: memoryKeyStore(), misspelt: 1 }])(
    'needs valid options, not %j',
    (options) => {
      expect(() => subjectKeys(options as never)).toThrow(TypeError);
    },
  );
});

it('forgetting a subject leaves hashes, proofs and checkpoints of the log valid', async () => {
  using directory = temporaryDirectory();
  await using store = fileKeyStore({ directory: join(directory.path, 'keys') });
  const keys = subjectKeys({ store });
  const { secretKey, verifierKey } = generateSigningKey('example.com/audit');
  await using log = auditLog({
    sinks: [fileSink({ directory: join(directory.path, 'log') })],
    checkpoints: { signer: noteSigner(secretKey) },
  });
  const { sequence } = await log.append({
    eventType: 'login',
    action: 'sign_in',
    resource: 'app',
    status: 'success',
    actor: await keys.pseudonym('ann'),
    // The largest value passes through limits and redaction of the log as it is.
    details: {
      email: await keys.seal('ann', 'ann@example.com'),
      note: await keys.seal('ann', 'x'.repeat(1_022)),
    },
  });
  const { body } = await log.checkpoint();
  const [before] = await log.getEvents();
  expect(await keys.reveal(before?.details ?? {})).toEqual({
    email: 'ann@example.com',
    note: 'x'.repeat(1_022),
  });
  const proof = await proveInclusion(log.source, sequence, body.size);

  await keys.forget('ann');
  const [after] = await log.getEvents();
  expect(after).toEqual(before);
  expect(await keys.reveal(after?.details ?? {})).toEqual(before?.details);
  expect(await log.verify({ keys: [verifierKey] })).toMatchObject({ verdict: 'valid' });
  expect(checkInclusion(proof)).toBe(true);
  expect(await proveInclusion(log.source, sequence, body.size)).toEqual(proof);
});

describe('fileKeyStore', () => {
  it('keeps keys over a restart, for the owner only, without names of subjects', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'keys');
    let sealed = '';
    {
      await using store = fileKeyStore({ directory: path });
      sealed = await subjectKeys({ store }).seal('ann@example.com', 'secret');
    }
    await using store = fileKeyStore({ directory: path });
    const keys = subjectKeys({ store });
    expect(await keys.open(sealed)).toBe('secret');
    expect(statSync(path).mode & 0o777).toBe(0o700);
    const names = readdirSync(path);
    for (const name of names.filter((file) => /^(key-|subject-|secret)/.test(file))) {
      expect(statSync(join(path, name)).mode & 0o077, name).toBe(0);
      expect(name + readFileSync(join(path, name), 'utf8')).not.toContain('ann');
    }
    await keys.forget('ann@example.com');
    expect(readdirSync(path).filter((name) => /^(key-|subject-)/.test(name))).toEqual([]);
  });

  it('is used by one store at a time, and not after it was closed', async () => {
    using directory = temporaryDirectory();
    const one = fileKeyStore({ directory: directory.path });
    const other = fileKeyStore({ directory: directory.path });
    await one.current('ann');
    await expect(other.current('ann')).rejects.toMatchObject({ code: 'AUDIT_LOCKED' });
    await one.close();
    expect(await other.current('ann')).toBeUndefined();
    await expect(one.current('ann')).rejects.toThrow('has been closed');
    await other.close();
  });

  it('goes on after a destruction that was cut short, at either place', async () => {
    using directory = temporaryDirectory();
    const store = fileKeyStore({ directory: directory.path });
    const keys = subjectKeys({ store });
    const sealed = await keys.seal('ann', 'secret');
    const file = readdirSync(directory.path).find((name) => name.startsWith('key-')) ?? '';
    writeFileSync(join(directory.path, file), '0'.repeat(64));
    expect(await keys.open(sealed)).toBeUndefined();
    const again = await keys.seal('ann', 'secret 2');
    expect(await keys.open(again)).toBe('secret 2');
    expect(await keys.forget('ann')).toHaveLength(1);
    expect(await keys.open(again)).toBeUndefined();
    await store.close();
  });

  it('refuses damaged files and ids that are paths', async () => {
    using directory = temporaryDirectory();
    await using store = fileKeyStore({ directory: directory.path });
    expect(await store.find('../secret')).toBeUndefined();
    const sealed = await subjectKeys({ store }).seal('ann', 'secret');
    const file = readdirSync(directory.path).find((name) => name.startsWith('key-')) ?? '';
    writeFileSync(join(directory.path, file), 'abc');
    await expect(subjectKeys({ store }).open(sealed)).rejects.toThrow('damaged');
  });

  it.each([null, {}, { directory: '' }, { directory: 'x', misspelt: 1 }])(
    'refuses the options %j',
    (options) => {
      expect(() => fileKeyStore(options as never)).toThrow(TypeError);
    },
  );
});
