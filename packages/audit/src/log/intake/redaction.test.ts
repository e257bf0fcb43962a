import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../chain/canonical-json.ts';
import { DEFAULT_LIMITS } from '../options.ts';
import { sanitise } from './details.ts';
import { keyedHash, MASK, Redactor } from './redaction.ts';
import type { RedactionOptions } from './redaction-rules.ts';

const key = 'a key of more than sixteen bytes';
const redact = (value: object, options?: RedactionOptions): JsonObject =>
  sanitise(value, 'details', new Redactor(options), DEFAULT_LIMITS).value;

/** The hash of a value of `details` in a log with the default name. */
const hashed = (field: string, text: string): string =>
  keyedHash(key, { log: 'audit', field }, text);

describe('redaction', () => {
  it('masks common secret keys in any spelling by default', () => {
    const value = {
      user: 'ann',
      Password: 'x',
      api_key: 'x',
      headers: { 'Set-Cookie': 'x', authorization: 'x' },
    };
    expect(redact(value)).toEqual({
      user: 'ann',
      Password: MASK,
      api_key: MASK,
      headers: { 'Set-Cookie': MASK, authorization: MASK },
    });
  });

  it('masks whole objects under a secret key', () => {
    expect(redact({ credentials: { user: 'ann', other: [1, 2] } })).toEqual({ credentials: MASK });
  });

  it('drops, masks and hashes by key at any depth', () => {
    const options: RedactionOptions = {
      key,
      rules: [
        { keys: ['a'], action: 'drop' },
        { keys: ['b'], action: 'mask' },
        { keys: ['c'], action: 'hash' },
      ],
    };
    expect(redact({ a: 1, b: 2, c: '3', list: [{ a: 1, c: '3' }] }, options)).toEqual({
      b: MASK,
      c: hashed('details.c', '3'),
      list: [{ c: hashed('details.list.*.c', '3') }],
    });
  });

  it('gives equal values of other fields, logs and keys other hashes, and tells the key', () => {
    const one = hashed('details.a', 'x');
    const others = [
      hashed('details.b', 'x'),
      keyedHash(key, { log: 'other', field: 'details.a' }, 'x'),
      keyedHash('another key of 16 bytes', { log: 'audit', field: 'details.a' }, 'x'),
      // Boundaries between the parts do not blur.
      keyedHash(key, { log: 'audit', field: 'details' }, '.a'),
    ];
    expect(new Set([one, ...others]).size).toBe(5);
    const ids = [one, ...others].map((text) => text.split(':')[1]);
    expect(ids[0]).toBe(ids[1]);
    expect(ids[0]).not.toBe(ids[3]);
  });

  it('hashes with HMAC-SHA256, so that equal values can be queried', () => {
    const expected = hashed('details.email', 'ann@example.com');
    const message = JSON.stringify(['audit', 'details.email', 'ann@example.com']);
    const hmac = createHmac('sha256', key).update(`temper-audit redaction v2\n${message}`);
    expect(expected).toMatch(new RegExp(`^hmac-sha256:[0-9a-f]{8}:${hmac.digest('hex')}$`));
    const options: RedactionOptions = { key, rules: [{ keys: ['email'], action: 'hash' }] };
    expect(redact({ email: 'ann@example.com' }, options)).toEqual({ email: expected });
    expect(redact({ email: { b: 1, a: 2 } }, options)).toEqual({
      email: hashed('details.email', '{"a":2,"b":1}'),
    });
  });

  it('matches paths, with * for one key or index', () => {
    const options: RedactionOptions = {
      rules: [
        { paths: ['details.user.email', 'details.cards.*.number'], action: 'mask' },
        { paths: ['details.cards.0'], action: 'drop' },
      ],
    };
    const value = {
      user: { email: 'x', name: 'ann' },
      cards: [{ number: 1 }, { number: 2, kind: 'v' }],
    };
    expect(redact(value, options)).toEqual({
      user: { email: MASK, name: 'ann' },
      cards: [{ number: MASK, kind: 'v' }],
    });
  });

  it('can mask all of the details', () => {
    expect(redact({ a: 1 }, { rules: [{ paths: ['details'], action: 'mask' }] })).toEqual({
      value: MASK,
    });
  });

  it('replaces patterns in every string of the event', () => {
    const options: RedactionOptions = { key, rules: [{ pattern: /\b\d{16}\b/, action: 'mask' }] };
    expect(
      redact(
        { note: 'card 4111111111111111 and 4222222222222222', deep: ['4111111111111111'] },
        options,
      ),
    ).toEqual({
      note: `card ${MASK} and ${MASK}`,
      deep: [MASK],
    });
  });

  it('finds a pattern that crosses the truncation point of a long string', () => {
    const options: RedactionOptions = { rules: [{ pattern: /\d{16}/, action: 'mask' }] };
    const text = `${'x'.repeat(DEFAULT_LIMITS.maxStringLength - 8)}4111111111111111`;
    expect(JSON.stringify(redact({ text }, options))).not.toContain('4111');
  });

  it('never reads a dropped or masked value', () => {
    let reads = 0;
    const value = {
      get password() {
        reads++;
        return 'x';
      },
    };
    expect(redact(value)).toEqual({ password: MASK });
    expect(reads).toBe(0);
  });

  it('leaves no secret in the output of any value', () => {
    const secret = 'S3CR3T-S3CR3T';
    const options: RedactionOptions = {
      key,
      rules: [
        { keys: ['token'], action: 'hash' },
        { keys: ['password'], action: 'mask' },
        { keys: ['gone'], action: 'drop' },
      ],
    };
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom('token', 'password', 'gone', 'TOKEN'),
        fc.array(fc.string(), { maxLength: 4 }),
        (around, name, path) => {
          const leaf: object = { [name]: { inner: secret, list: [secret] } };
          const value = path.reduce<object>((inner, at) => ({ around, [at]: inner }), leaf);
          const { text } = sanitise(value, 'details', new Redactor(options), DEFAULT_LIMITS);
          expect(text).not.toContain(secret);
        },
      ),
    );
  });

  it.each([
    ['a hash without a key', { rules: [{ keys: ['a'], action: 'hash' }] }, "action is 'hash'"],
    ['a short key', { key: 'short' }, 'at least 16 bytes'],
    ['a path with an unknown root', { rules: [{ paths: ['user'], action: 'mask' }] }, "got 'user'"],
    [
      'a path with an empty segment',
      { rules: [{ paths: ['details..a'], action: 'mask' }] },
      "got 'details..a'",
    ],
    [
      'drop for a required field',
      { rules: [{ paths: ['actor.id'], action: 'drop' }] },
      'cannot be dropped',
    ],
    [
      'a rule without keys, paths or pattern',
      { rules: [{ action: 'mask' }] },
      'needs keys, paths, values, or a pattern',
    ],
    ['drop for a pattern', { rules: [{ pattern: /x/, action: 'drop' }] }, 'to mask or hash'],
  ])('rejects %s', (_, options, message) => {
    expect(() => new Redactor(options as RedactionOptions)).toThrow(message);
  });
});
