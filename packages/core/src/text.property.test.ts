import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { messageOf, safeText } from './text.ts';

const ESC = '\u001b';
const BEL = '\u0007';

/** Text with a good share of what the expressions look for. */
const texts = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom(
        ...[
          'https://',
          '//',
          ':',
          '@',
          '/',
          '?',
          '#',
          '&',
          ';',
          '=',
          ' ',
          "'",
          '"',
          '\\',
          '…',
          '*',
        ],
        ...['***', 'user', 'hunter2', '8080', 'token', 'password', '?sig=', 'bearer ', 'Basic '],
        ...['token: ', 'eyJ', 'AKIA', '.', '-', 'cookie', 'authorization', 'key', '\\"', 'a.b'],
        ...[
          'authentication',
          'authorization=bearer ',
          'authorization: Basic ',
          ESC,
          `${ESC}[`,
          `${ESC}]`,
          BEL,
          'm',
          '\n',
          '\ud83d',
          '\udc00',
          '😀',
        ],
      ),
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(''));

describe('safeText of any text', () => {
  it('is bounded, well-formed, on one line and without control characters', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 0, max: 80 }), (text, bound) => {
        const safe = safeText(text, bound);
        expect(safe.length).toBeLessThanOrEqual(bound);
        expect(safe.isWellFormed()).toBe(true);
        expect(safe).not.toMatch(/\p{Cc}|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
      }),
      { numRuns: 2000 },
    );
  });

  it('does not change when applied again', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 0, max: 80 }), (text, bound) => {
        const safe = safeText(text, bound);
        expect(safeText(safe, bound)).toBe(safe);
      }),
      { numRuns: 10_000 },
    );
  });

  it('never contains the password of a URL', () => {
    const part = fc.stringMatching(/^[A-Za-z0-9!$%^*()_+,.~-]{0,12}$/);
    const any = fc.string({ maxLength: 30 });
    fc.assert(
      fc.property(any, part, part, any, (before, user, rest, after) => {
        const text = `${before} db+x://${user}:hunter2${rest}@host.example/${after}`;
        expect(safeText(text)).not.toContain(':hunter2');
      }),
      { numRuns: 1000 },
    );
  });
});

describe('safeText of adversarial text', () => {
  /** Milliseconds of CPU time, the best of three. */
  function measure(text: string, bound: number): number {
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3; i++) {
      const start = process.cpuUsage();
      safeText(text, bound);
      const { user, system } = process.cpuUsage(start);
      best = Math.min(best, (user + system) / 1000);
    }
    return best;
  }
  const units = fc
    .array(
      fc.constantFrom(
        ...['//', '/', ':', '@', '.', '-', '_', '=', '?', '&', ';', '#', ' ', '\n', "'", '"', '\\'],
        ...[
          'a',
          '1',
          'eyJ',
          'AKIA',
          'ghp_',
          'xoxb-',
          'token',
          'password',
          'secret_access_key',
          '*',
        ],
        ...['bearer ', 'basic:', 'cookie', 'authorization: ', 'unexpected ', ESC, `${ESC}]`, '…'],
      ),
      { minLength: 1, maxLength: 5 },
    )
    .map((parts) => parts.join(''));
  const repeated = (unit: string, length: number): string =>
    unit.repeat(Math.ceil(length / unit.length)).slice(0, length);

  it('takes time in proportion to its length, where the bound does not cut it', () => {
    fc.assert(
      fc.property(units, units, (unit, end) => {
        const at = (length: number): number =>
          measure(`${repeated(unit, length)}${end}`, 10 * length);
        // Quadratic time would be 256 times as long; the constants are for a busy machine.
        expect(at(64_000)).toBeLessThan(at(4_000) * 64 + 40);
      }),
      { numRuns: 120 },
    );
  });

  it('takes milliseconds for 2 MB', () => {
    fc.assert(
      fc.property(units, (unit) => {
        expect(measure(repeated(unit, 2_000_000), 512)).toBeLessThan(20);
      }),
      { numRuns: 60 },
    );
  });
});

describe('messageOf of any value', () => {
  it('is bounded, and does not change when applied again', () => {
    const failures = fc.oneof(
      fc.anything({ withNullPrototype: true, withBigInt: true }),
      fc.record(
        {
          message: fc.oneof(texts, fc.anything()),
          code: texts,
          name: texts,
          cause: fc.oneof(texts, fc.record({ message: texts })),
          errors: fc.array(fc.record({ message: texts }), { maxLength: 5 }),
        },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(failures, fc.integer({ min: 0, max: 80 }), (failure, bound) => {
        const text = messageOf(failure, bound);
        expect(text.length).toBeLessThanOrEqual(bound);
        expect(messageOf(text, bound)).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });
});
