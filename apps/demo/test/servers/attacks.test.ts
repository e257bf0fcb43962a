import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { abuserOf, medianMs, othersOf, unnoticedMs } from '../../src/drills/abusive-client.ts';
import { EXPENSIVE_REQUESTS, hugeDefinition } from '../../src/drills/expensive-requests.ts';
import { HttpCaller, type HttpQuestion } from '../../src/drills/http-caller.ts';
import {
  type ClientResult,
  type LoadClient,
  MAX_UNDER_WAY,
  sendFor,
} from '../../src/drills/load-client.ts';
import { holdConnections } from './held-connections.ts';
import { json, type RunningService, runService, temporaryDir } from './running-service.ts';

/** Time of the others alone, and as long again beside the attack. */
const PART_MS = 6_000;
const WARM_UP_MS = 2_000;
const TIMEOUT_MS = 60_000;

const post = (path: string, body: object): HttpQuestion => ({
  method: 'POST',
  path,
  body: JSON.stringify(body),
});
const times = <T>(count: number, make: (at: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, at) => make(at));

const position = { line: 0, character: 20_000 };
const PACKAGES = ['core', 'math', 'text', 'sequence', 'stats', 'report'];
const using = (names: readonly string[]): string =>
  names.map((name) => `use std.${name}`).join('\n');
const COPIES = `let s = "0123456789abcdef"
while length(s) < 500000 { s = s + s }
while true { s = substring(s + s, 0, 524288) }`;
const structure = { methods: { read: { parameters: ['int'], result: 'string' } } };
const wide = times(50, (at) => ({
  name: `P${at}`,
  ...(at > 0 && { extends: [`P${at - 1}`] }),
  methods: { read: { parameters: ['int'], result: 'string' } },
}));

/** What a request may say of itself without being the operator's. */
const CLAIMS: readonly Readonly<Record<string, string>>[] = [
  { 'sec-fetch-site': 'same-origin' },
  { 'sec-fetch-site': 'none', origin: 'http://localhost:8080' },
  { authorization: 'Bearer undefined' },
  { authorization: `Bearer ${'0'.repeat(64)}` },
  { cookie: 'token=1', 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '127.0.0.1' },
  { 'x-forwarded-host': 'localhost', forwarded: 'for=127.0.0.1;host=localhost' },
];
/** Faults that others would notice at once. */
const FAULTS = ['event-loop-stall', 'registry-refused', 'lsp-crash', 'audit-disk-full'];
const claims = CLAIMS.flatMap((headers) => [
  { path: '/v1/session', headers },
  { ...post('/v1/heap-snapshot', {}), headers },
  ...FAULTS.map((name) => ({ ...post('/v1/faults', { name, on: true }), headers })),
]);

/** What is done to a service besides, while the abuser sends. */
type Besides = (service: RunningService, dataDir: string) => Disposable;

const NOTHING: Besides = () => ({ [Symbol.dispose]: () => {} });

/** The requests of the operator from another site, at the service and at its metrics. */
const withWrongHosts: Besides = ({ url, demo }) => {
  const metrics = /^metrics: +(\S+)/m.exec(demo.stderr())?.[1] as string;
  const stack = new DisposableStack();
  const ask = (path: string): string =>
    `GET ${path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`;
  stack.use(holdConnections(metrics, { connections: 4, text: ask('/metrics') }));
  stack.use(holdConnections(url, { connections: 4, text: ask('/v1/policies') }));
  return stack;
};

/** Headers that never end, event streams that nobody reads, and requests with two hosts. */
const withConnections: Besides = ({ url }) => {
  const { host } = new URL(url);
  const request = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n`;
  const stack = new DisposableStack();
  const slow = { connections: 200, text: `${request('/livez')}X-A: `, drip: 'a' };
  stack.use(holdConnections(url, slow));
  stack.use(holdConnections(url, { connections: 40, text: `${request('/v1/events')}\r\n` }));
  const twice = `${request('/v1/policies')}Host: ${host}\r\nConnection: close\r\n\r\n`;
  stack.use(holdConnections(url, { connections: 4, text: twice }));
  return stack;
};

/** Another process has the registry's database. */
const withLockedDatabase: Besides = (_service, dataDir) => {
  const other = new DatabaseSync(join(dataDir, 'registry', 'registry.sqlite'));
  other.exec('PRAGMA locking_mode = NORMAL; BEGIN IMMEDIATE');
  return { [Symbol.dispose]: () => other.close() };
};

/** Attacks with more than requests, by name: what the abuser sends, and what is done besides. */
const ATTACKS_BESIDES: Readonly<Record<string, readonly [readonly HttpQuestion[], Besides]>> = {
  'claims to be the operator, and asks for other hosts': [claims, withWrongHosts],
  'on connections that never end': [[{ path: '/v1/health' }], withConnections],
  'requests of packages while the database of the registry is locked': [
    PACKAGES.map((name) => ({ path: `/v1/packages/std.${name}` })),
    withLockedDatabase,
  ],
};

/** What one client without a token sends as fast as it can, in turn. */
const ATTACKS: Readonly<Record<string, readonly HttpQuestion[]>> = {
  'endless programs': [post('/v1/run', { source: 'while true { }' })],
  'definitions of 64 KiB': times(40, (at) =>
    post('/v1/compile', { source: 'print(1)', definition: hugeDefinition(at) }),
  ),
  'built-in functions that copy megabytes': [post('/v1/run', { source: COPIES })],
  'names of Object.prototype': Object.getOwnPropertyNames(Object.prototype).flatMap((name) => [
    post('/v1/run', { source: `use ${name}\nprint(${name}.f(1))` }),
    post('/v1/check', { protocols: [{ name }], against: [name], structure: {} }),
    { path: `/v1/packages/${name}` },
  ]),
  'protocols that extend each other': [
    post('/v1/check', { protocols: wide, against: wide.map(({ name }) => name), structure }),
  ],
  'programs of many packages': [post('/v1/run', { source: using(PACKAGES) })],
  'programs of packages that do not exist': [
    post('/v1/run', { source: using([...PACKAGES, ...times(14, (at) => `missing${at}`)]) }),
  ],
  'hovers over 32 kB of one word': [post('/v1/lsp/hover', { text: 'A'.repeat(32_768), position })],
  'documents that take long to analyse': ['completion', 'tokens', 'rename'].map((method) =>
    post(`/v1/lsp/${method}`, {
      text: 'let a = fn(x) { return x }\n'.repeat(1_200),
      position: { line: 0, character: 4 },
      ...(method === 'rename' && { newName: 'b' }),
    }),
  ),
  'the most expensive requests of each kind': EXPENSIVE_REQUESTS,
};

async function statesOf({ call, withToken }: RunningService): Promise<readonly string[]> {
  const { breakers } = json<{ breakers: Record<string, { state: string }> }>(
    await call({ path: '/v1/policies', headers: withToken }),
  );
  return Object.values(breakers).map(({ state }) => state);
}

interface Seen {
  readonly requestMs: number;
  readonly abuser: ClientResult;
  /** The others of the service, beside the abuser. */
  readonly others: ClientResult;
  /** The longest p99 latency of the others without it: before, and at the same time at the other service. */
  readonly aloneMs: number;
}

/** Sends an attack at one service, while the others send the same to it and to one that nobody attacks. */
async function attacked(
  service: RunningService,
  control: RunningService,
  attack: readonly HttpQuestion[],
  besides: () => Disposable,
): Promise<Seen> {
  const { signal } = new AbortController();
  using abuserCaller = new HttpCaller(service.url, MAX_UNDER_WAY, TIMEOUT_MS);
  using caller = new HttpCaller(service.url, MAX_UNDER_WAY, TIMEOUT_MS);
  using controlCaller = new HttpCaller(control.url, MAX_UNDER_WAY, TIMEOUT_MS);
  const here = (): LoadClient => othersOf(caller, service.token);
  const there = (): LoadClient => othersOf(controlCaller, control.token);
  // The first requests of a service are slower than those that follow.
  await sendFor(WARM_UP_MS, signal, [here(), there()]);
  const requestMs = await medianMs(abuserCaller, attack, signal);
  const abuser = abuserOf(abuserCaller, attack);
  const [before, beside, elsewhere] = [here(), here(), there()];
  await sendFor(PART_MS, signal, [before]);
  using _besides = besides();
  await sendFor(PART_MS, signal, [beside, elsewhere, abuser]);
  const aloneMs = Math.max(before.result().p99Ms, elsewhere.result().p99Ms);
  return { requestMs, abuser: abuser.result(), others: beside.result(), aloneMs };
}

describe('others notice nothing of a client that sends', () => {
  const all = [
    ...Object.entries(ATTACKS).map(([name, attack]) => [name, attack, NOTHING] as const),
    ...Object.entries(ATTACKS_BESIDES).map(([name, both]) => [name, ...both] as const),
  ];
  it.each(all)('%s', async (_name, attack, besides) => {
    const dataDir = temporaryDir();
    const [service, control] = await Promise.all([
      runService(['--no-load', `--data-dir=${dataDir}`]),
      runService(),
    ]);
    const result = await attacked(service, control, attack, () => besides(service, dataDir));
    const { abuser, others, aloneMs, requestMs } = result;
    const seen = JSON.stringify(result, undefined, 1);
    expect(others.sent, seen).toBeGreaterThan(0);
    expect(others.ok, seen).toBe(others.sent);
    expect(others.p99Ms, seen).toBeLessThanOrEqual(unnoticedMs(aloneMs, requestMs));
    // It sent more than it may, and each of its requests got an answer.
    expect(abuser.limited, seen).toBeGreaterThan(0);
    expect(abuser.sent, seen).toBeGreaterThan(abuser.limited);
    expect(abuser.internalErrors, seen).toBe(0);
    expect(abuser.unanswered, seen).toBe(0);
    expect(new Set(await statesOf(service))).toEqual(new Set(['closed']));
    const { faults } = json<{ faults: { name: string; on: boolean }[] }>(
      await service.call({ path: '/v1/faults', headers: service.withToken }),
    );
    expect(faults.filter(({ on }) => on)).toEqual([]);
  });
});
