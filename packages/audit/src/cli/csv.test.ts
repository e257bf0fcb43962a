import { systemClock } from '@temper/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import { auditLog } from '../log/durable-log.ts';
import { fileSink } from '../sinks/file/file-sink.ts';
import { CSV_HEADER } from './csv.ts';
import { run } from './run.ts';

async function exported(directory: string, ...args: string[]): Promise<string> {
  let out = '';
  const stream = (write: (text: string) => void) => ({ isTerminal: false, columns: 80, write });
  const code = await run(['export', directory, '--format', 'csv', ...args], {
    stdout: stream((text) => {
      out += text;
    }),
    stderr: stream(() => undefined),
    env: {},
    clock: systemClock,
    signal: new AbortController().signal,
  });
  expect(code).toBe(0);
  return out;
}

/** The records of a CSV text by RFC 4180, read independently of the writer. */
function records(text: string): string[][] {
  const all: string[][] = [[]];
  const pattern = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex;
    const [, quoted, plain = '', end] = pattern.exec(text) ?? [];
    if (end === undefined) throw new Error(`malformed at ${at}`);
    all.at(-1)?.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === '\r\n') all.push([]);
  }
  return all.slice(0, -1);
}

it('writes any event as one record that a reader of RFC 4180 reads back', {
  timeout: 60_000,
}, async () => {
  const text = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' });
  const hostile = fc.constantFrom(
    '=1+1',
    '@x',
    '+1',
    '-1',
    ' =1',
    '"',
    'a,b',
    'a\r\nb',
    '\t=1',
    "'",
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(text, hostile), { minLength: 1, maxLength: 8 }),
      async (texts) => {
        using directory = temporaryDirectory();
        await using log = auditLog({ sinks: [fileSink({ directory: directory.path })] });
        const events = [];
        for (const resource of texts) {
          events.push(
            await log.append({
              eventType: 'o',
              action: 'a',
              resource,
              status: 's',
              details: { resource },
            }),
          );
        }
        const [header, ...rows] = records(await exported(directory.path));
        expect(header?.join(',')).toBe(CSV_HEADER);
        expect(rows).toHaveLength(events.length);
        for (const [i, row] of rows.entries()) {
          const event = events[i];
          const cell = (name: string): string => row[header?.indexOf(name) ?? -1] ?? '';
          expect(row).toHaveLength(header?.length ?? 0);
          expect(cell('hash')).toBe(event?.hash);
          expect(JSON.parse(cell('details'))).toEqual(event?.details);
          expect([event?.resource, `'${event?.resource}`]).toContain(cell('resource'));
          for (const value of row) expect(value).not.toMatch(/^\s*[=+\-@]/);
        }
      },
    ),
    { numRuns: 15 },
  );
});

it('has the header alone for a log of which no event matches', async () => {
  using directory = temporaryDirectory();
  await using log = auditLog({ sinks: [fileSink({ directory: directory.path })] });
  await log.append({ eventType: 'o', action: 'a', resource: 'r', status: 's' });
  expect(await exported(directory.path, '--action', 'none')).toBe(`${CSV_HEADER}\r\n`);
});
