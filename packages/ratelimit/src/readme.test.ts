import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { describe, expect, it } from 'vitest';
import { ADAPTIVE_DEFAULTS } from './adaptive/options.ts';
import { CLIENT_DEFAULTS, clientRateLimit, rateLimitMiddleware } from './http/index.ts';
import * as api from './index.ts';
import {
  RATELIMIT_METRICS,
  RATELIMIT_SPANS,
  REJECTION_REASONS,
  REQUEST_OUTCOMES,
} from './semconv.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** The rows of every table whose header is this. */
function tables(...header: readonly string[]): string[][][] {
  const found: string[][][] = [];
  let open: string[][] | undefined;
  for (const line of readme.split('\n')) {
    const cells = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    if (cells.length === 0) open = undefined;
    else if (open !== undefined) open.push(cells);
    else if (header.join() === cells.join()) {
      open = [];
      found.push(open);
    }
  }
  return found.map((rows) => rows.slice(1));
}

const bare = (cell = ''): string => cell.replaceAll('`', '');
const shown = (value: unknown): string =>
  typeof value === 'string'
    ? `'${value}'`
    : typeof value === 'number' && Number.isFinite(value) && value >= 10_000
      ? String(value).replace(/(\d{3})$/, '_$1')
      : String(value);

/** The options that a maker knows, as the message about one that it does not know tells. */
function known(make: (options: never) => unknown): string[] {
  try {
    make({ misspelt: 1 } as never);
  } catch (error) {
    return (/known are (.*)\.$/.exec((error as Error).message)?.[1] ?? '').split(', ');
  }
  throw new Error('It accepts anything.');
}

const { RATELIMIT_DEFAULTS, KEYED_DEFAULTS, THROTTLE_DEFAULTS, SHARED_DEFAULTS } = api;
const { maxQueue, maxWaitMs, spans } = RATELIMIT_DEFAULTS;
const queue = { maxQueue, maxWaitMs, spans };
const { algorithm, leaseMs, askAgainMs, ...sharedByAll } = SHARED_DEFAULTS;

/** The tables in the README's order: who knows the options, and what the code's defaults are. */
const EXPECTED: [string, ((options: never) => unknown)[], object][] = [
  [
    'rate limits',
    [api.tokenBucket, api.gcra, api.slidingWindow, api.fixedWindow],
    RATELIMIT_DEFAULTS,
  ],
  ['concurrency', [api.concurrency], { ...queue, ...api.CONCURRENCY_DEFAULTS }],
  ['keyed', [(options) => api.keyed(() => api.tokenBucket(), options)], KEYED_DEFAULTS],
  ['adaptive', [api.adaptiveConcurrency], { ...queue, ...ADAPTIVE_DEFAULTS }],
  ['throttle', [api.throttle], THROTTLE_DEFAULTS],
  ['shared rate', [api.sharedRateLimit], { ...RATELIMIT_DEFAULTS, ...sharedByAll, algorithm }],
  [
    'shared concurrency',
    [api.sharedConcurrency],
    { ...queue, ...sharedByAll, ...api.CONCURRENCY_DEFAULTS, leaseMs, askAgainMs },
  ],
  [
    'middleware',
    [rateLimitMiddleware],
    { onStoreUnavailable: 'refuse', forwardedHeader: 'x-forwarded-for', ipv6Prefix: 64 },
  ],
  ['client', [clientRateLimit], { ...queue, ...CLIENT_DEFAULTS }],
];
const optionTables = tables('option', 'default', 'meaning');

describe('the README', () => {
  it('has an example that runs', async () => {
    const example = /## Example\n\n```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    const body = stripTypeScriptTypes(example).replace(
      /import (\{.*\}) from '@temper\/ratelimit';/,
      'const $1 = temper;',
    );
    const AsyncFunction = (async () => {}).constructor as new (
      ...args: string[]
    ) => (temper: typeof api) => Promise<unknown>;
    const results = 'return { sent, answer, availableTokens, requestsInWindow };';
    const outcome = await new AsyncFunction('temper', `${body}; ${results}`)(api);
    expect(outcome).toMatchObject({ sent: 'sent', answer: 'welcome', requestsInWindow: 1 });
  });

  it('has a table of options for every maker', () => {
    expect(optionTables).toHaveLength(EXPECTED.length);
  });

  it.each(EXPECTED.map((row, i) => [...row, i] as const))(
    'lists every option of %s with its default',
    (_, makers, defaults, i) => {
      const rows = new Map(optionTables[i]?.map(([name, value]) => [bare(name), bare(value)]));
      expect([...rows.keys()].sort()).toEqual([...new Set(makers.flatMap(known))].sort());
      for (const [name, value] of Object.entries(defaults)) {
        expect([name, rows.get(name)]).toEqual([name, shown(value)]);
      }
    },
  );

  it('lists every kind', () => {
    const [kinds] = tables('maker', 'lets through');
    const makers = kinds?.map(([maker]) => bare(maker)) ?? [];
    for (const maker of makers)
      expect(new Map(Object.entries(api)).get(maker)).toBeTypeOf('function');
    expect(makers).toHaveLength(10);
  });

  it('lists every metric and span as the code defines it', () => {
    const code = (text: string): string => `\`${text}\``;
    expect(tables('metric', 'instrument', 'unit', 'attributes')[0]).toEqual(
      RATELIMIT_METRICS.map(({ name, instrument, unit, attributes }) => [
        code(name),
        instrument,
        code(unit),
        attributes.map((attribute) => code(attribute.name)).join(', '),
      ]),
    );
    expect(tables('span', 'status')[0]).toEqual(
      RATELIMIT_SPANS.map(({ name, status }) => [code(name), status]),
    );
    for (const outcome of REQUEST_OUTCOMES) expect(readme).toContain(code(outcome));
  });

  it('names the errors, their codes and their reasons', () => {
    const [rows] = tables('error', 'code', 'when');
    const refusal = { reason: 'limit', limit: 1, remaining: 0, retryAfterMs: 5, cost: 1 } as const;
    const errors = [
      new api.RateLimitExceededError('x', refusal),
      new api.StoreUnavailableError('x', new Error('gone')),
    ];
    expect(rows?.slice(0, 2).map(([name, code]) => [bare(name), bare(code)])).toEqual(
      errors.map(({ name, code }) => [name, code]),
    );
    for (const reason of REJECTION_REASONS) expect(rows?.[0]?.[2]).toContain(`\`${reason}\``);
  });
});
