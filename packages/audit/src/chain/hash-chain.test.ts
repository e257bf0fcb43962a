import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Intake } from '../log/intake/intake.ts';
import { Redactor } from '../log/intake/redaction.ts';
import { DEFAULT_LIMITS } from '../log/options.ts';
import { canonicalize, type JsonObject } from './canonical-json.ts';
import type { AuditEventInput } from './event.ts';
import { checkLine, checkLink, genesis, parseLine } from './hash-chain.ts';

const intake = new Intake({
  now: () => 1_700_000_000_123,
  activeSpan: () => ({
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    traceFlags: 1,
  }),
  redactor: new Redactor(),
  limits: DEFAULT_LIMITS,
});

const word = fc.string({ minLength: 1, maxLength: 20 });
const input: fc.Arbitrary<AuditEventInput> = fc.record(
  {
    eventType: word,
    action: word,
    resource: word,
    status: word,
    actor: fc.oneof(word, fc.record({ id: word, type: word }, { requiredKeys: ['id'] })),
    details: fc.object(),
    error: fc.oneof(
      fc.string(),
      fc.string().map((message) => new TypeError(message)),
    ),
    durationMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  },
  { requiredKeys: ['eventType', 'action', 'resource', 'status'] },
);

describe('Draft', () => {
  it('hashes the canonical JSON of the event without its hash', () => {
    fc.assert(
      fc.property(input, fc.integer({ min: 1 }), (given, sequence) => {
        const head = { sequence, hash: 'ab'.repeat(32), log: 'a-log' };
        const { event, line } = intake.prepare(given).seal(head);
        const { hash, ...rest } = event;
        const canonical = canonicalize(rest as unknown as JsonObject);
        expect(hash).toBe(
          createHash('sha256').update(`temper-audit event v2\n${canonical}`).digest('hex'),
        );
        expect(line).toBe(canonicalize(event as unknown as JsonObject));
        expect(event.sequence).toBe(sequence + 1);
        expect(event.prev).toBe(head.hash);
        expect(checkLine(line)).toEqual({ event });
        expect(checkLink(event, head)).toBeUndefined();
      }),
    );
  });

  it('freezes the event and keeps the trace flags of the active span', () => {
    const { event, traceFlags } = intake
      .prepare({
        eventType: 'a',
        action: 'b',
        resource: 'c',
        status: 'd',
        actor: 'ann',
        error: new Error('x'),
      })
      .seal(genesis('a-log'));
    expect([event, event.details, event.actor, event.error].every(Object.isFrozen)).toBe(true);
    expect(event).toMatchObject({
      sequence: 1,
      prev: genesis('a-log').hash,
      log: 'a-log',
      v: 2,
      timestamp: '2023-11-14T22:13:20.123Z',
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
    });
    expect(traceFlags).toBe(1);
  });
});

describe('checkLine', () => {
  const { line, event } = intake
    .prepare({
      eventType: 'a',
      action: 'b',
      resource: 'c',
      status: 'd',
      details: { n: 1, hash: 'x' },
    })
    .seal(genesis('a-log'));

  it('detects any single changed byte', () => {
    fc.assert(
      fc.property(fc.nat(line.length - 1), fc.constantFrom(...'0"}{a,:x '), (at, byte) => {
        const changed = line.slice(0, at) + byte + line.slice(at + 1);
        expect(checkLine(changed).fault === undefined).toBe(changed === line);
      }),
      { numRuns: 1_000 },
    );
  });

  it('rejects a line with the same meaning that is not canonical', () => {
    expect(checkLine(line.replace('{', '{ ')).fault).toBe('edited');
    expect(checkLine(JSON.stringify(JSON.parse(line), null, 1)).fault).toBe('edited');
    expect(checkLine(line.replace('"action":"b"', '"action":"z","action":"b"')).fault).toBe(
      'edited',
    );
    const { action, ...rest } = event;
    expect(checkLine(JSON.stringify({ ...rest, action })).fault).toBe('edited');
  });

  describe('of a line that was hashed as it stands', () => {
    const sorted = (keys: string[]): string[] => keys.sort();
    const last =
      (key: string) =>
      (keys: string[]): string[] => [...sorted(keys).filter((other) => other !== key), key];

    /** A line whose hash is that of its own text, with the fields in this order. */
    function hashed(details: object, order: (keys: string[]) => string[]): string {
      const fields = { ...event, details };
      const text = (hash: string | undefined): string =>
        JSON.stringify(
          Object.fromEntries(
            order(Object.keys(fields)).map((key) => [key, { ...fields, hash }[key as 'id']]),
          ),
        );
      const hash = createHash('sha256').update(`temper-audit event v2\n${text(undefined)}`);
      return text(hash.digest('hex'));
    }

    it('accepts the canonical order', () => {
      expect(checkLine(hashed({ a: 1, b: [{ c: 2, d: 3 }] }, sorted)).fault).toBeUndefined();
    });

    it.each<[string, object, (keys: string[]) => string[]]>([
      ['its fields', {}, last('action')],
      ['an object inside', { b: 1, a: 2 }, sorted],
      ['an object two levels down', { a: { c: 1, b: 2 } }, sorted],
      ['an object in an array', { a: [1, { c: 1, b: 2 }] }, sorted],
    ])('rejects %s in another order', (_, details, order) => {
      expect(checkLine(hashed(details, order)).fault).toBe('edited');
    });
  });

  it.each([
    ['', 'it is not JSON'],
    ['[]', 'it is not a JSON object'],
    ['{}', 'it has no sequence'],
    ['{"sequence":0}', 'it has no sequence'],
    ['{"sequence":1.5}', 'it has no sequence'],
    ['{"sequence":1,"action":1,"v":2}', 'it has no action'],
    [
      '{"sequence":1,"action":"a"}',
      "it has the format 1; convert the log with 'temper-audit migrate'",
    ],
    ['{"sequence":1,"v":3}', 'it has a format that this version does not know'],
  ])('reports what is wrong with %j', (text, message) => {
    expect(checkLine(text)).toEqual({ fault: 'malformed', message });
    expect(() => parseLine(text)).toThrow(message);
  });
});
