import { DiagLogLevel, diag } from '@opentelemetry/api';
import { boundOf } from '@temper/testkit/repository/boundaries';
import { afterEach, describe, expect, it } from 'vitest';
import { reportCallbackError } from '../../src/telemetry/diagnostics.ts';
import { messageOf } from '../../src/text.ts';

const PIECES = [
  'password=hunter2 ',
  'https://u:p@h/',
  '\u001b[31m',
  'Bearer abcdefghij ',
  '\u202e',
  "'",
  '\\',
  '//:',
];

afterEach(() => diag.disable());

describe('the error of an upstream', () => {
  it.each(PIECES)('says 512 code units, however long it is: %j', (piece) => {
    const message = piece.repeat(4_000_000 / piece.length);
    const error = new Error(message, { cause: new Error(message) });
    expect(messageOf(error).length).toBeLessThanOrEqual(boundOf('upstream.message'));
    expect(messageOf(new AggregateError(Array(1000).fill(error), ''))).not.toContain('hunter2');
  });

  it.each([' ', '\n', '\r', '\n ', '\r\n\t', '\v\n', '\u2028', ' at ', '\n at', '\u0000\n'])(
    'is logged in part, whatever its stack repeats: %j',
    (piece) => {
      const logged: string[] = [];
      const log = (...args: unknown[]): void => {
        logged.push(
          args.map((each) => (each instanceof Error ? each.stack : String(each))).join(' '),
        );
      };
      diag.setLogger(
        { error: log, warn: log, info: log, debug: log, verbose: log },
        { logLevel: DiagLogLevel.ALL, suppressOverrideMessage: true },
      );
      const error = new Error('short');
      error.stack = `Error: short${piece.repeat(1_000_000 / piece.length)}`;
      logged.length = 0;
      reportCallbackError('retry', 'onRetry', error);
      expect(logged).toHaveLength(1);
      expect(logged[0]).toContain('short');
      expect(logged[0]?.length).toBeLessThanOrEqual(boundOf('upstream.stack'));
    },
  );
});
