import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { ManualClock } from '@temper/testkit';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FaultyFiles } from '../../../test/faulty-files.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../../../test/temporary-directory.ts';
import type { AuditEvent, AuditEventInput } from '../../chain/event.ts';
import { generateSigningKey, noteSigner } from '../../chain/signing-key.ts';
import type { AuditLog } from '../../log/audit-log.ts';
import { auditLog } from '../../log/durable-log.ts';
import type { AuditLogOptions } from '../../log/options.ts';
import { queryPage } from '../../read/query.ts';
import { verifyLog } from '../../read/verify.ts';
import type { VerifyOptions } from '../../read/verify-report.ts';
import { memorySink } from '../memory/memory-sink.ts';
import { fileSink } from './file-sink.ts';
import type { FileSinkOptions } from './file-sink-options.ts';
import { FileSource } from './file-source.ts';

let directory: TemporaryDirectory;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory[Symbol.dispose]());

const event = (action: string, details?: object): AuditEventInput => ({
  eventType: 'operation',
  action,
  resource: 'r',
  status: 'success',
  details,
});

const openLogs: AuditLog[] = [];
afterEach(async () => {
  for (const log of openLogs.splice(0)) await log.close().catch(() => undefined);
});

function open(
  options: Omit<FileSinkOptions, 'directory'> = {},
  more: AuditLogOptions = {},
): AuditLog {
  const log = auditLog({
    sinks: [fileSink({ directory: directory.path, ...options })],
    sinkRetryMs: 0,
    ...more,
  });
  openLogs.push(log);
  return log;
}

const names = (): string[] =>
  readdirSync(directory.path).filter((name) => /^\d{20}\.jsonl/.test(name));
const segment = (first: number): string =>
  join(directory.path, `${String(first).padStart(20, '0')}.jsonl`);
const source = (): FileSource => new FileSource(directory.path);

async function verified(options: VerifyOptions = {}): Promise<number> {
  const report = await verifyLog(source(), options);
  expect(report.problem).toBeUndefined();
  return report.last;
}

async function actions(): Promise<string[]> {
  const found: string[] = [];
  for await (const lines of source().read({}))
    found.push(...lines.map((line) => (JSON.parse(line) as AuditEvent).action));
  return found;
}

describe('fileSink', { timeout: 180_000 }, () => {
  it('writes one line of canonical JSON per event, readable by its owner only', async () => {
    const log = open();
    const written = await log.append(event('one', { n: 1 }));
    await log.close();
    const text = readFileSync(segment(1), 'utf8');
    expect(text.endsWith('}\n')).toBe(true);
    expect(JSON.parse(text)).toEqual(written);
    expect(statSync(segment(1)).mode & 0o777).toBe(0o600);
  });

  it('writes concurrent events with one write and one sync', async () => {
    const files = new FaultyFiles();
    const log = open({ files });
    await log.ready();
    files.calls.length = 0;
    await Promise.all(Array.from({ length: 100 }, (_, i) => log.append(event(`n${i}`))));
    // The last one reads whether another writer has opened the log.
    expect(files.calls).toEqual(['append', 'sync', 'openToRead']);
  });

  it('continues the chain after reopening', async () => {
    for (let i = 1; i <= 5; i++) {
      const log = open();
      expect(await log.append(event(`n${i}`))).toMatchObject({ sequence: i });
      await log.close();
    }
    expect(await verified()).toBe(5);
  });

  it('rejects a second writer, also in the same process, and allows readers', async () => {
    const first = open();
    await first.append(event('one'));
    const second = open({}, { name: 'second' });
    await expect(second.ready()).rejects.toMatchObject({
      code: 'AUDIT_UNAVAILABLE',
      cause: { code: 'AUDIT_LOCKED', location: directory.path },
    });
    expect(await verified()).toBe(1);
    await first.close();
    expect(await second.append(event('two'))).toMatchObject({ sequence: 2 });
  });

  it.each([
    ['a missing directory', {}, 'directory must be a non-empty string'],
    [
      'a too small maxSegmentBytes',
      { directory: 'x', maxSegmentBytes: 10 },
      'maxSegmentBytes must be an integer from 1024',
    ],
    ['maxSegments: 1', { directory: 'x', maxSegments: 1 }, 'maxSegments must be an integer >= 2'],
    ['a misspelt option', { directory: 'x', maxAge: 1 }, "unknown option 'maxAge'"],
  ])('rejects %s', (_, options, message) => {
    expect(() => fileSink(options as FileSinkOptions)).toThrow(message);
  });
});

describe('rotation', { timeout: 180_000 }, () => {
  it('starts a new file at maxSegmentBytes and compresses the old one', async () => {
    const log = open({ maxSegmentBytes: 1_024 });
    for (let i = 1; i <= 20; i++) await log.append(event(`n${i}`, { fill: 'x'.repeat(200) }));
    await log.close();
    expect(names().length).toBeGreaterThan(3);
    expect(
      names()
        .slice(0, -1)
        .every((name) => name.endsWith('.gz')),
    ).toBe(true);
    expect(names().at(-1)?.endsWith('.jsonl')).toBe(true);
    const [first] = names();
    const [line] = gunzipSync(readFileSync(join(directory.path, first as string)))
      .toString()
      .split('\n');
    expect(JSON.parse(line as string)).toMatchObject({ sequence: 1 });
    expect(await actions()).toEqual(Array.from({ length: 20 }, (_, i) => `n${i + 1}`));
    expect(await verified()).toBe(20);
  });

  it('starts a new file at maxSegmentAgeMs', async () => {
    const clock = new ManualClock();
    const log = open({ clock, gzip: false, maxSegmentAgeMs: 60_000 }, { clock });
    await log.append(event('one'));
    await clock.advance(59_999);
    await log.append(event('two'));
    expect(names()).toHaveLength(1);
    await clock.advance(1);
    await log.append(event('three'));
    expect(names()).toHaveLength(2);
    await log.close();
    const again = open({ clock, gzip: false, maxSegmentAgeMs: 60_000 }, { clock });
    await clock.advance(59_999);
    await again.append(event('four'));
    expect(names()).toHaveLength(2);
    await clock.advance(1);
    await again.append(event('five'));
    expect(names()).toHaveLength(3);
  });

  it('continues from a compressed last file, an empty file and an interrupted compression', async () => {
    const log = open({ maxSegmentBytes: 1_024, gzip: false });
    for (let i = 1; i <= 10; i++) await log.append(event(`n${i}`, { fill: 'x'.repeat(400) }));
    await log.close();
    // Plain and compressed file of a segment, as after a crash before the plain one was removed, and a
    // partly written file.
    const first = segment(1);
    const half = join(directory.path, '.temper-00000000-0000-4000-8000-000000000000.tmp');
    writeFileSync(`${first}.gz`, gzipSync(readFileSync(first)));
    writeFileSync(half, 'half');
    writeFileSync(segment(11), '');
    const again = open({ maxSegmentBytes: 1_024 });
    for (let i = 11; i <= 14; i++) {
      const { sequence } = await again.append(event(`n${i}`, { fill: 'x'.repeat(400) }));
      expect(sequence).toBe(i);
    }
    await again.close();
    expect(existsSync(first)).toBe(false); // removed with the next rotation
    expect(existsSync(`${first}.gz`)).toBe(true);
    expect(existsSync(half)).toBe(false);
    expect(await verified()).toBe(14);
  });

  it('reads any range in both directions across plain and compressed files', async () => {
    const log = open({ maxSegmentBytes: 2_048 });
    for (let i = 1; i <= 40; i++) log.record(event(`n${i}`, { fill: 'ü'.repeat(i * 5) }));
    for (let i = 41; i <= 60; i++) await log.append(event(`n${i}`, { fill: 'x'.repeat(150) }));
    await log.close();
    const range = fc.integer({ min: 1, max: 60 });
    await fc.assert(
      fc.asyncProperty(range, range, fc.boolean(), async (a, b, reverse) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const found: number[] = [];
        for await (const lines of source().read({ from, to, reverse })) {
          found.push(...lines.map((line) => (JSON.parse(line) as AuditEvent).sequence));
        }
        const expected = Array.from({ length: to - from + 1 }, (_, i) => from + i);
        expect(found).toEqual(reverse ? expected.reverse() : expected);
      }),
      { numRuns: 40 },
    );
  });
});

describe('retention', { timeout: 180_000 }, () => {
  const key = generateSigningKey('log');

  it('removes the oldest files beyond maxSegments and keeps the log verifiable', async () => {
    const clock = new ManualClock();
    const checkpoints = { signer: noteSigner(key.secretKey), everyEvents: 5 };
    const everything = memorySink();
    const file = fileSink({
      directory: directory.path,
      maxSegmentBytes: 1_024,
      maxSegments: 3,
      clock,
    });
    const log = auditLog({ sinks: [file, everything], checkpoints, clock });
    for (let i = 1; i <= 40; i++) await log.append(event(`n${i}`, { fill: 'x'.repeat(300) }));
    const { note } = await log.checkpoint();
    await log.close();
    expect(names().length).toBeLessThanOrEqual(4);
    const report = await verifyLog(source(), { keys: [key.verifierKey], checkpoints: [note] });
    expect(report.problem).toBeUndefined();
    expect(report.first).toBeGreaterThan(10);
    expect(report.anchor).toMatchObject({ sequence: report.first - 1 });
    expect(report.checkpoints.trusted).toBeGreaterThan(1);
    const said = await queryPage(everything.source, { action: 'retire', order: 'asc' });
    expect(said.events.length).toBeGreaterThan(0);
    expect(said.events[0]?.details).toMatchObject({ sink: 'file', from: 1 });
    const again = open({ maxSegmentBytes: 1_024, maxSegments: 3, clock }, { checkpoints, clock });
    const next = await again.append(event('after'));
    await again.checkpoint();
    await again.close();
    expect(next.sequence).toBe(report.last + 1);
    // The statement of another removal may follow.
    expect(await verified({ keys: [key.verifierKey] })).toBeGreaterThanOrEqual(next.sequence);
  });

  it('removes only files whose events are all older than maxAgeMs', async () => {
    const clock = new ManualClock();
    const log = open({ maxSegmentAgeMs: 1_000, maxAgeMs: 10_000, clock, gzip: false }, { clock });
    for (let i = 0; i < 30; i++) {
      await log.append(event(`n${i}`));
      await clock.advance(1_000);
    }
    await log.close();
    const [oldest] = await actions();
    const kept = await actions();
    expect(kept.length).toBeGreaterThanOrEqual(11);
    expect(kept.length).toBeLessThan(40);
    expect(oldest).toMatch(/^n1[5-9]$/);
    expect(await verified()).toBeGreaterThan(30);
  });

  it('detects a forged anchor that hides a removed beginning', async () => {
    const checkpoints = { signer: noteSigner(key.secretKey), everyEvents: 5 };
    const log = open({ maxSegmentBytes: 1_024, gzip: false }, { checkpoints });
    for (let i = 1; i <= 20; i++) await log.append(event(`n${i}`, { fill: 'x'.repeat(300) }));
    await log.close();
    const all = names();
    const { rmSync } = await import('node:fs');
    const second = all[1] as string;
    const [line] = readFileSync(join(directory.path, second), 'utf8').split('\n');
    const { prev, sequence, log: id } = JSON.parse(line as string) as AuditEvent;
    rmSync(join(directory.path, all[0] as string));
    const frontier = Array.from(
      { length: (sequence - 1).toString(2).replaceAll('0', '').length },
      () => 'ab'.repeat(32),
    );
    writeFileSync(
      join(directory.path, 'anchor.json'),
      JSON.stringify({ sequence: sequence - 1, hash: prev, log: id, frontier }),
    );
    const report = await verifyLog(source(), { keys: [key.verifierKey] });
    expect(report.problem).toMatchObject({ kind: 'rewritten' });
  });
});
