import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { AuditEventInput } from '../../chain/event.ts';
import { DEFAULT_LIMITS } from '../options.ts';
import { Intake } from './intake.ts';
import { ABOUT_WORDS, NUMBER_WORDS, wordsOf } from './key-words.ts';
import { Redactor } from './redaction.ts';
import { type RedactionOptions, SECRET_NAMES } from './redaction-rules.ts';
import { isCardNumber } from './secret-values.ts';

const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');

function rows(header: string): string[][] {
  const table = readme
    .split('\n\n')
    .find((block) => block.split('|')[1]?.trim() === header && block.startsWith('|'));
  return (table ?? '')
    .split('\n')
    .slice(2)
    .map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

const base = { eventType: 'o', action: 'a', resource: 'r', status: 's' };

/** The stored line of an event. */
function stored(event: Partial<AuditEventInput>, redaction?: RedactionOptions): string {
  const intake = new Intake({
    now: () => 0,
    activeSpan: () => undefined,
    redactor: new Redactor(redaction),
    limits: DEFAULT_LIMITS,
  });
  return intake.prepare({ ...base, ...event }).seal({ sequence: 0, hash: '', log: 'x' }).line;
}

const detail = (details: object, redaction?: RedactionOptions): unknown =>
  (JSON.parse(stored({ details }, redaction)) as { details: unknown }).details;

const S = 'hunter2hunter2';
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.hunter2hunter2';
const PEM = `-----BEGIN RSA PRIVATE KEY-----\n${S}\n${S}\n-----END RSA PRIVATE KEY-----`;

describe('the default redaction', () => {
  it.each<[string, Partial<AuditEventInput>]>([
    ...[
      'password',
      'newPassword',
      'password_confirmation',
      'passwordHash',
      'PASSWORD1',
      'userpassword',
      'DB_PASSWORD',
      'pwd',
      'dbpwd',
      'passwd',
      'pass',
      'userPass',
      'passphrase',
      'pin',
      'cardPin',
      'jwt',
      'authJwt',
      'otp',
      'otpCode',
      'mfa_code',
      'user[password]',
      'user%5Bpassword%5D',
      'user.password',
      'x-api-key',
      'X-API-KEY',
      'apikey',
      'myapikey',
      'APIKey',
      'xApiKey',
      'googleApiKey',
      'authToken',
      'accesstoken',
      'access_token',
      'id-token',
      'refreshTokens',
      'tokens',
      'x-csrf-token',
      'X-Amz-Security-Token',
      'secret',
      'client_secret',
      'clientsecret',
      'AWS_SECRET_ACCESS_KEY',
      'accessKeyId',
      'webhookSecret',
      'private_key',
      'privateKeyPem',
      'signing-key',
      'Proxy-Authorization',
      'set-cookie',
      'sessionId',
      'connect.sid',
      'connectionString',
      'SENTRY_DSN',
      'credentials',
      'cvv2',
      'cardNumber',
      'SSN',
      'ｐａｓｓｗｏｒｄ',
    ].map((key): [string, Partial<AuditEventInput>] => [key, { details: { [key]: S } }]),
    ['a number', { details: { pin: 12_345_678 } }],
    ['a list', { details: { tokens: [S] } }],
    ['an object', { details: { credentials: { name: S } } }],
    ['a Map', { details: new Map([['newPassword', S]]) }],
    ['a Map in a list', { details: { a: [new Map([['dbPassword', S]])] } }],
    ['a buffer', { details: { body: Buffer.from(S), bytes: new Uint8Array([104, 117]) } }],
    ['a named value', { details: { list: [{ name: 'password', value: S }] } }],
    ['a change of a field', { details: { changes: [{ field: 'apiKey', from: S, to: S }] } }],
    ['a pair', { details: { query: [['access_token', S]] } }],
    ['raw headers', { details: { rawHeaders: ['Host', 'h', 'X-Api-Key', S, 'Cookie', S] } }],
    ['arguments', { details: { argv: ['login', '--password', S, `--token=${S}`] } }],
    ['user info', { details: { url: `https://ann:${S}@h/` } }],
    ['user info without a scheme', { details: { target: `ann:${S}@db.example.com` } }],
    ['a URL object', { details: { url: new URL(`https://ann:${S}@h/?api_key=${S}`) } }],
    ['a parameter', { details: { url: `/x?access_token=${S}` } }],
    ['a parameter in a fragment', { details: { url: `/x#id_token=${S}` } }],
    ['a one-time code in a URL', { resource: `/verify?otp=${S}` }],
    ['a form', { details: { body: `user%5Bpassword%5D=${S}&user%5Bname%5D=ann` } }],
    ['JSON in a text', { details: { body: `{"user":{"newPassword": "${S} ${S}"}}` } }],
    ['JSON in JSON', { details: { body: JSON.stringify(JSON.stringify({ password: S })) } }],
    ['a header line', { details: { head: `GET / HTTP/1.1\r\nX-Api-Key: ${S}\r\nHost: h` } }],
    ['a cookie line', { details: { head: `Host: h\r\nCookie: a=1; b=${S}; c=${S}` } }],
    ['a command', { details: { run: `curl -H 'Cookie: a=1; b=${S}' --password ${S} h` } }],
    ['environment', { details: { env: `HOME=/ DB_PASSWORD='${S} ${S}'` } }],
    ['YAML', { details: { config: `db:\n  password: ${S}` } }],
    ['bearer', { details: { note: `Bearer ${S}` } }],
    ['basic', { details: { note: `Basic ${S}` } }],
    ['a JWT', { details: { note: `the value ${JWT}` } }],
    ['a PEM', { details: { note: PEM } }],
    ['half a PEM', { details: { note: PEM.slice(0, -20) } }],
    ['a connection string', { details: { cs: `Server=h;User Id=u;Password=${S};Database=d` } }],
    ['a URL of a database', { details: { url: `mongodb+srv://u:${S}@h/d` } }],
    ['a key', { details: { [`https://u:${S}@h/`]: 1, [JWT]: 2 } }],
    ['a message', { error: new Error(`cannot use https://u:${S}@h/`) }],
    ['a field in a message', { error: new Error(`login failed: {"newPassword":"${S}"}`) }],
    ['a cause', { error: new Error('a', { cause: new Error(`otp=${S}`) }) }],
    ['an error in details', { details: { error: new Error(`DB_PASSWORD=${S}`) } }],
    ['a property of an error', { details: { error: Object.assign(new Error('a'), { pwd: S }) } }],
    ['a thrown object', { error: { code: 1, newPassword: S } }],
    ['an actor', { actor: { id: `u:${S}@h.example.com`, name: `token=${S}` } }],
  ])('does not store the secret in %s', (_, event) => {
    const line = stored(event);
    expect(line).not.toMatch(/hunter2|12345678/);
    expect(line).toMatch(/redacted|\*\*\*|binary/);
  });

  it.each([
    ['text', 'paid by 4111 1111 1111 1111, thanks', 'paid by ***, thanks'],
    ['a text with hyphens', '5555-5555-5555-4444', '***'],
    ['a number', 4_111_111_111_111_111, '[redacted]'],
    ['a BigInt', 378_282_246_310_005n, '***'],
  ])('masks the number of a payment card in %s', (_, value, expected) => {
    expect(detail({ note: value })).toEqual({ note: expected });
  });

  it('knows a card number by its range and check digit', () => {
    expect(['4111111111111111', '6011111111111117', '3530111333300000'].map(isCardNumber)).toEqual([
      true,
      true,
      true,
    ]);
    expect(['4111111111111112', '1111111111111117', '41111111', ''].some(isCardNumber)).toBe(false);
  });

  it('leaves ordinary fields readable', () => {
    const details = {
      passenger: 'ann',
      compass: 'north',
      bypassed: true,
      author: 'ann',
      authMethod: 'oidc',
      tokenCount: 5,
      tokenType: 'bearer',
      tokenExpiresIn: 3_600,
      promptTokens: 120,
      maxTokens: 4_096,
      total_tokens: 7,
      tokenizer: 'bpe',
      secretary: 'bob',
      secretName: 'db-main',
      secret_version: 3,
      passwordChangedAt: '2026-01-01',
      passwordPolicy: 'strong',
      password_strength: 3,
      hasPassword: true,
      passwordRequired: false,
      resetToken: null,
      cookieName: 'sid2',
      credentialProvider: 'iam',
      pinned: true,
      spinning: 'x',
      opinion: 'x',
      shipping: 'x',
      key: 'a',
      keyId: 'k1',
      keyboard: 'de',
      monkey: 'x',
      session: 's-1',
      sessions: 3,
      side: 'left',
      inside: 'x',
      signature: 'c2ln',
      publicKey: '-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----',
      hash: 'ab'.repeat(32),
      traceId: '4111111111111111'.repeat(2),
      uuid: '41111111-1111-1111-4111-411111111111',
      at: 1_732_450_000_000,
      nanos: '1732450000000000000',
      order: 4_111_111_111_111_112,
      phone: '+49 30 1234567',
      mail: 'ann@example.com',
      url: 'https://example.com:8443/a?page=2&tokens_used=5#top',
      scoped: 'npm:@scope/name@1.0.0',
      changedFields: ['password', 'email'],
      text: 'Unexpected token in JSON; basic authentication failed: 3 attempts, tokenCount: 5',
      time: '12:30:45 at http://localhost:3000/',
      json: '{"page":2,"ok":true,"hasPassword":true}',
      argv: ['--page', '2', '--verbose'],
      names: [{ name: 'colour', value: 'red' }],
    };
    expect(detail(details)).toEqual(details);
  });

  it('takes linear time for texts made to slow it down', () => {
    const parts = [
      'a=',
      'password',
      '"',
      '\\',
      '--a ',
      '4 ',
      'Cookie: ',
      'a[',
      "password='",
      '@',
      ' ',
    ];
    parts.push('-----BEGIN PRIVATE KEY-----', 'eyJ', 'eyJ.', '.npm_', '//', 'a:', '%5B');
    const redactor = new Redactor();
    for (const part of parts) {
      for (const wasCut of [false, true]) {
        const text = `${part.repeat(Math.ceil(70_000 / part.length))}!`;
        const start = process.cpuUsage();
        redactor.text(text, 'details.x', wasCut);
        const { user, system } = process.cpuUsage(start);
        expect((user + system) / 1_000, part).toBeLessThan(500);
      }
    }
  });
});

describe('the README on redaction', () => {
  it('lists the names of every kind of secret', () => {
    const listed = Object.fromEntries(
      rows('secrets').map(([kind, names = '']) => [
        kind,
        [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
      ]),
    );
    expect(listed).toEqual(SECRET_NAMES);
  });

  it.each(rows('in a text'))('shows what is stored of %s', (_, example = '', expected = '') => {
    const [text, masked] = [example, expected].map((cell) => cell.replaceAll('`', ''));
    expect(detail({ text })).toEqual({ text: masked });
  });

  it('says which keys stay readable', () => {
    for (const key of [
      'tokenCount',
      'passwordChangedAt',
      'cookieName',
      'promptTokens',
      'maxTokens',
    ]) {
      expect(readme).toContain(`\`${key}\``);
      expect(detail({ [key]: 'x' })).toEqual({ [key]: 'x' });
    }
    for (const word of ABOUT_WORDS) {
      expect(detail({ [`token_${word}`]: 'x' })).toEqual({ [`token_${word}`]: 'x' });
    }
    for (const word of NUMBER_WORDS) {
      expect(detail({ [`${word}Tokens`]: 5 })).toEqual({ [`${word}Tokens`]: 5 });
      expect(detail({ [`${word}Token`]: 5 })).toEqual({ [`${word}Token`]: '[redacted]' });
    }
  });
});

describe('wordsOf', () => {
  it.each([
    ['newPassword', ['new', 'password']],
    ['DB_PASSWORD', ['db', 'password']],
    ['x-api-key', ['x', 'api', 'key']],
    ['XAPIKey', ['xapi', 'key']],
    ['APIKey2', ['api', 'key', '2']],
    ['user[password]', ['user', 'password']],
    ['', []],
  ])('splits %s', (key, words) => {
    expect(wordsOf(key)).toEqual(words);
  });
});

describe('an allow list', () => {
  const allow = ['details.order.id', 'details.items.*.sku', 'details.note', 'error.code'];

  it('stores nothing else of details and errors', () => {
    const order = { id: 7, total: 5, password: S };
    const items = [{ sku: 'a', price: 2 }, 'b', { sku: { deep: 1 } }];
    expect(
      detail({ order, items, note: `pwd=${S}`, at: new Date(0), other: [1, { a: 2 }] }, { allow }),
    ).toEqual({
      order: { id: 7, total: '[redacted]', password: '[redacted]' },
      items: [{ sku: 'a', price: '[redacted]' }, '[redacted]', { sku: { deep: 1 } }],
      note: 'pwd=***',
      at: '[redacted]',
      other: ['[redacted]', { a: '[redacted]' }],
    });
    const error = Object.assign(new TypeError('secret', { cause: new Error('inner') }), {
      code: 'E',
    });
    expect(JSON.parse(stored({ error }, { allow })).error).toEqual({
      name: 'TypeError',
      message: '[redacted]',
      code: 'E',
      cause: { name: 'Error', message: '[redacted]' },
    });
  });

  it('can be empty, and refuses paths of other fields', () => {
    expect(detail({ a: 1, b: { c: 2 } }, { allow: [] })).toEqual({
      a: '[redacted]',
      b: { c: '[redacted]' },
    });
    expect(() => new Redactor({ allow: ['actor.name'] })).toThrow("got 'actor.name'");
  });
});

describe('own rules', () => {
  it('match words, keep the order of the rules, and mask the fields of texts only if told to', () => {
    const rules = [
      { keys: ['iban'], action: 'drop' as const },
      { keys: ['customerIban', 'email'], action: 'mask' as const },
    ];
    const details = { customer_iban: 1, email: true, workEmail: 'x', text: 'iban=5' };
    expect(detail(details, { rules })).toEqual({
      customer_iban: '[redacted]',
      email: '[redacted]',
      workEmail: '[redacted]',
      text: 'iban=5',
    });
    const withValues = [...rules, { values: 'secrets' as const, action: 'mask' as const }];
    expect(detail({ text: 'iban=5' }, { rules: withValues })).toEqual({ text: 'iban=***' });
  });

  it.each([
    [{ keys: ['--'], action: 'mask' }, 'letter or digit'],
    [{ values: 'all', action: 'mask' }, 'values'],
    [{ values: 'secrets', action: 'drop' }, 'action'],
  ])('are refused if they cannot match: %j', (rule, message) => {
    expect(() => new Redactor({ rules: [rule as never] })).toThrow(message);
  });
});
