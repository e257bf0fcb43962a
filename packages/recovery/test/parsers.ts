import type { Parser } from '@temper/testkit/repository/fuzz';
import { bytesToSkip, headersForRest, representationOf } from '../src/fetch/resume.ts';
import { parsePlans } from '../src/plan/document.ts';
import { PlanDocumentError } from '../src/plan/errors.ts';

function holds(law: boolean, what: string): void {
  if (!law) throw new Error(what);
}

const head = (status: number, fields: Readonly<Record<string, string>>) => ({
  status,
  header: (name: string) => fields[name],
});

/** The parsers of text from elsewhere, with the laws that hold for every text. */
export const PARSERS: readonly Parser[] = [
  {
    name: 'Content-Range of the rest of a body',
    accepted: ['bytes 10-99/100', 'bytes 10-99/*', 'BYTES 10-99/100'],
    refused: [
      'bytes 9-99/100',
      'bytes 10-100/100',
      'bytes 10-99/101',
      'bytes */100',
      '10-99/100',
      '',
    ],
    parse: (text) => {
      const first = representationOf(head(200, { etag: '"a"', 'content-length': '100' }), true);
      const rest = head(206, { etag: '"a"', 'content-range': text });
      const skip = first && bytesToSkip(first, 10, rest);
      holds(skip === undefined || skip === 0, `skips ${skip} bytes`);
      return skip;
    },
  },
  {
    name: 'fields of a body that is continued',
    accepted: ['"a"', 'W/"a"', '100', 'Sun, 06 Nov 1994 08:49:37 GMT', 'gzip'],
    parse: (text) => {
      for (const name of ['etag', 'content-length', 'last-modified', 'date', 'content-encoding']) {
        const fields = { date: 'Sun, 06 Nov 1994 09:49:37 GMT', etag: '"b"', [name]: text };
        const first = representationOf(head(200, fields), true);
        const asked = first && headersForRest(first, 10);
        holds(asked === undefined || asked.range === 'bytes=10-', 'asks for the rest');
        const length = first?.length;
        holds(length === undefined || Number.isSafeInteger(length), `a length of ${length}`);
      }
      return text;
    },
  },
  {
    name: 'documents of plans',
    accepted: [
      '{"plans":{}}',
      '{"plans":{"fetch":{"strategy":["retry","fallback"],"maxRetries":3,"fallback":"fromCache"}}}',
      '{"plans":{"check":{"strategy":"circuit_break","timeoutMs":5000,"attemptTimeoutMs":{"quantile":0.99}}}}',
    ],
    refused: [
      '',
      '[]',
      '{"plans":[]}',
      '{"plan":{}}',
      '{"plans":{"a":{"strategy":"hope"}}}',
      '{"plans":{"a":{"maxRetries":-1}}}',
      '{"plans":{"a":{"__proto__":{}}}}',
    ],
    refusal: (error) => error instanceof PlanDocumentError && error.message.length < 20_000,
    parse: (text) => {
      const plans = parsePlans(text);
      holds(
        plans.every(({ operation }) => typeof operation === 'string'),
        'each plan has an operation',
      );
      return plans;
    },
  },
];
