import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { boundOf } from '@temper/testkit/repository/boundaries';
import { describe, expect, it } from 'vitest';
import { auditLog } from '../../src/log/durable-log.ts';
import { verifyLog } from '../../src/read/verify.ts';
import { nodeFiles } from '../../src/sinks/file/file-port.ts';
import { fileSink } from '../../src/sinks/file/file-sink.ts';
import { FileSource } from '../../src/sinks/file/file-source.ts';
import { inFiles, inSqlite } from '../open-store.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const MIB = 1024 * 1024;
const event = { eventType: 'a', action: 'b', resource: 'c', status: 'success' } as const;

describe('a line without an end', () => {
  /** Bytes that are read of the files, in MiB. */
  async function readOf(
    name: string,
    content: Buffer,
    reverse: boolean,
  ): Promise<[number, unknown]> {
    const directory = temporaryDirectory().path;
    writeFileSync(join(directory, name), content);
    // The last segment may have a torn line.
    writeFileSync(join(directory, '00000000000000000900.jsonl'), '');
    let bytes = 0;
    const files = {
      ...nodeFiles,
      openToRead: async (path: string) => {
        const file = await nodeFiles.openToRead(path);
        return {
          size: file.size,
          close: () => file.close(),
          read: async (position: number, length: number) => {
            const chunk = await file.read(position, length);
            bytes += chunk.length;
            return chunk;
          },
        };
      },
    };
    const source = new FileSource(directory, 'log', files as never);
    const read = (async () => {
      for await (const lines of source.read({ reverse })) expect(lines).toEqual([]);
    })();
    const error = await read.catch((thrown: unknown) => thrown);
    return [bytes / MIB, error];
  }

  it.each([false, true])('is not read to its end, in reverse: %s', async (reverse) => {
    const [read, error] = await readOf(
      '00000000000000000001.jsonl',
      Buffer.alloc(64 * MIB, 'x'),
      reverse,
    );
    expect(error).toMatchObject({ name: 'AuditCorruptError' });
    expect(read).toBeGreaterThan(1);
    expect(read).toBeLessThanOrEqual(boundOf('files.line'));
  });

  it.each([false, true])('is not inflated to its end, in reverse: %s', async (reverse) => {
    const bomb = gzipSync(Buffer.alloc(64 * MIB, 'x'));
    const [, error] = await readOf('00000000000000000001.jsonl.gz', bomb, reverse);
    expect(error).toMatchObject({ name: 'AuditCorruptError' });
    expect((error as Error).message).toContain('longer than an event can be');
  });
});

describe('lines that no writer has written', () => {
  const valid = async (): Promise<string> => {
    const directory = temporaryDirectory().path;
    await using log = auditLog({ sinks: [fileSink({ directory: join(directory, 'log') })] });
    await log.append({ ...event, details: { a: [1] } });
    await log.flush();
    return readFileSync(join(directory, 'log', '00000000000000000001.jsonl'), 'utf8').trimEnd();
  };
  const details = (text: string) => (line: string) =>
    line.replace('"details":{"a":[1]}', `"details":${text}`);
  const LINES: Readonly<Record<string, (line: string) => string>> = {
    'a lone surrogate': details('{"a":"\\ud800"}'),
    'a lone surrogate as a key': details('{"\\udfff":1}'),
    '100 000 arrays': details(`${'['.repeat(100_000)}${']'.repeat(100_000)}`),
    '100 000 objects': details(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`),
    'as many that do not end': details('['.repeat(100_000)),
    __proto__: details('{"__proto__":{"toJSON":1}}'),
    toJSON: details('{"toJSON":1}'),
    'doubled keys': details('{"a":[1],"a":[1]}'),
    'a number beyond all': details('{"a":[1e999]}'),
    'a number in another notation': details('{"a":[1.0]}'),
    'white space': (line) => ` ${line}`,
    'an escaped letter': (line) => line.replace('"details"', '"d\\u0065tails"'),
    'a sequence beyond integers': (line) =>
      line.replace('"sequence":1', '"sequence":9007199254740993'),
    'no object': () => '[[]]',
    NUL: (line) => `${line}\0`,
  };

  it.each(Object.entries(LINES))(
    'are reported by verification and by opening the log: %s',
    async (_, change) => {
      const line = change(await valid());
      let failures = 0;
      for (const make of [inFiles, inSqlite]) {
        const directory = temporaryDirectory().path;
        const store = make(directory);
        await using log = auditLog({ sinks: [store.sink()] });
        await log.append(event);
        await log.flush();
        await log[Symbol.asyncDispose]();
        if (make === inSqlite && !line.startsWith('{')) continue;
        try {
          store.replace({ lines: [line], checkpoints: [] });
        } catch {
          continue; // A line that the helper cannot put under a key.
        }
        const source = store.source();
        try {
          const report = await verifyLog(source);
          expect(report.ok).toBe(false);
        } catch {
          failures++;
        }
        await source.close?.();
      }
      expect(failures).toBe(boundOf('files.lines'));
    },
  );
});

it('a symbolic link in the place of the first segment is not followed', async () => {
  const directory = temporaryDirectory().path;
  const log = join(directory, 'log');
  const target = join(directory, 'target');
  writeFileSync(target, '');
  mkdirSync(log);
  symlinkSync(target, join(log, '00000000000000000001.jsonl'));
  const written = auditLog({ sinks: [fileSink({ directory: log })] });
  await written.append(event).catch(() => undefined);
  await written[Symbol.asyncDispose]().then(undefined, () => undefined);
  expect(readFileSync(target)).toHaveLength(boundOf('files.link'));
});
