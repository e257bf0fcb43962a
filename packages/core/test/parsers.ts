import type { Parser } from '@temper/testkit/repository/fuzz';
import { classify } from '../src/classify.ts';
import { maskCredentials } from '../src/credentials.ts';
import { parseRetryAfter, retryAfterOf } from '../src/retry-after.ts';
import { messageOf, safeLines, safeText } from '../src/text.ts';

const NOW = Date.UTC(2026, 0, 1);

function holds(law: boolean, what: string): void {
  if (!law) throw new Error(what);
}

/** Texts with everything that is masked. */
const TEXTS: readonly string[] = [
  'connect ECONNREFUSED https://user:hunter2@db.example.com:5432/orders?password=a%20b&x=1',
  '{"password": "hunter2", \'api_key\'=\'abc\', authorization: Bearer abcdefgh.ijkl}',
  'cookie: a=b; set-cookie: "c\\"d"\nx-api-key=>\'q\' token = eyJhbGciOi.eyJzdWIiOi.c2ln',
  '-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\r\nuser:secret@host.example',
  '\u001b[31mred\u001b[0m \u001b]8;;https://x\u0007link \u202e evil ghp_0123456789abcdef AKIAABCDEFGHIJKLMNOP',
  'Error: basic dXNlcjpwYXNzd29yZA==\n    at f (/app/x.js:1:2)\n    at g (/app/y.js:3:4)',
];

/** The parsers of text from elsewhere, with the laws that hold for every text. */
export const PARSERS: readonly Parser[] = [
  {
    name: 'Retry-After',
    accepted: [
      '120',
      '0',
      ' 7 ',
      'Sun, 06 Nov 1994 08:49:37 GMT',
      'Sunday, 06-Nov-94 08:49:37 GMT',
      'Sun Nov  6 08:49:37 1994',
    ],
    refused: ['', '-1', '1.5', 'soon', '2026-01-01', '1e3'],
    parse: (text) => {
      const ms = parseRetryAfter(text, NOW);
      holds(ms === undefined || (Number.isFinite(ms) && ms >= 0), `a wait of ${ms} ms`);
      return ms;
    },
  },
  {
    name: 'text of errors',
    accepted: TEXTS,
    parse: (text) => {
      const safe = safeText(text, 100);
      holds(safe.length <= 100 && safe.isWellFormed(), 'bounded and well-formed');
      holds(!/\p{Cc}/u.test(safe), 'no control characters');
      const lines = safeLines(text, 5, 100).split('\n');
      holds(lines.length <= 6 && lines.every((line) => line.length <= 100), 'bounded lines');
      return messageOf(new Error(text, { cause: text }), 100);
    },
  },
  {
    name: 'credentials in text',
    accepted: TEXTS,
    parse: (text) => {
      const masked = maskCredentials(text);
      holds(masked.length <= 3 * text.length + 3, 'a bounded text');
      return masked + maskCredentials(text, true);
    },
  },
  {
    name: 'errors of clients',
    accepted: [
      'read ECONNRESET',
      'Proxy response (503) !== 200 when HTTP Tunneling',
      'LOADING Redis is loading the dataset in memory',
      'MOVED 3999 127.0.0.1:6381',
      'Connection refused (os error 111)',
    ],
    parse: (text) => {
      const headers = { 'retry-after': text, 'grpc-retry-pushback-ms': text };
      for (const more of [
        {},
        { code: text },
        { name: text },
        { response: { status: 503, headers } },
      ]) {
        const error = Object.assign(new Error(text), more);
        const ms = retryAfterOf(error, NOW);
        holds(ms === undefined || (Number.isFinite(ms) && ms >= 0), `a wait of ${ms} ms`);
        holds(typeof classify(error).transient === 'boolean', 'a verdict');
      }
      return classify(text);
    },
  },
];
