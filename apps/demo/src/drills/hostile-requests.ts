import type { HttpQuestion } from './http-caller.ts';

/** A hostile request and the responses that are correct for it. */
interface HostileRequest {
  readonly what: string;
  readonly question: HttpQuestion;
  /** The expected statuses. */
  readonly statuses: readonly number[];
}

const post = (
  what: string,
  path: string,
  body: unknown,
  statuses: readonly number[],
  headers: Readonly<Record<string, string>> = {},
): HostileRequest => ({
  what,
  question: {
    method: 'POST',
    path,
    headers,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  },
  statuses,
});

const get = (
  what: string,
  path: string,
  statuses: readonly number[],
  headers: Readonly<Record<string, string>> = {},
): HostileRequest => ({ what, question: { path, headers }, statuses });

const deep = (open: string, close: string, times: number): string =>
  open.repeat(times) + close.repeat(times);

/** A few hundred bytes of YAML that expand to a billion nodes through aliases. */
const YAML_BOMB = [
  'a: &a [x, x, x, x, x, x, x, x, x, x]',
  ...'bcdefghi'
    .split('')
    .map(
      (name, index) =>
        `${name}: &${name} [${`*${'abcdefgh'[index]}, `.repeat(9)}*${'abcdefgh'[index]}]`,
    ),
].join('\n');

/** Malformed, oversized and malicious requests, as users and scanners send them. */
export const HOSTILE_REQUESTS: readonly HostileRequest[] = [
  post('truncated JSON', '/v1/compile', '{"source": ', [400]),
  post('JSON of the wrong shape', '/v1/compile', '[1, 2, 3]', [400]),
  post('a number in place of a string', '/v1/compile', { source: 7 }, [400]),
  post('an unknown property', '/v1/compile', { source: '', admin: true }, [400]),
  post('prototype pollution', '/v1/compile', '{"source":"","__proto__":{"x":1}}', [400]),
  post('deeply nested brackets', '/v1/compile', deep('[', ']', 50_000), [400]),
  post('a body that is too large', '/v1/compile', { source: 'x'.repeat(300_000) }, [413]),
  post('a source that is too long', '/v1/compile', { source: 'x'.repeat(70_000) }, [400]),
  post('a program with syntax errors', '/v1/compile', { source: '}{ let let = = "' }, [422]),
  post(
    '20 000 unclosed parentheses',
    '/v1/compile',
    { source: `print(${'('.repeat(20_000)}` },
    [422],
  ),
  post(
    'a chain of 16 000 operators',
    '/v1/compile',
    { source: `print(${'1+'.repeat(16_000)}1)` },
    [422],
  ),
  post('an unterminated string', '/v1/compile', { source: `print("${'\\'.repeat(30_000)}` }, [422]),
  post('a type error', '/v1/compile', { source: 'print(1 + "one")' }, [422]),
  post(
    'a function value, which C output does not support',
    '/v1/compile',
    { source: 'let f = fn(n: int): int { return n }\nprint(f(1))' },
    [422],
  ),
  post(
    'a package with the name of a member of Object.prototype',
    '/v1/run',
    { source: 'use constructor\nprint(1)' },
    [404],
  ),
  post(
    'protocols with names of Object.prototype',
    '/v1/check',
    {
      protocols: [{ name: 'constructor', extends: ['toString'] }],
      against: ['valueOf'],
      structure: {},
    },
    [422],
  ),
  post(
    'a type with members of Object.prototype',
    '/v1/check',
    {
      protocols: [{ name: 'P', methods: { toString: { parameters: [] } } }],
      structure: { methods: { valueOf: { parameters: [] } } },
    },
    [200],
  ),
  post('an infinite loop', '/v1/run', { source: 'while true { }' }, [422]),
  post(
    'unbounded output',
    '/v1/run',
    { source: 'while true { print("xxxxxxxxxxxxxxxx") }' },
    [422],
  ),
  post(
    'a string that doubles in a loop',
    '/v1/run',
    { source: 'let s = "x"\nwhile true { s = s + s }' },
    [200],
  ),
  post(
    'infinite recursion',
    '/v1/run',
    { source: 'fn f(n: int): int { return f(n + 1) }\nprint(f(0))' },
    [200],
  ),
  post(
    'a YAML bomb as a language definition',
    '/v1/compile',
    { source: '', definition: YAML_BOMB },
    [422],
  ),
  post(
    'an invalid language definition',
    '/v1/compile',
    { source: '', definition: ': : :\n\t- {' },
    [422],
  ),
  post(
    'a path as a package name',
    '/v1/compile',
    { source: 'use "../../etc/passwd" as p\n' },
    [422],
  ),
  post('an unknown package', '/v1/compile', { source: 'use no.such.package\n' }, [404]),
  post(
    'protocols that extend each other',
    '/v1/check',
    {
      protocols: [
        { name: 'A', extends: ['B'] },
        { name: 'B', extends: ['A'] },
      ],
      structure: {},
    },
    [422],
  ),
  post(
    'a language server request without a position',
    '/v1/lsp/hover',
    { text: 'print(1)' },
    [400],
  ),
  post(
    'a position past the end of the text',
    '/v1/lsp/hover',
    { text: 'print(1)', position: { line: 999_999, character: 999_999 } },
    [200],
  ),
  post('an unknown language server method', '/v1/lsp/__proto__', { text: '' }, [400, 404]),
  post(
    'a rename to an invalid identifier',
    '/v1/lsp/rename',
    { text: 'let a = 1', position: { line: 0, character: 4 }, newName: '1; drop' },
    [422],
  ),
  post('switching a fault without the token', '/v1/faults', { name: 'shutdown', on: true }, [401]),
  post(
    'switching a fault with a wrong token',
    '/v1/faults',
    { name: 'shutdown', on: true },
    [401],
    {
      authorization: `Bearer ${'A'.repeat(43)}`,
    },
  ),
  post('publishing without the token', '/v1/packages', { manifest: {}, files: {} }, [401]),
  post('a form body in place of JSON', '/v1/compile', 'source=print(1)', [415], {
    'content-type': 'application/x-www-form-urlencoded',
  }),
  post('a text body in place of JSON', '/v1/compile', '{"source":""}', [415], {
    'content-type': 'text/plain',
  }),
  post('a request from another origin', '/v1/compile', { source: '' }, [403], {
    origin: 'https://evil.example',
    'sec-fetch-site': 'cross-site',
  }),
  get('a DNS rebinding attack', '/v1/policies', [421], { host: 'evil.example' }),
  get('a request for the token', '/v1/session', [404], { 'sec-fetch-site': 'same-origin' }),
  get('path traversal in a package name', '/v1/packages/..%2f..%2fetc%2fpasswd', [400, 404]),
  get('path traversal in a file path', '/../../../../etc/passwd', [404]),
  get('a null byte in a package name', '/v1/packages/std%00.math', [400]),
  get('invalid percent-encoding', '/v1/packages/%E0%A4%A', [400]),
  get('SQL in a version range', '/v1/packages/std.math?range=%27%20or%201=1', [400, 422]),
  get('a non-integer limit', '/v1/audit?limit=1e9', [400]),
  get('a repeated query parameter', '/v1/audit?limit=1&limit=2', [400]),
  get('an unknown path', '/wp-login.php', [404]),
];
