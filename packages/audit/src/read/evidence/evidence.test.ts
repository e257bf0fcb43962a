import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { ManualClock } from '@temper/testkit/clock';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TemporaryDirectory, temporaryDirectory } from '../../../test/temporary-directory.ts';
import { parseLine } from '../../chain/hash-chain.ts';
import { parseNote, signNote } from '../../chain/signed-note.ts';
import { generateSigningKey, noteSigner } from '../../chain/signing-key.ts';
import { auditLog } from '../../log/durable-log.ts';
import { memorySink } from '../../sinks/memory/memory-sink.ts';
import type { AuditSource } from '../../sinks/sink.ts';
import { cosigner } from '../../witness/cosignature.ts';
import { queryPage } from '../query.ts';
import { ARCHIVE_END, fileHeader, padding } from './archive.ts';
import { BundleSource } from './bundle-source.ts';
import { type BundleOptions, evidenceBundle } from './evidence-bundle.ts';
import { type BundleReport, type VerifyBundleOptions, verifyBundle } from './verify-bundle.ts';

const key = generateSigningKey('example.com/audit');
const other = generateSigningKey('example.com/audit');
const witnessKey = generateSigningKey('witness.example/w1');
const clock = new ManualClock(Date.parse('2026-11-24T12:00:00.000Z'));
const [EVENTS, COVERED] = [13, 12];

/** A log of 13 events with checkpoints over 5, 10 and 12 of them. */
async function written(capacity = 100): Promise<{ source: AuditSource; notes: string[] }> {
  const sink = memorySink({ capacity });
  const log = auditLog({
    clock,
    id: 'log-1',
    sinks: [sink],
    checkpoints: {
      signer: noteSigner(key.secretKey),
      everyEvents: 1_000,
      everyMs: Number.POSITIVE_INFINITY,
    },
  });
  const notes: string[] = [];
  for (let i = 1; i <= EVENTS; i++) {
    const input = { eventType: 'operation', action: `step ${i}`, resource: 'ü', status: 'success' };
    await log.append(input);
    if ([5, 10, COVERED].includes(i)) notes.push((await log.checkpoint()).note);
  }
  return { source: sink.source, notes };
}

async function cosigned(note: string, secretKey = witnessKey.secretKey): Promise<string> {
  const lines = await signNote(parseNote(note).text, [cosigner(secretKey, clock)]);
  return note + lines.slice(lines.lastIndexOf('\n\n') + 2);
}

let directory: TemporaryDirectory;
let path: string;
let next = 0;
beforeAll(() => {
  directory = temporaryDirectory();
});
afterAll(() => directory[Symbol.dispose]());

async function bytesOf(source: AuditSource, options?: BundleOptions): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of evidenceBundle(source, options)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function verified(bytes: Buffer, options?: VerifyBundleOptions): Promise<BundleReport> {
  path = join(directory.path, `${next++}.tgz`);
  writeFileSync(path, bytes);
  return verifyBundle(path, options);
}

const keys = [key.verifierKey];

describe('an evidence bundle', () => {
  it('verifies for every range, as far as a checkpoint covers it', async () => {
    const { source } = await written();
    for (let from = 1; from <= EVENTS; from++) {
      for (let to = from; to <= EVENTS; to++) {
        const bytes = await bytesOf(source, { from, to });
        const report = await verified(bytes, { keys });
        const of = `${from} to ${to}`;
        if (from > COVERED) expect(report.problem?.kind, of).toBe('unsigned');
        else expect(report.verdict, of).toBe(to <= COVERED ? 'valid' : 'unproven');
        if (from <= COVERED) expect([report.first, report.last]).toEqual([from, to]);
      }
    }
  });

  it('has the lines of the log, byte for byte, and is the same bytes each time', async () => {
    const { source } = await written();
    const bytes = await bytesOf(source, { from: 3, to: 7 });
    expect(await bytesOf(source, { from: 3, to: 7 })).toEqual(bytes);
    await verified(bytes);
    const lines: string[] = [];
    for await (const batch of source.read({ from: 3, to: 7 })) lines.push(...batch);
    const bundle = new BundleSource(path, 1e6);
    const found: string[] = [];
    for await (const batch of bundle.read({})) found.push(...batch);
    expect(found).toEqual(lines);
    const { events } = await queryPage(bundle, { limit: 2 });
    expect(events.map(({ sequence }) => sequence)).toEqual([7, 6]);
  });

  it('is not proven by what it says about itself', async () => {
    const { source } = await written();
    const bytes = await bytesOf(source, { from: 3, to: 7, keys });
    for (const options of [{}, { origin: 'example.com/audit' }, { log: 'log-1' }]) {
      const report = await verified(bytes, options);
      expect(report.verdict).toBe('unproven');
      expect(report.notShown).toContain(
        'No key and no checkpoint was given: the events may have been rewritten.',
      );
    }
  });

  it('is held to keys, origin and log of the verifier', async () => {
    const { source } = await written();
    const bytes = await bytesOf(source, { from: 3, to: 7, keys });
    const kindOf = async (options: VerifyBundleOptions): Promise<string | undefined> =>
      (await verified(bytes, options)).problem?.kind;
    expect(await kindOf({ keys: [other.verifierKey] })).toBe('unsigned');
    expect(await kindOf({ keys, origin: 'example.com/other' })).toBe('checkpoint');
    expect(await kindOf({ keys, log: 'log-2' })).toBe('foreign');
    expect((await verified(bytes, { keys, log: 'log-1' })).verdict).toBe('valid');
  });

  it('is held to a checkpoint of the verifier, if it has a proof to it', async () => {
    const { source, notes } = await written();
    const [five, ten, twelve] = notes as [string, string, string];
    const inside = await bytesOf(source, { from: 3, to: 7 });
    // Over 5 events: those up to 7 are not covered.
    expect((await verified(inside, { checkpoints: [five] })).verdict).toBe('unproven');
    expect((await verified(inside, { checkpoints: [ten] })).verdict).toBe('valid');
    expect((await verified(inside, { checkpoints: [twelve] })).verdict).toBe('valid');
    const after = await bytesOf(source, { from: 8, to: 9 });
    const unreached = await verified(after, { keys, checkpoints: [five] });
    expect(unreached.problem?.kind).toBe('unreachable');
    const reached = await bytesOf(source, { from: 8, to: 9, checkpoints: [five] });
    const report = await verified(reached, { keys, checkpoints: [five] });
    expect([report.verdict, report.checkpoints.covered]).toEqual(['valid', 12]);
    // An old checkpoint alone says nothing about later events.
    expect((await verified(reached, { checkpoints: [five] })).verdict).toBe('unproven');
  });

  it('fails a later checkpoint of the verifier that it has no proof to', async () => {
    const { source, notes } = await written();
    const short = { ...source, checkpoints: async () => (await source.checkpoints()).slice(0, 2) };
    const bytes = await bytesOf(
      { ...short, read: (range) => source.read(range), anchor: () => source.anchor() },
      { from: 3, to: 7 },
    );
    const report = await verified(bytes, { keys, checkpoints: [notes[2] as string] });
    expect(report.problem?.kind).toBe('truncated');
  });

  it('has the cosignatures of witnesses', async () => {
    const { source, notes } = await written();
    const { verifierKey } = cosigner(witnessKey.secretKey);
    const checkpoints = [await cosigned(notes[1] as string)];
    const options = { from: 3, to: 7, checkpoints, keys, witnessKeys: [verifierKey] };
    const bytes = await bytesOf(source, options);
    const report = await verified(bytes, { keys, witnessKeys: [verifierKey] });
    expect([report.verdict, report.witnessed]).toEqual(['valid', 10]);
    expect(report.cosignatures).toMatchObject([
      { witness: 'witness.example/w1', time: clock.now() },
    ]);
    const stranger = cosigner(other.secretKey).verifierKey;
    const two = { keys, witnessKeys: [verifierKey, stranger] };
    expect((await verified(bytes, two)).problem?.kind).toBe('unwitnessed');
    expect((await verified(bytes, { ...two, quorum: 1 })).verdict).toBe('valid');
    // Cosigned, but before the last event.
    const beyond = await bytesOf(source, { ...options, to: 11 });
    const uncovered = await verified(beyond, { keys, witnessKeys: [verifierKey] });
    expect(uncovered.problem?.kind).toBe('unwitnessed');
    await expect(verified(bytes, { witnessKeys: [verifierKey] })).rejects.toThrow(TypeError);
    await expect(verified(bytes, { ...two, quorum: 3 })).rejects.toThrow(RangeError);
  });

  it('begins after what retention has removed', async () => {
    const { source } = await written(8);
    const bytes = await bytesOf(source, { to: 9 });
    expect(await verified(bytes, { keys })).toMatchObject({ verdict: 'valid', first: 6, last: 9 });
    await expect(bytesOf(source, { from: 3 })).rejects.toThrow('those up to 5 were removed');
    await expect(bytesOf(source, { from: 9, to: 8 })).rejects.toThrow(RangeError);
    await expect(bytesOf(source, { to: 14 })).rejects.toThrow('The log ends at event 13');
  });

  it('is not made of a log that does not match its checkpoints', async () => {
    const { source } = await written();
    const lines: string[] = [];
    for await (const batch of source.read({})) lines.push(...batch);
    const swapped = lines.with(6, lines[7] as string).with(7, lines[6] as string);
    const changed = (forged: readonly string[]): AuditSource => ({
      name: 'changed',
      read: (range) => memorySink({ lines: forged }).source.read(range),
      anchor: async () => undefined,
      checkpoints: () => source.checkpoints(),
    });
    await expect(bytesOf(changed(swapped))).rejects.toMatchObject({ code: 'AUDIT_CORRUPT' });
    const rehashed = lines.with(
      6,
      (lines[6] as string).replace(parseLine(lines[6] as string).hash, 'a'.repeat(64)),
    );
    await expect(bytesOf(changed(rehashed))).rejects.toThrow('the checkpoint over 10 events');
    await expect(bytesOf(changed(lines.slice(0, 11)), { to: 4 })).rejects.toThrow('over 12 events');
  });
});

describe('a tampered bundle', () => {
  it('is invalid, whichever byte of its content is changed', { timeout: 120_000 }, async () => {
    const { source, notes } = await written();
    const options = { from: 6, to: 8, keys, checkpoints: [notes[0] as string] };
    const content = gunzipSync(await bytesOf(source, options));
    for (let at = 0; at < content.length; at += 17) {
      const changed = Buffer.from(content);
      changed[at] = (changed[at] as number) ^ 1;
      const report = await verified(gzipSync(changed), { keys });
      expect([at, report.verdict]).toEqual([at, 'invalid']);
    }
  });

  it('is invalid, whichever byte of the file is changed, or wherever it ends', async () => {
    const { source } = await written();
    const bytes = await bytesOf(source, { from: 6, to: 8, keys });
    const content = gunzipSync(bytes);
    const holdsTheSame = (changed: Buffer): boolean => {
      try {
        return gunzipSync(changed).equals(content);
      } catch {
        return false;
      }
    };
    for (let at = 0; at < bytes.length; at += 13) {
      if (at >= 4 && at <= 9) continue; // time and system of the compression
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ 0x80;
      // The bits that fill up the last byte of what is compressed say nothing.
      const expected = holdsTheSame(changed) ? 'valid' : 'invalid';
      expect([at, (await verified(changed, { keys })).verdict]).toEqual([at, expected]);
      const cut = await verified(bytes.subarray(0, at), { keys });
      expect([at, cut.verdict]).toEqual([at, 'invalid']);
    }
  });

  it('is invalid without an event at either end, or with one more', async () => {
    const { source } = await written();
    const of = async (from: number, to: number): Promise<Buffer[]> =>
      files(await bytesOf(source, { from, to }));
    const [manifest, events] = (await of(6, 8)) as [Buffer, Buffer];
    expect((await verified(archived(manifest, events), { keys })).verdict).toBe('valid');
    for (const [from, to] of [
      [7, 8],
      [6, 7],
      [5, 8],
      [6, 9],
      [7, 9],
    ] as const) {
      const [, others] = (await of(from, to)) as [Buffer, Buffer];
      expect((await verified(archived(manifest, others), { keys })).verdict).toBe('invalid');
    }
    expect((await verified(archived(manifest, Buffer.alloc(0)), { keys })).verdict).toBe('invalid');
  });

  it('is invalid with the proofs of another range, or without them', async () => {
    const { source } = await written();
    const [text, events] = files(await bytesOf(source, { from: 6, to: 8 })) as [Buffer, Buffer];
    const manifest = JSON.parse(text.toString());
    const [later] = files(await bytesOf(source, { from: 6, to: 9 })) as [Buffer];
    const { proofs } = JSON.parse(later.toString());
    for (const change of [{ proofs }, { proofs: [] }, { before: null }, { to: 9 }]) {
      const changed = Buffer.from(`${JSON.stringify({ ...manifest, ...change }, null, 1)}\n`);
      expect((await verified(archived(changed, events), { keys })).verdict).toBe('invalid');
    }
  });
});

/** The contents of the files of an archive. */
function files(bytes: Buffer): Buffer[] {
  const content = gunzipSync(bytes);
  const found: Buffer[] = [];
  for (let at = 0; content[at] !== 0; ) {
    const size = Number.parseInt(content.toString('latin1', at + 124, at + 135), 8);
    found.push(content.subarray(at + 512, at + 512 + size));
    at += 512 + size + padding(size).length;
  }
  return found;
}

function entry(
  name: string,
  content: Buffer,
  change: (header: Buffer) => void = () => undefined,
): Buffer {
  const header = fileHeader(name, content.length);
  change(header);
  header.write('        ', 148, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([header, content, padding(content.length)]);
}

function archived(manifest: Buffer, events: Buffer): Buffer {
  return gzipSync(
    Buffer.concat([entry('evidence.json', manifest), entry('events.jsonl', events), ARCHIVE_END]),
  );
}

describe('a hostile archive', () => {
  let manifest: Buffer;
  let events: Buffer;
  beforeAll(async () => {
    const { source } = await written();
    [manifest, events] = files(await bytesOf(source, { from: 6, to: 8 })) as [Buffer, Buffer];
  });

  const parts = (): Record<string, () => Buffer[]> => {
    const first = entry('evidence.json', manifest);
    const second = entry('events.jsonl', events);
    const kind = (flag: string) => (header: Buffer) => void header.write(flag, 156);
    return {
      'an empty one': () => [],
      'other names': () => [entry('../evidence.json', manifest), second],
      'an absolute name': () => [entry('/etc/passwd', manifest), second],
      'a symbolic link': () => [
        entry('evidence.json', manifest, (header) => {
          header.write('2', 156);
          header.write('/etc/passwd', 157);
        }),
        second,
      ],
      'a hard link': () => [entry('evidence.json', manifest, kind('1')), second],
      'a directory': () => [entry('evidence.json', Buffer.alloc(0), kind('5')), first, second],
      'a device': () => [entry('evidence.json', manifest, kind('3')), second],
      'an extended header': () => [
        entry('PaxHeader', Buffer.from('20 path=evidence\n'), kind('x')),
        first,
        second,
      ],
      'a long name': () => [
        entry('././@LongLink', Buffer.from('evidence.json'), kind('L')),
        first,
        second,
      ],
      'a repeated file': () => [first, first, second],
      'two files of events': () => [first, second, second],
      'the other order': () => [second, first],
      'a prefix of the name': () => [
        entry('evidence.json', manifest, (header) => void header.write('..', 345)),
        second,
      ],
      'a size of binary digits': () => [
        entry('evidence.json', manifest, (header) => void header.writeUInt8(0x80, 124)),
        second,
      ],
      'a wrong size': () => [
        entry('evidence.json', manifest, (header) => void header.write('77777777777', 124)),
        second,
      ],
      'a manifest of nested lists': () => [
        entry('evidence.json', Buffer.from('['.repeat(1e6))),
        second,
      ],
      'a manifest with a repeated field': () => [
        entry('evidence.json', Buffer.from(manifest.toString().replace('{', '{\n "log": "x",'))),
        second,
      ],
      'a manifest that is not UTF-8': () => [entry('evidence.json', Buffer.from([0xff])), second],
      'a manifest of another form': () => [
        entry('evidence.json', Buffer.from('{"format":"temper-audit evidence v1"}')),
        second,
      ],
      'a line without an end': () => [
        first,
        entry('events.jsonl', Buffer.alloc(5 * 1024 * 1024, 'x')),
      ],
      'empty lines': () => [first, entry('events.jsonl', Buffer.alloc(10_000, '\n'))],
      'something after its end': () => [first, second, ARCHIVE_END, first],
    };
  };

  it('is refused, whatever it does, and nothing of it is written', async () => {
    for (const [name, make] of Object.entries(parts())) {
      const report = await verified(gzipSync(Buffer.concat([...make(), ARCHIVE_END])), { keys });
      expect([name, report.problem?.kind === undefined, report.verdict]).toEqual([
        name,
        false,
        'invalid',
      ]);
    }
    expect(existsSync(join(directory.path, 'evidence.json'))).toBe(false);
  });

  it('is refused when it is larger than allowed, before it is read', async () => {
    const zeros = Buffer.alloc(8 * 1024 * 1024);
    const bomb = gzipSync(
      Buffer.concat([entry('evidence.json', manifest), entry('events.jsonl', zeros)]),
    );
    expect(bomb.length).toBeLessThan(20_000);
    const report = await verified(bomb, { keys, maxBytes: 100_000 });
    expect(report.problem?.message).toContain('more than 100000 bytes');
    const announced = fileHeader('evidence.json', 17 * 1024 * 1024);
    const large = await verified(gzipSync(announced), { keys });
    expect(large.problem?.message).toContain('its manifest is too large');
  });

  it('is opened by tar', async () => {
    const { source } = await written();
    const bytes = await bytesOf(source, { from: 6, to: 8 });
    await verified(bytes);
    let listed: string;
    try {
      listed = execFileSync('tar', ['-tzf', path]).toString();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return; // no tar here
      throw error;
    }
    expect(listed).toBe('evidence.json\nevents.jsonl\n');
    const extracted = execFileSync('tar', ['-xzOf', path, 'events.jsonl']);
    expect(extracted.toString()).toBe(files(bytes)[1]?.toString());
  });
});
