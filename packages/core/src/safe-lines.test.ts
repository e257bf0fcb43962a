import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OperationTimeoutError } from './errors.ts';
import { Instrumentation } from './telemetry/instrumentation.ts';
import { safeLines } from './text.ts';

const ESC = String.fromCharCode(0x1b);

describe('safeLines', () => {
  it('keeps lines and indentation, and scrubs every line', () => {
    const text = `first\r\n  at https://user:secret@host/?token=abc\n${ESC}[31mred\u202Egreen`;
    expect(safeLines(text)).toBe('first\n  at https://***@host/?token=***\nred\uFFFDgreen');
  });

  it('masks the credentials of a URL that is broken over lines', () => {
    expect(safeLines('  at https://user:hun\nter2@host/\n  at b')).toBe(
      '  at https://***@host/\n  at b',
    );
  });

  it('bounds the number of lines and the length of each', () => {
    const lines = safeLines(`${'x'.repeat(1_000_000)}\n`.repeat(20), 5, 100).split('\n');
    expect(lines).toHaveLength(6);
    expect(lines.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => `${'x'.repeat(99)}…`));
    expect(lines[5]).toBe('… more lines were left out');
    expect(safeLines('y'.repeat(5000))).toHaveLength(1024);
    expect(safeLines('\n'.repeat(5000)).split('\n')).toHaveLength(65);
  });

  it('says nothing of lines left out where all fit', () => {
    expect(safeLines('a\nb', 2)).toBe('a\nb');
  });

  it('describes what is no text', () => {
    expect(safeLines({ a: 1 })).toBe('an object');
  });
});

describe('body of a log record', () => {
  let telemetry: InMemoryTelemetry;
  beforeEach(() => {
    telemetry = new InMemoryTelemetry();
  });
  afterEach(() => telemetry.close());

  it('is one line, or keeps its lines with multiline', () => {
    const instrumentation = new Instrumentation({ name: 'lines', version: '1', metrics: [] });
    const event = { event: 'e', severity: 'INFO', attributes: {} } as const;
    const body = 'one\nhttps://user:secret@host/';
    instrumentation.log({ ...event, body });
    instrumentation.log({ ...event, body: () => body, multiline: true });
    expect(telemetry.logs.map((record) => record.body)).toEqual([
      'one https://***@host/',
      'one\nhttps://***@host/',
    ]);
  });
});

it('names the subject of a timeout that no call of a policy has', () => {
  const error = new OperationTimeoutError('svc', 1999.5, "Check 'db'");
  expect(error.message).toBe("Check 'db' timed out after 2000 ms.");
  expect(error).toMatchObject({ policy: 'svc', timeoutMs: 1999.5, code: 'OPERATION_TIMEOUT' });
});
