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
        ...['authentication', ESC, `${ESC}[`, `${ESC}]`, BEL, 'm', '\n', '\ud83d', '\udc00', '😀'],
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
      { numRuns: 5000 },
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
