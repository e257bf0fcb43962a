import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formerMaskValues } from '../../../test/former-redaction.ts';
import { maskValues } from './secret-values.ts';

/** What the expressions look for, and what they stop at. */
const PARTS = [
  ...['https://', '//', '///', ':', '@', '/', '?', '#', '&', ';', '=', '=>', ': ', ' : ', '%', '+'],
  ...[
    ' ',
    '  ',
    '\t',
    '\n',
    '\r\n',
    '\u2028',
    '\u00a0',
    "'",
    '"',
    '\\',
    '\\\\\\"',
    '<',
    '*',
    '`',
    '|',
  ],
  ...[
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    ',',
    '.',
    '-',
    '--',
    '_',
    '-----',
    '…',
    '***',
    'é',
    'K',
    '\ud83d',
  ],
  ...['user', 'a', 'B', '7', '4111 1111 1111 1111', '4111-1111-1111-1111', '378282246310005', '4 '],
  ...[
    '12345678',
    '41111111111111110',
    'password',
    '--password',
    '-p',
    '-_pin',
    'x-api-key',
    'Cookie: ',
  ],
  ...[
    'authorization: ',
    'token',
    '?access_token=',
    '&sig=',
    'bearer ',
    'Basic ',
    'basic:',
    'hunter2',
  ],
  ...['eyJ', 'EYJ', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln', 'AKIAIOSFODNN7EXAMPLE', 'asia'],
  ...[
    'ghp_',
    'GHP_0123456789',
    'github_pat_0123456789',
    'glpat-0123456789',
    'xoxb-0123456789',
    'npm_',
  ],
  ...['sk_live_0123456789', '-----BEGIN PRIVATE KEY-----', '-----BEGIN EC PRIVATE KEY', '-----END'],
  ...[
    'example.com',
    'localhost:8080',
    '10.0.0.1',
    '8080',
    'mailto:',
    'null',
    'true',
    'x'.repeat(63),
  ],
] as const;

/** Texts that are compared. */
const RUNS = Number(process.env.REDACTION_RUNS ?? 10_000);

const isSecret = (name: string): boolean =>
  /pass|pin|token|cookie|api|^a$|authorization/i.test(name);

const texts = fc.oneof(
  { arbitrary: fc.array(fc.constantFrom(...PARTS), { maxLength: 14 }), weight: 6 },
  {
    arbitrary: fc.array(
      fc.oneof(fc.constantFrom(...PARTS), fc.string({ unit: 'binary', maxLength: 9 })),
      { maxLength: 30 },
    ),
    weight: 3,
  },
  {
    // The longest and one more of what is bounded, many times over.
    arbitrary: fc
      .tuple(
        fc.constantFrom(...PARTS),
        fc.integer({ min: 1, max: 300 }),
        fc.array(fc.constantFrom(...PARTS), { maxLength: 6 }),
      )
      .map(([part, times, rest]) => [part.repeat(times), ...rest]),
    weight: 2,
  },
  { arbitrary: fc.base64String({ maxLength: 1_500 }).map((text) => [text]), weight: 1 },
);

describe('the quick tests of redaction', () => {
  it('change nothing of what the expressions find', () => {
    let changed = 0;
    fc.assert(
      fc.property(texts, fc.boolean(), (parts, wasCut) => {
        const text = parts.join('');
        const expected = formerMaskValues(text, isSecret, wasCut);
        if (expected !== text) changed++;
        expect(maskValues(text, isSecret, wasCut)).toBe(expected);
      }),
      { numRuns: RUNS },
    );
    expect(changed).toBeGreaterThan(RUNS / 10);
  });
});
