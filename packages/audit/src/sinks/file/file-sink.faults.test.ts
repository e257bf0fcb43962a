import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FaultyFiles, type FileOperation, systemError } from '../../../test/faulty-files.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../../../test/temporary-directory.ts';
import type { AuditEvent, AuditEventInput } from '../../chain/event.ts';
import { generateSigningKey, noteSigner } from '../../chain/signing-key.ts';
import type { AuditLog } from '../../log/audit-log.ts';
import { auditLog } from '../../log/durable-log.ts';
import type { AuditLogOptions } from '../../log/options.ts';
import { verifyLog } from '../../read/verify.ts';
import type { VerifyOptions } from '../../read/verify-report.ts';
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
    sinkTimeoutMs: 120_000, // a busy machine compresses slowly
    ...more,
  });
  openLogs.push(log);
  return log;
}

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

describe('fileSink after a torn write', { timeout: 180_000 }, () => {
  const COUNT = 5;

  async function written(): Promise<Buffer> {
    const log = open();
    for (let i = 1; i <= COUNT; i++) await log.append(event(`n${i}`));
    await log.close();
    return readFileSync(segment(1));
  }

  it('truncates an event torn at any byte, reports it and logs it', async () => {
    const whole = await written();
    const ends = [...whole.entries()].filter(([, byte]) => byte === 0x0a).map(([at]) => at + 1);
    const from = ends[COUNT - 2] as number;
    // All bytes near both ends of the last event, and some between and before them.
    const span = whole.length - from;
    const offsets = Array.from({ length: span }, (_, i) => i);
    const chosen = offsets.filter((i) => i < 12 || i > span - 12 || i % 9 === 0);
    const cuts = [...chosen.map((i) => from + i), 0, 1, 300];
    for (const cut of cuts) {
      writeFileSync(segment(1), whole.subarray(0, cut));
      // An event that lacks only its newline is complete.
      const kept = ends.filter((end) => end - 1 <= cut).length;
      const tornBytes = Math.max(0, cut - (ends[kept - 1] ?? 0));
      const log = open();
      const { recovered, sequence } = await log.ready();
      expect(sequence).toBe(kept);
      const expected = tornBytes > 0 ? [{ tornBytes, location: segment(1), sink: 'file' }] : [];
      expect(recovered).toEqual(expected);
      await log.append(event('after'));
      await log.close();
      const found = await actions();
      expect(found.slice(kept)).toEqual(tornBytes > 0 ? ['recover', 'after'] : ['after']);
      await verified();
    }
  });

  it('truncates blocks of zeros at the end of the file', async () => {
    const whole = await written();
    writeFileSync(
      segment(1),
      Buffer.concat([whole, Buffer.alloc(5_000), Buffer.from('tail of a line\n')]),
    );
    const log = open();
    expect((await log.ready()).recovered).toMatchObject([{ tornBytes: 5_015 }]);
    await log.close();
    await verified();
  });

  it('rejects a complete last line that does not match its hash', async () => {
    const whole = (await written()).toString();
    writeFileSync(segment(1), whole.replace('"action":"n5"', '"action":"n6"'));
    const log = open();
    await expect(log.ready()).rejects.toMatchObject({
      cause: { code: 'AUDIT_CORRUPT', sequence: 5 },
    });
    await log.close().catch(() => undefined);
    writeFileSync(segment(1), `${whole}not an event\n`);
    await expect(open().ready()).rejects.toMatchObject({ cause: { code: 'AUDIT_CORRUPT' } });
  });

  it('skips a torn line when reading', async () => {
    await written();
    appendFileSync(segment(1), '{"action":"half');
    expect(await verified()).toBe(COUNT);
    expect((await actions()).length).toBe(COUNT);
  });

  it('ignores a torn line in the checkpoint file', async () => {
    const key = generateSigningKey('log');
    const checkpoints = { signer: noteSigner(key.secretKey) };
    const log = open({}, { checkpoints });
    await log.append(event('one'));
    await log.checkpoint();
    await log.close();
    const path = join(directory.path, 'checkpoints.jsonl');
    appendFileSync(path, '{"size":9,"no');
    const again = open({}, { checkpoints });
    await again.append(event('two'));
    await again.checkpoint();
    await again.close();
    expect((await source().checkpoints()).map(({ size }) => size)).toEqual([1, 2]);
    expect(await verified({ keys: [key.verifierKey] })).toBe(2);
  });
});

describe('fileSink with failing file operations', { timeout: 180_000 }, () => {
  it.each([
    ['a full disk', 'append', systemError('ENOSPC'), 0],
    ['a disk that fills up within a line', 'append', systemError('ENOSPC'), 100],
    ['a disk that fills up after some complete lines', 'append', systemError('EDQUOT'), 700],
    ['a failing sync', 'sync', systemError('EIO'), 0],
  ] as const)(
    'rejects on %s, keeps a valid log, and loses or duplicates nothing afterwards',
    async (_, operation, error, partial) => {
      const files = new FaultyFiles();
      files.partial = partial;
      const log = open({ files });
      const before = await Promise.all(['a', 'b', 'c'].map((action) => log.append(event(action))));
      let broken = true;
      files.fault = (what) => (broken && what === operation ? error : undefined);
      const refused = await Promise.allSettled(
        ['d', 'e', 'f'].map((action) => log.append(event(action))),
      );
      expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
      await expect(log.append(event('g'))).rejects.toMatchObject({
        code: 'AUDIT_UNAVAILABLE',
        cause: error,
      });
      await verified();
      broken = false;
      await verified();
      const after = await log.append(event('h'));
      await log.close();
      expect(await actions()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'account', 'h']);
      expect(await verified()).toBe(8);
      expect([...before, after].map(({ sequence }) => sequence)).toEqual([1, 2, 3, 8]);
    },
  );

  it('discards bytes that a failed sync left in the file', async () => {
    const files = new FaultyFiles();
    const log = open({ files });
    await log.append(event('a'));
    files.fault = (what) =>
      what === 'sync' || what === 'truncate' ? systemError('EIO') : undefined;
    await expect(log.append(event('b'))).rejects.toThrow('EIO');
    await expect(log.append(event('c'))).rejects.toThrow('EIO');
    files.fault = () => undefined;
    files.calls.length = 0;
    await log.append(event('d'));
    expect(files.calls.slice(0, 3)).toEqual(['openToRead', 'truncate', 'sync']);
    expect(await actions()).toEqual(['a', 'b', 'account', 'd']);
    await verified();
  });

  it.each<FileOperation>([
    'create',
    'syncDirectory',
    'openToAppend',
    'openToRead',
    'append',
    'sync',
    'truncate',
    'rename',
    'remove',
  ])(
    'loses no acknowledged event when %s fails during rotation, compression and retention',
    async (operation) => {
      const files = new FaultyFiles();
      const log = open({ files, maxSegmentBytes: 1_024, maxSegments: 3 });
      await log.ready();
      const acknowledged: number[] = [];
      for (let i = 1; i <= 60; i++) {
        let armed = i % 7 === 0;
        files.fault = (what) => {
          if (what !== operation || !armed) return undefined;
          armed = false;
          return systemError('EIO');
        };
        await log.append(event(`n${i}`, { fill: 'x'.repeat(300) })).then(
          ({ sequence }) => acknowledged.push(sequence),
          () => undefined,
        );
      }
      files.fault = () => undefined;
      await log.append(event('last'));
      await log.close();
      const last = await verified();
      expect(last).toBeGreaterThanOrEqual(acknowledged.at(-1) as number);
      const anchor = (await source().anchor())?.sequence ?? 0;
      const kept = new Set<number>();
      for await (const lines of source().read({}))
        for (const line of lines) kept.add((JSON.parse(line) as AuditEvent).sequence);
      expect(acknowledged.filter((sequence) => sequence > anchor && !kept.has(sequence))).toEqual(
        [],
      );
    },
  );
});
