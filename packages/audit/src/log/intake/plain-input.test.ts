import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuditEventInput } from '../../chain/event.ts';
import { DEFAULT_LIMITS } from '../options.ts';
import { Intake } from './intake.ts';
import { checkPlainInput, plainInput } from './plain-input.ts';
import { Redactor } from './redaction.ts';
import type { RedactionOptions } from './redaction-rules.ts';

/** What a log stores of an event, apart from its time, id and place. */
function stored(input: AuditEventInput, redaction?: RedactionOptions): unknown {
  const intake = new Intake({
    now: () => 0,
    activeSpan: () => undefined,
    redactor: new Redactor(redaction),
    limits: DEFAULT_LIMITS,
  });
  const { line } = intake
    .prepare(input, { id: 'id', span: undefined })
    .seal({ sequence: 0, hash: '', log: 'x' });
  return JSON.parse(line);
}

/** What a log in another process is passed. */
function sent(input: AuditEventInput): AuditEventInput {
  const plain = plainInput(input);
  const details = plain.details === undefined ? undefined : (JSON.parse(plain.details) as unknown);
  return checkPlainInput(JSON.parse(JSON.stringify({ ...plain, details })));
}

const base = { eventType: 'o', action: 'a', resource: 'r', status: 's' };
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln';

class HttpError extends Error {
  readonly code = 503;
}

const circular: { self?: unknown } = {};
circular.self = circular;

describe('an event that is sent to another process', () => {
  it.each<[string, Partial<AuditEventInput>]>([
    ['secrets', { details: { password: 'x', a: [`Bearer ${JWT}`], url: 'http://u:p@h/' } }],
    [
      'special values',
      { details: { d: new Date(0), r: /x/, b: 5n, n: Number.NaN, u: new URL('http://u:p@h/x') } },
    ],
    [
      'collections',
      { details: { m: new Map([['token', 'x']]), s: new Set(['a']), i: new Uint8Array(3) } },
    ],
    ['lists', { details: [undefined, null, () => 1, Symbol('x'), [1]] }],
    ['a loop', { details: circular }],
    ['a proxy', { details: { p: new Proxy({}, {}) } }],
    [
      'a getter',
      {
        details: {
          get a(): never {
            throw new Error();
          },
        },
      },
    ],
    [
      'errors in details',
      { details: { e: new HttpError(`at ${JWT}`, { cause: new Error('c') }) } },
    ],
    [
      'pairs',
      {
        details: {
          rawHeaders: ['Cookie', 'x', 'Accept', 'y'],
          h: { name: 'password', value: 'x' },
        },
      },
    ],
    ['odd text', { details: { '\ud800a': '\0\ud800', __proto__x: 1 }, resource: 'a\0\udfffb' }],
    ['large details', { details: { list: Array.from({ length: 9_000 }, (_, i) => `item ${i}`) } }],
    ['long text', { resource: 'y'.repeat(100_000), details: { x: `${'y'.repeat(2_040)}${JWT}` } }],
    ['an actor', { actor: { id: 'ann', type: 'user', name: `\ud800${'z'.repeat(70_000)}` } }],
    ['the id of an actor', { actor: 'ann' }],
    ['a duration', { durationMs: 0.25 }],
    [
      'an error',
      { error: new HttpError(`to http://u:p@h/`, { cause: new TypeError('b', { cause: 'c' }) }) },
    ],
    [
      'a cause beyond the third',
      { error: new Error('1', { cause: new Error('2', { cause: new Error('3', { cause: 4 }) }) }) },
    ],
    ['an error that is a string', { error: 'text' }],
    ['an error that is a number', { error: 4_111_111_111_111_111 }],
    ['an error that is an object', { error: { password: 'hunter2', code: 'X' } }],
    ['an error that is a proxy', { error: new Proxy(new Error('x'), {}) }],
    ['an error that is undefined', { error: undefined }],
    ['an error that is null', { error: null }],
    ['a DOMException', { error: new DOMException('gone', 'AbortError') }],
    ['an error without a name', { error: Object.assign(new Error('x'), { name: '' }) }],
  ])('is stored as if it were appended there: %s', (_, more) => {
    const input = { ...base, ...more } as AuditEventInput;
    expect(stored(sent(input))).toEqual(stored(input));
    const keysOnly: RedactionOptions = { rules: [{ keys: ['password', 'token'], action: 'mask' }] };
    expect(stored(sent(input), keysOnly)).toEqual(stored(input, keysOnly));
  });

  it('has nothing in it that an allow-list does not allow', () => {
    const redaction: RedactionOptions = { allow: ['details.a', 'error.message'] };
    const input: AuditEventInput = {
      ...base,
      details: { a: 'x', b: 'hunter2', c: [1, new Date(0)], p: new Proxy({}, {}) },
      error: new HttpError('seen', { cause: { a: 'hunter2' } }),
    };
    const plain = stored(sent(input), redaction);
    expect(JSON.stringify(plain)).not.toContain('hunter2');
    expect(plain).toMatchObject({
      // A log in the process says `[proxy]` in the place of the last one.
      details: { a: 'x', b: '[redacted]', c: ['[redacted]', '[redacted]'], p: '[redacted]' },
      error: { name: 'HttpError', message: 'seen', code: '[redacted]' },
    });
  });

  it('is stored as if it were appended there, whatever its details are', () => {
    fc.assert(
      fc.property(
        fc.object({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSet: true,
          withTypedArray: true,
          withNullPrototype: true,
          stringUnit: 'binary',
        }),
        fc.anything(),
        (details, error) => {
          const input = { ...base, details, error };
          expect(stored(sent(input))).toEqual(stored(input));
        },
      ),
      { numRuns: 500 },
    );
  });
});
