import { describe, expect, it } from 'vitest';
import { maskCredentials } from './credentials.ts';
import { show } from './options.ts';
import { messageOf, safeText } from './text.ts';

const ESC = '\u001b';
const BEL = '\u0007';
const revoked = (target: object): object => {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
};
const hostile = (target: object): object =>
  new Proxy(target, {
    get() {
      throw new Error('hostile');
    },
    getPrototypeOf() {
      throw new Error('hostile');
    },
  });

describe('safeText', () => {
  it.each<[string, string, string]>([
    ['colours', `${ESC}[1;31mred${ESC}[0m`, 'red'],
    ['cursor movements', `a${ESC}[2J${ESC}[Hb`, 'ab'],
    ['private CSI sequences', `a${ESC}[?25lb`, 'ab'],
    ['an OSC title ended by BEL', `a${ESC}]0;owned${BEL}b`, 'ab'],
    ['an OSC hyperlink ended by ST', `a${ESC}]8;;http://evil${ESC}\\b`, 'ab'],
    ['an OSC sequence without an end', `a${ESC}]0;owned`, 'a'],
    ['two-character escapes', `a${ESC}cb`, 'ab'],
    ['a single escape', `a${ESC}`, 'a\ufffd'],
    ['8-bit CSI', 'a\u009b31mb', 'a\ufffd31mb'],
    ['line breaks', 'a\r\nb\u2028c\u2029d\u0085e\tf', 'a b c d e f'],
    ['NUL and backspace', 'a\u0000b\u0008c', 'a\ufffdb\ufffdc'],
    ['bidirectional overrides', 'a\u202egnp.exe\u202c', 'a\ufffdgnp.exe\ufffd'],
    [
      'bidirectional isolates and marks',
      '\u2066a\u2069\u200e\u200f\u061c',
      '\ufffda\ufffd\ufffd\ufffd\ufffd',
    ],
    ['zero width spaces', 'a\u200bb\ufeff', 'a\ufffdb\ufffd'],
    ['lone surrogates', 'a\ud800b\udc00c', 'a\ufffdb\ufffdc'],
  ])('removes or replaces %s', (_, text, expected) => {
    expect(safeText(text)).toBe(expected);
  });

  it.each([
    '日本語 Ελληνικά العربية',
    'क्\u200dष 👩\u200d🚀 نمی\u200cخواهم',
    'a@b.c wrote "x=1" at 50% & 3 < 4',
    'GET https://registry.npmjs.org/@scope/pkg/-/pkg-1.0.0.tgz?v=1#top 404',
    'https://host:8080/@scope/pkg and ssh://[::1]:22/a@b',
    'https://[2001:db8::1]:8080/@scope',
    'connect ECONNREFUSED 127.0.0.1:4873',
    'Basic authentication failed, bearer token missing, basic credentials required',
    "duplicate key=users_pk for 'name'",
    'C:\\temp\\//x',
    'nginx:1.27@sha256:0123456789abcdef',
    'npm:left-pad@1.3.0 and mailto:bob@example.com',
    'https://registry.example:4873/left-pad@latest',
    'http://localhost:4873/left-pad@latest',
    'Unexpected token: } in JSON at position 7',
    'max_tokens: 5, token_type=bearer, tokenizer: none',
    'git@github.com:owner/name.git at 12:30@home',
  ])('leaves %s as it is', (text) => {
    expect(safeText(text)).toBe(text);
  });

  it.each<[string, string]>([
    ['https://user:pw@host/path', 'https://***@host/path'],
    ['https://user@host', 'https://***@host'],
    ['https://:pw@host', 'https://***@host'],
    ['https://user:@host', 'https://***@host'],
    ['https://user:p@ss@host/a@b', 'https://***@host/a@b'],
    ['https://a@b@c@host', 'https://***@host'],
    ['HTTPS://User:PW@HOST', 'HTTPS://***@HOST'],
    ['postgres://user:pa/ss@host/db', 'postgres://***@host/db'],
    ['postgres://user:pa?s#s@host/db', 'postgres://***@host/db'],
    ['postgresql+psycopg2://user:pw@host/db', 'postgresql+psycopg2://***@host/db'],
    ['mongodb+srv://user:pw@a,b,c/db?w=1', 'mongodb+srv://***@a,b,c/db?w=1'],
    ['redis://:hunter2@host:6379/0', 'redis://***@host:6379/0'],
    ['amqps://u%40x:p%3Aw@host/vhost', 'amqps://***@host/vhost'],
    ['git+ssh://git:pw@host/a.git', 'git+ssh://***@host/a.git'],
    ['//user:pw@cdn.example', '//***@cdn.example'],
    ['https://u:p@[::1]:80/', 'https://***@[::1]:80/'],
    ['"https://u:p@h" and <http://x:y@z>', '"https://***@h" and <http://***@z>'],
    ['https://a:b@c https://d:e@f,https://g:h@i', 'https://***@c https://***@f,https://***@i'],
    [`${'x'.repeat(60)}https://u:p@h`, `${'x'.repeat(60)}https://***@h`],
    [`https://u:hun${ESC}[0mter2@h`, 'https://***@h'],
    ['https://h/?token=abc&x=1#a', 'https://h/?token=***&x=1#a'],
    ['https://h/?x=1&access_token=a.b-c&y=2', 'https://h/?x=1&access_token=***&y=2'],
    [
      'https://h/?X-Amz-Signature=abc&X-Amz-Security-Token=d',
      'https://h/?X-Amz-Signature=***&X-Amz-Security-Token=***',
    ],
    ['https://h/?API_KEY=abc', 'https://h/?API_KEY=***'],
    ['https://h/?subscription-key=abc', 'https://h/?subscription-key=***'],
    ['https://h/?private_token=abc', 'https://h/?private_token=***'],
    ['https://h/#access_token=abc', 'https://h/#access_token=***'],
    ['"https://h/?sig=abc" with 500', '"https://h/?sig=***" with 500'],
    ['Server=db;User Id=sa;Password=hunter2;', 'Server=db;User Id=sa;Password=***'],
    ['host=db user=u password=hunter2 dbname=d', 'host=db user=u password=*** dbname=d'],
    ["host=db password='hun ter2' dbname=d", 'host=db password=*** dbname=d'],
    ['jdbc:postgresql://h/d?user=u&password=hunter2', 'jdbc:postgresql://h/d?user=u&password=***'],
    ['Authorization: Bearer eyJhbGciOi.eyJzdWIi.c2ln', 'Authorization: Bearer ***'],
    ['authorization: basic dXNlcjpodW50ZXIy==', 'authorization: basic ***'],
    ['BEARER abcdefgh1234, then', 'BEARER ***, then'],
    ['bearer 12|abcDEF.gh:ij then', 'bearer *** then'],
    ['postgres://user:12/pw@host/db', 'postgres://***@host/db'],
    ['postgres://user:12/pw@10.0.0.1/db', 'postgres://***@10.0.0.1/db'],
    ['https://user:hun\nter2@host/', 'https://***@host/'],
    ['https://us\r\ner:hun\tter2@host/', 'https://***@host/'],
    ['connect root:hunter2@db.internal:5432', 'connect ***@db.internal:5432'],
    ['connect root:hunter2@localhost', 'connect ***@localhost'],
    ['password=hunter2', 'password=***'],
    ['password=hun#ter2&x', 'password=***'],
    ['DB_PASSWORD: hunter2 was refused', 'DB_PASSWORD: *** was refused'],
    ['token: hunter2', 'token: ***'],
    ['{"token":"hunter2","x":1}', '{"token":***,"x":1}'],
    ['{\\"token\\":\\"hunter2\\"}', '{\\"token\\":\\"***"}'],
    ["{ clientSecret: 'hun ter2' }", '{ clientSecret: *** }'],
    ['x-api-key: hunter2', 'x-api-key: ***'],
    ['{:api_key=>"hunter2"}', '{:api_key=>***}'],
    ['Authorization: token hunter2', 'Authorization: token ***'],
    ['"authorization": "hunter2"', '"authorization": "***"'],
    ['Set-Cookie: session=hunter2; Path=/', 'Set-Cookie: *** Path=/'],
    ['AccountName=a;AccountKey=hunter2==', 'AccountName=a;AccountKey=***'],
    ['user AKIAIOSFODNN7EXAMPLE is denied', 'user *** is denied'],
    ['aws_secret_access_key = wJalrXUtnFEMI/K7MDENG', 'aws_secret_access_key = ***'],
    ['jwt eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl is expired', 'jwt *** is expired'],
    [`remote: ${'ghp'}_0123456789abcdefghij`, 'remote: ***'],
    [`${'xoxb'}-0123456789-abcdef was revoked`, '*** was revoked'],
  ])('masks the credentials in %s', (text, expected) => {
    expect(safeText(text)).toBe(expected);
  });

  it('masks a credential wherever the bound cuts the text', () => {
    const secrets = [
      'postgres://user:hunter2hunter2@host/db',
      'postgres://user:hunter2/hunter2@host/db',
      'https://user:p@hunter2hunter2@host',
      'https://h/?token=hunter2hunter2&x=1',
      'Bearer hunter2hunter2',
      "password='hunter2 hunter2'",
      'password: hunter2hunter2',
      '"token":"hunter2hunter2"',
      'root:hunter2hunter2@db.internal',
      'https://user:hunter2\nhunter2@host/',
      'eyJhunter2hun.hunter2hunter2.hunter2',
    ];
    for (const secret of secrets) {
      for (let before = 0; before < 140; before++) {
        // The escapes are removed, so that the cut of the input can be inside the output.
        for (const filler of ['-', `${ESC}c`]) {
          const text = `${filler.repeat(before)} ${secret} tail ${'-'.repeat(200)}`;
          expect(safeText(text, 32)).not.toContain('hun');
        }
      }
    }
  });

  it.each<[unknown, string]>([
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'true'],
    [-0, '0'],
    [10n, '10n'],
    [Symbol('s'), 'Symbol(s)'],
    [() => {}, 'a function'],
    [[1, 2], 'an array of 2'],
    [{ secret: 'token' }, 'an object'],
  ])('describes %o without its contents', (value, expected) => {
    expect(safeText(value)).toBe(expected);
  });

  it.each<[string, object]>([
    ['object', {}],
    ['array', []],
    ['function', () => {}],
  ])('does not throw for hostile and revoked proxies of an %s', (_, target) => {
    for (const proxy of [hostile(target), revoked(target)]) {
      expect(safeText(proxy)).toMatch(/^an? [a-z ]+$/);
      expect(show(proxy)).toMatch(/^an? [a-z ]+$/);
      expect(messageOf(proxy)).toMatch(/^an? [a-z ]+$/);
    }
  });

  it.each([0, 1, 2, 3, 10])('keeps a bound of %i', (bound) => {
    expect(safeText('abcdefghijklmnop', bound)).toHaveLength(bound);
    expect(messageOf(new Error('abcdefghijkl', { cause: 'mnopqrstuvw' }), bound).length).toBe(
      bound,
    );
    expect(messageOf(hostile({}), bound)).toHaveLength(bound);
  });

  it('ends a shortened text with an ellipsis and splits no surrogate pair', () => {
    expect(safeText('x'.repeat(600))).toBe(`${'x'.repeat(511)}…`);
    expect(safeText('abc😀def', 5)).toBe('abc…');
    expect(safeText('😀'.repeat(1000), 64).isWellFormed()).toBe(true);
  });

  it.each<[string, string]>([
    ['plain text', 'x'],
    ['escapes', `${ESC}[31m`],
    ['unended commands', `${ESC}]`],
    ['URLs', 'a://'],
    ['schemes without separators', 'abcdefghij.'],
    ['open authorities', '//u:'],
    ['at signs', '@'],
    ['parameters', '?token='],
    ['open quotes', "password='"],
    ['authorization fields', 'bearer '],
    ['surrogates', '\ud800'],
    ['spaces', ' '],
  ])('takes no longer for 5 MB of %s than for 20 kB', (_, unit) => {
    const measure = (length: number): number => {
      const text = unit.repeat(Math.ceil(length / unit.length));
      let best = Number.POSITIVE_INFINITY;
      for (let i = 0; i < 5; i++) {
        const start = process.cpuUsage();
        for (let j = 0; j < 4; j++) messageOf(new Error(text));
        const { user, system } = process.cpuUsage(start);
        best = Math.min(best, (user + system) / 4000);
      }
      return best;
    };
    const small = measure(20_000);
    const large = measure(5_000_000);
    // Milliseconds of CPU time. The factor is for a busy machine: linear time would be 250 times.
    expect(large).toBeLessThan(small * 10 + 5);
    expect(large).toBeLessThan(50);
  });
});

describe('messageOf', () => {
  it.each<[unknown, string]>([
    [new Error('no route'), 'no route'],
    ['plain words', 'plain words'],
    [{ message: 'shaped as an error' }, 'shaped as an error'],
    [{ ok: false }, 'an object'],
    [undefined, 'undefined'],
    [null, 'null'],
    [42, '42'],
    [Symbol('s'), 'Symbol(s)'],
    [Object.create(null), 'an object'],
    [[1, 2], 'an array of 2'],
    [new Error(''), 'Error'],
    [Object.assign(new Error(''), { code: 'ECONNRESET' }), 'ECONNRESET'],
    [Object.assign(new Error('x'), { message: 5 }), 'Error'],
  ])('of %o is %s', (failure, expected) => {
    expect(messageOf(failure)).toBe(expected);
  });

  it.each<[string, unknown, string]>([
    [
      'a cause',
      new TypeError('fetch failed', { cause: new Error('refused') }),
      'fetch failed: refused',
    ],
    [
      'the innermost of several causes',
      new Error('a', { cause: new Error('b', { cause: new Error('c') }) }),
      'a: c',
    ],
    ['a cause that is text', new Error('a', { cause: 'why' }), 'a: why'],
    ['a cause without a message by its code', new Error('a', { cause: { code: 'X' } }), 'a: X'],
    ['not a cause without any text', new Error('a', { cause: {} }), 'a'],
    ['not a cause that is null', new Error('a', { cause: null }), 'a'],
    ['not a cause that the message quotes', new Error('a: b', { cause: new Error('b') }), 'a: b'],
    [
      'the errors of an aggregate without a message',
      new AggregateError([new Error('a'), new Error('b')]),
      'a; b',
    ],
    ['equal errors once', new AggregateError([new Error('a'), new Error('a')]), 'a'],
    [
      'three errors of many',
      new AggregateError(['a', 'b', 'c', 'd', 'e'].map((each) => new Error(each))),
      'a; b; c; and 2 more',
    ],
    [
      'an aggregate without a message as cause, as of fetch',
      new TypeError('fetch failed', {
        cause: new AggregateError([new Error('a'), new Error('b')]),
      }),
      'fetch failed: a; b',
    ],
    [
      'the first error of an aggregate with a message',
      new AggregateError([new Error('refused')], 'all failed'),
      'all failed: refused',
    ],
    [
      'nested aggregates',
      new AggregateError([new AggregateError([new Error('a'), new Error('b')]), new Error('c')]),
      'a; b; c',
    ],
    ['an empty aggregate by its name', new AggregateError([]), 'AggregateError'],
  ])('includes %s', (_, failure, expected) => {
    expect(messageOf(failure)).toBe(expected);
  });

  it('follows at most eight causes and stops at a cycle', () => {
    const chain = (depth: number): Error =>
      new Error(`level ${depth}`, depth === 0 ? {} : { cause: chain(depth - 1) });
    expect(messageOf(chain(7))).toBe('level 7: level 0');
    expect(messageOf(chain(1000))).toBe('level 1000: level 992');
    const a: Error & { cause?: unknown } = new Error('a');
    a.cause = new Error('b', { cause: a });
    expect(messageOf(a)).toBe('a: b');
    a.cause = a;
    expect(messageOf(a)).toBe('a');
  });

  it('ends for aggregates that contain themselves or each other many times', () => {
    const cyclic = new AggregateError([]);
    cyclic.errors.push(cyclic, cyclic, cyclic);
    expect(messageOf(cyclic)).toBe('AggregateError');
    let wide = new AggregateError([new Error('x')]);
    for (let i = 0; i < 60; i++) wide = new AggregateError([wide, wide, wide]);
    expect(messageOf(wide)).toBe('AggregateError');
  });

  it.each(['message', 'cause', 'errors', 'code', 'name'])(
    'does not throw what the getter of %s throws',
    (property) => {
      const failure = Object.defineProperty({}, property, {
        get() {
          throw new Error('hostile');
        },
      });
      expect(messageOf(failure)).toBe('an object that cannot be described');
      expect(messageOf(new Error('a', { cause: failure }))).toMatch(/^a|^an object that cannot/);
      expect(messageOf(new AggregateError([failure]))).toBe(
        property === 'cause' ? 'an object' : 'an object that cannot be described',
      );
    },
  );

  it('scrubs and bounds the message, the cause and the errors', () => {
    const secret = 'https://u:hunter2@h';
    for (const failure of [
      new Error(secret),
      new Error('a', { cause: new Error(secret) }),
      new AggregateError([new Error(secret), new Error(secret)]),
      Object.assign(new Error(''), { code: secret }),
    ]) {
      expect(messageOf(failure)).toContain('https://***@h');
      expect(messageOf(failure)).not.toContain('hunter2');
    }
    const long = new Error('x'.repeat(10_000), { cause: new Error('y'.repeat(10_000)) });
    expect(messageOf(long)).toMatch(/^x{253,255}…: y{255,256}…$/);
  });
});

describe('maskCredentials', () => {
  it.each([
    ['https://u:hunter2@h/?token=hunter2&x=1', 'https://***@h/?token=***&x=1'],
    ['a Bearer hunter2hunter2\nb', 'a Bearer ***\nb'],
    ['x -----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY----- y', 'x *** y'],
    ['-----BEGIN PUBLIC KEY-----\nMIIB', '-----BEGIN PUBLIC KEY-----\nMIIB'],
    ['{"token":"for the caller"}', '{"token":"for the caller"}'],
    ['nothing here', 'nothing here'],
  ])('masks what is known by its form in %j', (text, expected) => {
    expect(maskCredentials(text)).toBe(expected);
    expect(maskCredentials(expected)).toBe(expected);
  });

  it('removes the first part of a credential at the end of a text that was cut', () => {
    expect(maskCredentials('see https://user:hunt', true)).toBe('see https://');
    expect(safeText('-----BEGIN PRIVATE KEY-----\nhunter2')).toBe('***');
  });
});
