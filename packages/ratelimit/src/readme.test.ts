import { readFileSync } from 'node:fs';
import * as nodeHttp from 'node:http';
import type { AddressInfo } from 'node:net';
import { stripTypes } from '@temper/testkit/repository/strip-types';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { withFrameworks } from '../test/http/readme-applications.ts';
import * as adaptive from './adaptive/index.ts';
import { ADAPTIVE_DEFAULTS } from './adaptive/options.ts';
import { CLIENT_DEFAULTS } from './http/client-options.ts';
import * as http from './http/index.ts';
import { HTTP_DEFAULTS } from './http/options.ts';
import * as root from './index.ts';
import { KEYED_DEFAULTS } from './keyed/options.ts';
import { DEFAULT_CONCURRENCY } from './limiters/concurrency.ts';
import { DEFAULT_BURST, RATE_DEFAULTS } from './limiters/options.ts';
import { DEFAULT_SEGMENTS } from './limiters/sliding-window.ts';
import { ATTR_REASON, ATTR_REQUEST_OUTCOME } from './request-semconv.ts';
import { RATELIMIT_METRICS, RATELIMIT_SPANS } from './semconv.ts';
import * as shared from './shared/index.ts';
import { SHARED_CONCURRENCY_DEFAULTS, SHARED_RATE_LIMIT_DEFAULTS } from './shared/options.ts';
import { THROTTLE_DEFAULTS } from './throttle/options.ts';
import { QUEUE_DEFAULTS } from './wait/options.ts';

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

/** The blocks of code, with their imports replaced by {@link DOORS}. */
const BLOCKS = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) =>
  stripTypes(code).replace(
    /import (\{[^}]*\}) from '(.*)';/g,
    (_, names, door) => `const ${names} = doors['${door}'];`,
  ),
);
const DOORS = {
  '@temper/ratelimit': root,
  '@temper/ratelimit/adaptive': adaptive,
  '@temper/ratelimit/http': http,
  '@temper/ratelimit/shared': shared,
  'node:http': nodeHttp,
};

/** Executes a block. @returns the named variables of it */
async function run(block: number, names: string): ReturnType<Block> {
  return new AsyncFunction('doors', `${BLOCKS[block]}; return { ${names} };`)(DOORS);
}
// biome-ignore lint/suspicious/noExplicitAny: the variables of a block have the types of the package
type Block = (doors: typeof DOORS, yours?: never) => Promise<any>;
const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => Block;

const bare = (cell = ''): string => cell.replaceAll('`', '');
const shown = (value: unknown): string =>
  typeof value === 'string'
    ? `'${value}'`
    : typeof value === 'number' && Number.isFinite(value) && value >= 10_000
      ? String(value).replace(/(\d{3})$/, '_$1')
      : String(value);

/** The options that a function knows, by its message about an unknown one. */
function known(make: (options: never) => unknown): string[] {
  try {
    make({ misspelt: 1 } as never);
  } catch (error) {
    return (/known are (.*)\.$/.exec((error as Error).message)?.[1] ?? '').split(', ');
  }
  throw new Error('It accepts anything.');
}

const { maxQueue, maxWaitMs, spans } = QUEUE_DEFAULTS;
const queue = { maxQueue, maxWaitMs, spans };
const { limit, windowMs } = RATE_DEFAULTS;
const rate = { ...queue, limit, windowMs, burst: DEFAULT_BURST, segments: DEFAULT_SEGMENTS };
/** The defaults that the tables show as such: no functions, and no objects. */
const plain = (defaults: object): object =>
  Object.fromEntries(Object.entries(defaults).filter(([, value]) => typeof value !== 'object'));
const { shouldHandle, random, ...throttled } = THROTTLE_DEFAULTS;

/** The tables in the README's order: who knows the options, and what the code's defaults are. */
const EXPECTED: [string, ((options: never) => unknown)[], object][] = [
  ['rate limits', [root.tokenBucket, root.gcra, root.slidingWindow, root.fixedWindow], rate],
  ['concurrency', [root.concurrency], { ...queue, limit: DEFAULT_CONCURRENCY }],
  ['keyed', [root.keyed], KEYED_DEFAULTS],
  ['several limits', [root.allOf, shared.sharedAllOf], queue],
  ['adaptive', [adaptive.adaptiveConcurrency], { ...queue, ...ADAPTIVE_DEFAULTS }],
  ['throttle', [root.throttle], plain(throttled)],
  ['shared rate', [shared.sharedRateLimit], { ...rate, ...plain(SHARED_RATE_LIMIT_DEFAULTS) }],
  ['shared concurrency', [shared.sharedConcurrency], plain(SHARED_CONCURRENCY_DEFAULTS)],
  ['middleware', [http.rateLimitMiddleware], HTTP_DEFAULTS],
  ['client', [http.clientRateLimit], plain(CLIENT_DEFAULTS)],
];
const optionTables = tables('option', 'default', 'meaning');

/** Time stands still until the test ends: no limit fills up because the machine is busy. */
function stopTime(): void {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
}

describe('the README', () => {
  it('has an example that limits', async () => {
    const { sent, answer, perUser, mail, availableTokens, requestsInWindow } = await run(
      0,
      'sent, answer, perUser, mail, availableTokens, requestsInWindow',
    );
    expect({ sent, answer, requestsInWindow }).toEqual({
      sent: 'sent',
      answer: 'welcome',
      requestsInWindow: 1,
    });
    // The example runs by the system clock, which refills the bucket meanwhile.
    expect(Math.floor(availableTokens)).toBe(8);
    // And what it refuses: a sixth call of one user, and a cost above the burst.
    for (let i = 0; i < 4; i++) expect(perUser.tryAcquire({ key: 'ann' })).toBeDefined();
    expect(perUser.tryAcquire({ key: 'ann' })).toBeUndefined();
    expect(perUser.tryAcquire({ key: 'bob' })).toBeDefined();
    await expect(mail.execute(() => 'sent', { cost: 11 })).rejects.toMatchObject({
      reason: 'cost',
    });
  });

  it('has an example of keyed with a limiter per key', async () => {
    const { loaded, limit, perHost, load } = await run(1, 'loaded, limit, perHost, load');
    expect({ loaded, limit }).toEqual({ loaded: 'slow.example/index', limit: 1 });
    const lease = perHost.tryAcquire({ key: 'slow.example' });
    expect(perHost.tryAcquire({ key: 'slow.example' })).toBeUndefined();
    await expect(load('fast.example', '/')).resolves.toBe('fast.example/');
    lease.release();
  });

  it('has an example of an adaptive limit', async () => {
    const { hits, search } = await run(2, 'hits, search');
    expect(hits).toEqual(['a', 'b']);
    expect(search.stats()).toMatchObject({ allowed: 2, inFlight: 0 });
  });

  it('has an example of a shared limit', async () => {
    const { first, second } = await run(3, 'first, second');
    expect(first).toMatchObject({ allowed: true, remaining: 0 });
    expect(second).toMatchObject({ allowed: false, lease: undefined });
    expect(second.retryAfterMs).toBeGreaterThan(0);
  });

  it('has an example of changes', async () => {
    const { many, less, saved, api } = await run(4, 'many, less, saved, api');
    expect(many).toMatchObject({ allowed: true, remaining: 30, limit: 600 });
    expect(less).toMatchObject({ allowed: false, limit: 60 });
    expect(api.take({ key: 'mallory' }).allowed).toBe(false);
    const keys = JSON.parse(saved).keys.map(({ key }: { key: string }) => key);
    expect(keys).toEqual(['ann', 'mallory']);
  });

  it('has an example of a limit that is charged after the answer', async () => {
    const { reply, remaining } = await run(5, 'reply, remaining');
    expect(reply).toEqual({ text: 'hello', used: 120 });
    // The example runs by the system clock, which refills the bucket meanwhile.
    expect(remaining).toBeGreaterThanOrEqual(19_880);
    expect(remaining).toBeLessThan(20_000);
  });

  it('names every change', () => {
    const [rows] = tables('change', 'effect');
    const api = root.keyed({ template: root.tokenBucket() });
    const named = rows!.flatMap(([call = '']) => [...call.matchAll(/`(\w+)\(/g)]);
    expect(named).toHaveLength(6);
    for (const [, name] of named) expect(api).toHaveProperty(name!);
  });

  it('has an example of several limits as one', async () => {
    stopTime();
    const { api, passed, refused } = await run(6, 'api, passed, refused');
    expect(passed).toMatchObject({ allowed: true, limit: 10, remaining: 0 });
    expect(refused).toMatchObject({ allowed: false, refusedBy: 'user' });
    expect(api.take({ key: 'acme/bob', cost: 10 })).toMatchObject({ allowed: true, remaining: 0 });
    await expect(
      api.execute(() => 1, { key: 'acme/ann', cost: 10, timeoutMs: 1 }),
    ).rejects.toMatchObject({ policy: 'user', reason: 'deadline' });
  });

  it('has an example of several shared limits as one', async () => {
    stopTime();
    const { api, passed, refused, everybody } = await run(7, 'api, passed, refused, everybody');
    expect(passed).toMatchObject({ allowed: true, limit: 10, remaining: 0 });
    expect(refused).toMatchObject({ allowed: false, refusedBy: 'user' });
    expect(await api.take({ key: 'bob', cost: 10 })).toMatchObject({ allowed: true });
    await passed.lease.settle(0);
    // The example runs by the system clock, which refills the bucket meanwhile.
    expect((await everybody.peek()).remaining).toBeGreaterThanOrEqual(90);
    expect((await api.take({ key: 'ann', cost: 5 })).allowed).toBe(true);
  });

  it('has an example of an HTTP server that limits', async () => {
    const { server } = await run(8, 'server');
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${server.address().port}/`;
      const statuses: number[] = [];
      for (let i = 0; i < 3; i++) statuses.push((await fetch(url)).status);
      expect(statuses).toEqual([200, 200, 429]);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('has an example that counts failed logins', async () => {
    const { login, failures } = await run(9, 'login, failures');
    const server = nodeHttp.createServer((request, response) => {
      login(request, response, () =>
        response.writeHead(request.url === '/right' ? 200 : 401).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      // Behind a proxy in a private network, and not: then no header is believed.
      const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
      const left = () => failures.peek({ key: '127.0.0.1' }).remaining;
      for (let wrong = 1; wrong <= 5; wrong++) {
        expect((await ask('/right')).status).toBe(200);
        await expect.poll(left).toBe(6 - wrong);
        expect((await ask('/wrong')).status).toBe(401);
        await expect.poll(left).toBe(5 - wrong);
      }
      const refused = await ask('/right');
      expect(refused.status).toBe(429);
      expect(await refused.json()).toEqual({
        error: 'Too many attempts.',
        retryAfterSeconds: 3600,
      });
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('has an example for each framework, which limits in it', async () => {
    const make = () => root.keyed({ template: root.fixedWindow({ limit: 1 }) });
    const limits = [{ name: 'client', limiter: make(), key: () => 'ann' }];
    await withFrameworks(async (yours, ask) => {
      const values = { ...yours, limits };
      const names = Object.keys(values).join(', ');
      const code = `const { ${names} } = yours; ${BLOCKS[10]}; return { serve };`;
      const { serve } = await new AsyncFunction('doors', 'yours', code)(DOORS, values as never);
      expect((await serve(new Request('https://a.example/'))).status).toBe(200);
      // All of them ask one limit, which is used up.
      expect((await serve(new Request('https://a.example/'))).status).toBe(429);
      expect(await ask()).toEqual({
        express: 429,
        fastify: 429,
        hono: 429,
        nest: 429,
        upgrade: 429,
      });
      limits[0]!.limiter.reset({ key: 'ann' });
      expect((await ask()).express).toBe(200);
    });
  });

  it('has no block of code that is not executed here', () => {
    expect(BLOCKS).toHaveLength(11);
  });

  it('has a table of options for every function', () => {
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

  it('lists every kind with its import', () => {
    const doors: Record<string, object> = { '': root, '/adaptive': adaptive, '/shared': shared };
    const [kinds] = tables('function', 'import', 'limits');
    for (const [name, door] of kinds ?? []) {
      expect(new Map(Object.entries(doors[bare(door)] ?? {})).get(bare(name)), name).toBeTypeOf(
        'function',
      );
    }
    expect(kinds).toHaveLength(12);
  });

  it('lists the methods of a limiter', () => {
    const [methods] = tables('method', 'waits', 'returns');
    expect(methods?.map(([call]) => bare(call).replace(/\(.*/, ''))).toEqual([
      'tryAcquire',
      'acquire',
      'take',
      'peek',
    ]);
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
    for (const outcome of ATTR_REQUEST_OUTCOME.values ?? [])
      expect(readme).toContain(code(String(outcome)));
  });

  it('names the errors, their codes and their reasons', () => {
    const [rows] = tables('error', 'code', 'when');
    const refusal = { reason: 'limit', limit: 1, remaining: 0, retryAfterMs: 5, cost: 1 } as const;
    const errors = [
      new root.RateLimitExceededError('x', refusal),
      new shared.StoreUnavailableError('x', new Error('gone')),
    ];
    expect(rows?.slice(0, 2).map(([name, code]) => [bare(name), bare(code)])).toEqual(
      errors.map(({ name, code }) => [name, code]),
    );
    for (const reason of ATTR_REASON.values ?? [])
      expect(rows?.[0]?.[2]).toContain(`\`${reason}\``);
  });
});
