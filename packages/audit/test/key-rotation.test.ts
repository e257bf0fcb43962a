import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../src/chain/checkpoint.ts';
import { parseLine } from '../src/chain/hash-chain.ts';
import { rotationDetails } from '../src/chain/key-rotation.ts';
import {
  generateSigningKey,
  type NoteSigner,
  noteSigner,
  noteVerifier,
} from '../src/chain/signing-key.ts';
import { run } from '../src/cli/run.ts';
import type { AuditLog } from '../src/log/audit-log.ts';
import { auditLog } from '../src/log/durable-log.ts';
import { Intake } from '../src/log/intake/intake.ts';
import { Redactor } from '../src/log/intake/redaction.ts';
import { DEFAULT_LIMITS } from '../src/log/options.ts';
import { evidenceBundle } from '../src/read/evidence/evidence-bundle.ts';
import { verifyBundle } from '../src/read/evidence/verify-bundle.ts';
import { verifyLog } from '../src/read/verify.ts';
import type { VerifyOptions, VerifyReport } from '../src/read/verify-report.ts';
import { inFiles, rewritten, type Store, signed, tableRows } from './open-store.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const [first, second, third, stolen] = [1, 2, 3, 4].map(() =>
  generateSigningKey('example.com/audit'),
) as [Pair, Pair, Pair, Pair];
type Pair = ReturnType<typeof generateSigningKey>;

const intake = new Intake({
  now: () => 1_700_000_000_000,
  activeSpan: () => undefined,
  redactor: new Redactor({ rules: [] }),
  limits: DEFAULT_LIMITS,
});

function open(store: Store, signer: NoteSigner): AuditLog {
  return auditLog({
    sinks: [store.sink()],
    checkpoints: { signer, everyMs: Number.POSITIVE_INFINITY },
  });
}

async function append(log: AuditLog, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await log.append({ eventType: 'o', action: `step ${i}`, resource: 'r', status: 's' });
  }
}

/** Four events, the statement (5), five events that the second key has signed. */
async function rotatedLog(store: Store): Promise<{ last: string; joint: string }> {
  const log = open(store, noteSigner(first.secretKey));
  await append(log, 4);
  await log.checkpoint();
  const joint = (await log.rotateKey(noteSigner(second.secretKey))).note;
  await append(log, 5);
  const last = (await log.checkpoint()).note;
  await log.close();
  return { last, joint };
}

async function contents(store: Store) {
  const source = store.source();
  const lines: string[] = [];
  for await (const batch of source.read({})) lines.push(...batch);
  const checkpoints = [...(await source.checkpoints())];
  await source.close?.();
  return { lines, checkpoints };
}

async function verified(store: Store, options: VerifyOptions): Promise<VerifyReport> {
  const source = store.source();
  const report = await verifyLog(source, options);
  await source.close?.();
  return report;
}

/** An event of the log itself that the adversary makes. */
function forged(head: string, details: object): string {
  const own = {
    eventType: 'audit',
    action: 'rotate',
    resource: 'audit',
    status: 'success',
    details,
  };
  return intake.prepare(own).seal(parseLine(head)).line;
}

describe('a rotated key', () => {
  it('is followed from statement to statement, and the checkpoint between has both signatures', async () => {
    using directory = temporaryDirectory();
    const store = inFiles(directory.path);
    const { joint, last } = await rotatedLog(store);
    for (const { verifierKey } of [first, second])
      openCheckpoint(joint, [noteVerifier(verifierKey)]);
    expect(() => openCheckpoint(last, [noteVerifier(first.verifierKey)])).toThrow('No known key');
    const again = open(store, noteSigner(second.secretKey));
    await again.rotateKey(noteSigner(third.secretKey));
    await append(again, 2);
    await again.close();
    const report = await verified(store, { keys: [first.verifierKey], checkpoints: [last] });
    expect(report).toMatchObject({ verdict: 'valid', events: 13, checkpoints: { covered: 13 } });
    expect(report.replacedKeys).toEqual([first.verifierKey, second.verifierKey]);
  });

  it('is vouched for by the next key alone, and the report says so', async () => {
    using directory = temporaryDirectory();
    const store = inFiles(directory.path);
    await rotatedLog(store);
    const report = await verified(store, { keys: [second.verifierKey] });
    expect(report).toMatchObject({ verdict: 'valid', checkpoints: { covered: 10 } });
    expect(report.notShown.join()).toContain('replaces by event 5 was not given');
  });

  it('signs nothing after a restart', async () => {
    using directory = temporaryDirectory();
    const store = inFiles(directory.path);
    await rotatedLog(store);
    const log = open(store, noteSigner(first.secretKey));
    await append(log, 1);
    await expect(log.checkpoint()).rejects.toThrow('event 5 has replaced the key');
    await log.close().catch(() => undefined);
  });

  it('signs no statement that is not completed, and completes it after a restart', async () => {
    using directory = temporaryDirectory();
    const store = inFiles(directory.path);
    let broken = false;
    const present = noteSigner(first.secretKey);
    const failing: NoteSigner = {
      ...present,
      sign: (data) => {
        if (broken && Buffer.from(data).includes('audit\n2\n')) throw new Error('no power');
        return present.sign(data);
      },
    };
    const log = open(store, failing);
    await append(log, 1);
    await log.checkpoint();
    broken = true;
    await expect(log.rotateKey(noteSigner(second.secretKey))).rejects.toThrow('no power');
    await log.close().catch(() => undefined);
    const again = open(store, present);
    await append(again, 1);
    await expect(again.checkpoint()).rejects.toThrow('event 2 replaces the key');
    await again.rotateKey(noteSigner(third.secretKey));
    await again.close();
    const report = await verified(store, { keys: [first.verifierKey] });
    expect(report).toMatchObject({ verdict: 'valid', checkpoints: { covered: 4 } });
    const unused = await verified(store, { keys: [second.verifierKey], requireCheckpoint: false });
    expect(unused.checkpoints.trusted).toBe(0);
  });

  it('is replaced in the process that failed to sign with it', async () => {
    using directory = temporaryDirectory();
    const store = inFiles(directory.path);
    let broken = true;
    const next = noteSigner(second.secretKey);
    const failing: NoteSigner = {
      ...next,
      sign: (data) => {
        if (broken && !Buffer.from(data).includes('rotate')) throw new Error('no power');
        return next.sign(data);
      },
    };
    const log = open(store, noteSigner(first.secretKey));
    await append(log, 1);
    await expect(log.rotateKey(failing)).rejects.toThrow('no power');
    broken = false;
    await append(log, 1);
    const { note } = await log.checkpoint();
    openCheckpoint(note, [noteVerifier(second.verifierKey)]);
    await log.close();
    const report = await verified(store, { keys: [first.verifierKey] });
    expect(report).toMatchObject({ verdict: 'valid', events: 3, checkpoints: { covered: 3 } });
  });

  it.each([
    ['its own key', first],
    ['a key of another name', generateSigningKey('example.com/other')],
  ])('is not replaced by %s', async (_, { secretKey }) => {
    using directory = temporaryDirectory();
    const log = open(inFiles(directory.path), noteSigner(first.secretKey));
    await expect(log.rotateKey(noteSigner(secretKey))).rejects.toThrow('must have another key');
    await log.close();
  });

  it('signs nothing on the command line', async () => {
    using directory = temporaryDirectory();
    const store = inFiles(directory.path);
    await rotatedLog(store);
    const key = join(directory.path, 'key');
    const written: string[] = [];
    const write = async (text: string): Promise<void> => void written.push(text);
    const io = { stdout: { write }, stderr: { write }, env: {}, signal: undefined };
    writeFileSync(key, first.secretKey);
    const args = ['checkpoint', join(directory.path, 'log'), '--sign', '--key-file', key];
    expect(await run(args, io as never)).toBe(1);
    expect(written.join('')).toContain('this key is replaced');
  });

  it('is followed in an evidence bundle, which is refused if no given key covers it', async () => {
    using directory = temporaryDirectory();
    const store = inFiles(directory.path);
    await rotatedLog(store);
    const source = store.source();
    const bundle = async (keys: readonly string[]): Promise<string> => {
      const parts: Uint8Array[] = [];
      for await (const part of evidenceBundle(source, { from: 3, keys })) parts.push(part);
      const path = join(directory.path, 'bundle.tgz');
      writeFileSync(path, Buffer.concat(parts));
      return path;
    };
    await expect(bundle([first.verifierKey])).rejects.toThrow('event 5 replaces one by');
    const path = await bundle([first.verifierKey, second.verifierKey]);
    const report = await verifyBundle(path, { keys: [first.verifierKey] });
    expect(report).toMatchObject({ verdict: 'valid', checkpoints: { covered: 10 } });
    await source.close?.();
  });

  it('is not followed to a given checkpoint of a key that nothing states', async () => {
    using directory = temporaryDirectory();
    const store = inFiles(directory.path);
    await rotatedLog(store);
    const { lines } = await contents(store);
    const { note } = await signed(lines.slice(0, 9), stolen.secretKey);
    const report = await verified(store, { keys: [first.verifierKey], checkpoints: [note] });
    expect(report.problem).toMatchObject({ kind: 'checkpoint', sequence: 9 });
  });

  it('is not replaced by a statement that the disk alone has made, and a verification says so', async () => {
    using directory = temporaryDirectory();
    const store = inFiles(directory.path);
    const log = open(store, noteSigner(first.secretKey));
    await append(log, 2);
    await log.close();
    const { lines, checkpoints } = await contents(store);
    const thief = noteSigner(stolen.secretKey);
    const { to, note } = await rotationDetails(
      parseLine(lines[0] as string).log,
      thief,
      noteSigner(third.secretKey),
    );
    const planted = forged(lines[1] as string, { from: first.verifierKey, to, note });
    store.replace({ lines: [...lines, planted], checkpoints });
    const again = open(store, noteSigner(first.secretKey));
    await append(again, 1);
    await again.close(); // signs, as with other events that were planted after the last checkpoint
    const report = await verified(store, { keys: [first.verifierKey] });
    expect(report.problem).toMatchObject({ kind: 'rotation', sequence: 3 });
  });
});

type Attack = (
  lines: readonly string[],
) => Promise<{ lines: readonly string[]; sign: 'fitting' | string }>;

/** A statement of the first key that the adversary's replaces it. */
const stolenDetails = ([line]: readonly string[]): ReturnType<typeof rotationDetails> =>
  rotationDetails(
    parseLine(line as string).log,
    noteSigner(first.secretKey),
    noteSigner(stolen.secretKey),
  );

/** What an adversary with the disk and the first key, which was replaced, does. */
const ATTACKS: Readonly<Record<string, Attack>> = {
  'removes the statement': async (lines) => ({ lines: lines.toSpliced(4, 1), sign: 'fitting' }),
  'alters the statement': async (lines) => ({
    lines: lines.with(4, (lines[4] as string).replace(second.verifierKey, stolen.verifierKey)),
    sign: 'fitting',
  }),
  'signs other events after the statement with the old key': async (lines) => ({
    lines: rewritten(lines, 6),
    sign: first.secretKey,
  }),
  'removes the checkpoints over the statement and signs with the old key': async (lines) => ({
    lines: rewritten(lines, 5),
    sign: `alone ${first.secretKey}`,
  }),
  'states after it that the old key is replaced by another one': async (lines) => {
    const kept = lines.slice(0, 5);
    const all = [...kept, forged(kept[4] as string, await stolenDetails(lines))];
    return { lines: rewritten(all, 6, 9), sign: stolen.secretKey };
  },
  'cuts off the statement and signs with the old key': async (lines) => ({
    lines: rewritten(lines, 4),
    sign: first.secretKey,
  }),
  'cuts off the statement and replaces the old key by another one': async (lines) => {
    const kept = lines.slice(0, 4);
    const all = [...kept, forged(kept[3] as string, await stolenDetails(lines))];
    return { lines: rewritten(all, 5, 9), sign: `both ${stolen.secretKey}` };
  },
};

const HELD: Readonly<Record<string, (last: string) => VerifyOptions>> = {
  'the first key': () => ({ keys: [first.verifierKey] }),
  'the key in force': () => ({ keys: [second.verifierKey] }),
  'the first key and the last checkpoint': (last) => ({
    keys: [first.verifierKey],
    checkpoints: [last],
  }),
};

describe('a log whose key was replaced', () => {
  const rows = tableRows('the adversary has a replaced key');

  it.each(Object.entries(ATTACKS))(
    'is verified as the README says when somebody %s',
    async (name, attack) => {
      const answers: string[] = [];
      for (const held of Object.values(HELD)) {
        using directory = temporaryDirectory();
        const store = inFiles(directory.path);
        const { last } = await rotatedLog(store);
        const found = await contents(store);
        const { lines, sign } = await attack(found.lines);
        const checkpoints = [];
        for (const one of found.checkpoints) {
          if (one.size > lines.length || (sign.startsWith('alone ') && one.size > 4)) continue;
          const own = await signed(lines.slice(0, one.size), first.secretKey).catch(
            () => undefined,
          );
          if (own?.note.split('\n')[2] === one.note.split('\n')[2]) checkpoints.push(one);
        }
        if (sign !== 'fitting') {
          if (sign.startsWith('both ')) {
            const mine = await signed(lines.slice(0, 6), first.secretKey);
            const other = await signed(lines.slice(0, 6), stolen.secretKey);
            checkpoints.push({ ...mine, note: `${mine.note}${other.note.split('\n\n')[1]}` });
          }
          checkpoints.push(await signed(lines, sign.replace(/^(both|alone) /, '')));
        }
        store.replace({ lines, checkpoints });
        const result = await verified(store, held(last)).catch((error: unknown) => {
          if (error instanceof TypeError) return { verdict: 'refused' };
          throw error;
        });
        answers.push(result.verdict === 'valid' ? '**valid**' : result.verdict);
      }
      expect(rows.find(([row]) => row === name)?.slice(1)).toEqual(answers);
    },
  );

  it('is a table with every attack', () => {
    expect(rows[0]?.slice(1)).toEqual(Object.keys(HELD));
    expect(rows.slice(2).map(([name]) => name)).toEqual(Object.keys(ATTACKS));
  });
});
