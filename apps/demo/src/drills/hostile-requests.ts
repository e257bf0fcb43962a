import type { HttpQuestion } from './http-caller.ts';

/** A request that should be refused, and how. */
interface HostileRequest {
  readonly what: string;
  readonly question: HttpQuestion;
  /** The status, or statuses, that it may be answered with. */
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

/** Ten times ten of each before: a document of a few hundred bytes that means a thousand million. */
const YAML_BOMB = [
  'a: &a [x, x, x, x, x, x, x, x, x, x]',
  ...'bcdefghi'
    .split('')
    .map(
      (name, index) =>
        `${name}: &${name} [${`*${'abcdefgh'[index]}, `.repeat(9)}*${'abcdefgh'[index]}]`,
    ),
].join('\n');

/** What people and scanners send to a service, and what would hurt one that trusts them. */
export const HOSTILE_REQUESTS: readonly HostileRequest[] = [
  post('no JSON', '/v1/compile', '{"source": ', [400]),
  post('JSON of the wrong shape', '/v1/compile', '[1, 2, 3]', [400]),
  post('a number for a text', '/v1/compile', { source: 7 }, [400]),
  post('a member that is not known', '/v1/compile', { source: '', admin: true }, [400]),
  post('a poisoned prototype', '/v1/compile', '{"source":"","__proto__":{"x":1}}', [400]),
  post('brackets without end', '/v1/compile', deep('[', ']', 50_000), [400]),
  post('a body that is too large', '/v1/compile', { source: 'x'.repeat(300_000) }, [413]),
  post('a source that is too long', '/v1/compile', { source: 'x'.repeat(70_000) }, [400]),
  post('a program that is none', '/v1/compile', { source: '}{ let let = = "' }, [422]),
  post('open brackets alone', '/v1/compile', { source: `print(${'('.repeat(20_000)}` }, [422]),
  post('operators without end', '/v1/compile', { source: `print(${'1+'.repeat(16_000)}1)` }, [422]),
  post(
    'a string that does not end',
    '/v1/compile',
    { source: `print("${'\\'.repeat(30_000)}` },
    [422],
  ),
  post('types that do not fit', '/v1/compile', { source: 'print(1 + "one")' }, [422]),
  post(
    'a function as a value, in C',
    '/v1/compile',
    { source: 'let f = fn(n: int): int { return n }\nprint(f(1))' },
    [422],
  ),
  post('a loop without end', '/v1/run', { source: 'while true { }' }, [422]),
  post(
    'output without end',
    '/v1/run',
    { source: 'while true { print("xxxxxxxxxxxxxxxx") }' },
    [422],
  ),
  post(
    'a string that doubles',
    '/v1/run',
    { source: 'let s = "x"\nwhile true { s = s + s }' },
    [200],
  ),
  post(
    'calls without end',
    '/v1/run',
    { source: 'fn f(n: int): int { return f(n + 1) }\nprint(f(0))' },
    [200],
  ),
  post('a YAML bomb for a definition', '/v1/compile', { source: '', definition: YAML_BOMB }, [422]),
  post(
    'a definition that is none',
    '/v1/compile',
    { source: '', definition: ': : :\n\t- {' },
    [422],
  ),
  post(
    'a package named as a path',
    '/v1/compile',
    { source: 'use "../../etc/passwd" as p\n' },
    [422],
  ),
  post('a package of no registry', '/v1/compile', { source: 'use no.such.package\n' }, [404]),
  post(
    'protocols in a circle',
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
  post('a question at no position', '/v1/lsp/hover', { text: 'print(1)' }, [400]),
  post(
    'a position beyond the text',
    '/v1/lsp/hover',
    { text: 'print(1)', position: { line: 999_999, character: 999_999 } },
    [200],
  ),
  post('a question of no method', '/v1/lsp/__proto__', { text: '' }, [400, 404]),
  post(
    'a rename to no name',
    '/v1/lsp/rename',
    { text: 'let a = 1', position: { line: 0, character: 4 }, newName: '1; drop' },
    [422],
  ),
  post('a fault without the token', '/v1/faults', { name: 'shutdown', on: true }, [401]),
  post('a fault with a guess for a token', '/v1/faults', { name: 'shutdown', on: true }, [401], {
    authorization: `Bearer ${'A'.repeat(43)}`,
  }),
  post('a publish without the token', '/v1/packages', { manifest: {}, files: {} }, [401]),
  post('a form in place of JSON', '/v1/compile', 'source=print(1)', [415], {
    'content-type': 'application/x-www-form-urlencoded',
  }),
  post('text in place of JSON', '/v1/compile', '{"source":""}', [415], {
    'content-type': 'text/plain',
  }),
  post('a page of another origin', '/v1/compile', { source: '' }, [403], {
    origin: 'https://evil.example',
    'sec-fetch-site': 'cross-site',
  }),
  get('a name that was rebound to this machine', '/v1/policies', [421], { host: 'evil.example' }),
  get('the token, from outside of the page', '/v1/session', [403]),
  get('a path that climbs', '/v1/packages/..%2f..%2fetc%2fpasswd', [400, 404]),
  get('a path that climbs, for a file', '/../../../../etc/passwd', [404]),
  get('a name with a null', '/v1/packages/std%00.math', [400]),
  get('a broken escape', '/v1/packages/%E0%A4%A', [400]),
  get('a range that is none', '/v1/packages/std.math?range=%27%20or%201=1', [400, 422]),
  get('a limit that is none', '/v1/audit?limit=1e9', [400]),
  get('a query that is repeated', '/v1/audit?limit=1&limit=2', [400]),
  get('an address that nobody has', '/wp-login.php', [404]),
];
