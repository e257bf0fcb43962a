import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { getRunbook, listRunbooks } from '@temper/runbooks';
import { describe, expect, it } from 'vitest';
import { isProblem } from '../../src/drills/hostile-input.ts';
import { HOSTILE_REQUESTS } from '../../src/drills/hostile-requests.ts';
import { until } from './demo-process.ts';
import { json, type RunningService, runService, temporaryDir } from './running-service.ts';

const HELLO = { source: 'use std.math\nprint(math.gcd(12, 18))\n' };

describe('the HTTP API', () => {
  it('compiles, runs and checks programs, fetches and publishes packages, and answers editors', async () => {
    const { post, call, withToken } = await runService();
    const ran = json(await post('/v1/run', HELLO));
    expect(ran).toMatchObject({ output: '6\n', exitCode: 0, packages: { 'std.math': {} } });
    const compiled = await post('/v1/compile', HELLO);
    expect(json<{ c: string }>(compiled).c).toContain('int main(void)');
    const spanish = { language: 'escuela', source: 'escribe(2 + 3)\n' };
    expect(json(await post('/v1/run', spanish))).toMatchObject({ output: '5\n' });

    const checked = await post('/v1/check', {
      source: 'fn read(n: int): string { return string(n) }\nprint(read(1))\n',
      protocols: [
        { name: 'Reader', methods: { read: { parameters: ['int'], result: 'string' } } },
        { name: 'Writer', methods: { write: { parameters: ['string'] } } },
      ],
    });
    expect(json(checked)).toMatchObject({
      diagnostics: [],
      names: expect.arrayContaining([expect.objectContaining({ name: 'read', kind: 'function' })]),
      reports: [
        { protocol: 'Reader', verdict: 'conforms' },
        { protocol: 'Writer', verdict: 'violates' },
      ],
    });
    const faulty = await post('/v1/check', { source: 'print(1 + "one")' });
    expect(faulty.status).toBe(200);
    expect(json<{ diagnostics: object[] }>(faulty).diagnostics).toHaveLength(1);

    const tree = json(await call({ path: '/v1/packages/std.report?range=^1.0.0&source=true' }));
    expect(tree).toMatchObject({ name: 'std.report', version: '1.0.0', source: /use std.format/ });
    expect(Object.keys((tree.lock as { packages: object }).packages)).toContain('std.core');

    const manifest = { name: 'my.greeting', version: '1.0.0' };
    const files = { 'main.pc': 'fn hello(): string { return "hello" }\n' };
    const published = await post('/v1/packages', { manifest, files }, withToken);
    expect(published.status).toBe(201);
    const again = await post('/v1/packages', { manifest, files }, withToken);
    expect(json(again)).toMatchObject({ status: 409, code: 'conflict' });
    const used = { source: 'use my.greeting as g\nprint(g.hello())\n' };
    expect(json(await post('/v1/run', used))).toMatchObject({ output: 'hello\n' });

    const position = { line: 1, character: 6 };
    const hover = await post('/v1/lsp/hover', { text: 'let x = 5\nprint(x)\n', position });
    expect(JSON.stringify(json(hover).result)).toContain('x: int');
    const diagnostics = await post('/v1/lsp/diagnostics', {
      text: 'use std.math\nprint(math.gcd(1))',
    });
    expect(JSON.stringify(json(diagnostics).result)).toContain('type');
  });

  it('answers every hostile request with an expected status, and errors with a trace id', async () => {
    const { call, demo } = await runService(['--no-load', '--client-limit=100000']);
    for (const { what, question, statuses } of HOSTILE_REQUESTS) {
      const answer = await call(question);
      const context = `${what}: ${answer.body.slice(0, 200)} ${demo.stderr()}`;
      expect(statuses, context).toContain(answer.status);
      if (answer.status >= 400) expect(isProblem(answer), what).toBe(true);
    }
  });

  it('documents every endpoint that a runbook asks, and serves the runbooks', async () => {
    const { call } = await runService();
    const document = json<{ openapi: string; paths: Record<string, Record<string, object>> }>(
      await call({ path: '/v1/openapi.json' }),
    );
    expect(document.openapi).toMatch(/^3\.1\./);
    const asked = listRunbooks().flatMap((id) =>
      (getRunbook(id)?.steps ?? []).flatMap(({ run = '' }) =>
        [...run.matchAll(/(?<!\/api)\/v1\/[\w/-]+/g)].map(([path]) => path),
      ),
    );
    expect(asked.length).toBeGreaterThan(5);
    for (const path of asked) expect(Object.keys(document.paths), path).toContain(path);
    for (const id of listRunbooks()) {
      const runbook = json<{ markdown: string }>(await call({ path: `/v1/runbooks/${id}` }));
      expect(runbook.markdown).toMatch(/^# /);
    }
  });

  it('answers 405 with Allow for an unsupported method and 404 for an unknown path', async () => {
    const { call } = await runService();
    const wrong = await call({ method: 'DELETE', path: '/v1/faults' });
    expect(json(wrong)).toMatchObject({ status: 405, code: 'method-not-allowed' });
    expect(wrong.headers.allow).toBe('GET, HEAD, POST');
    expect(json(await call({ path: '/v1/nowhere' }))).toMatchObject({ status: 404 });
    expect((await call({ path: '/livez' })).status).toBe(200);
    expect((await call({ path: '/readyz' })).status).toBe(200);
  });

  it('rate-limits each client separately and sends RateLimit fields', async () => {
    const { call, withToken } = await runService(['--no-load', '--client-limit=120']);
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => call({ path: '/v1/policies' })),
    );
    const limited = answers.filter(({ status }) => status === 429);
    expect(limited.length).toBeGreaterThanOrEqual(20);
    for (const answer of limited) {
      expect(isProblem(answer)).toBe(true);
      expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
      expect(answer.headers.ratelimit).toMatch(/^"client";r=0;t=\d+$/);
    }
    const other = await call({ path: '/v1/policies', headers: withToken });
    expect(other.status).toBe(200);
    expect(other.headers['ratelimit-policy']).toBe('"client";q=120;w=60');
  });

  it('gives the token to nobody, whatever a request says of itself', async () => {
    const { call, token, demo } = await runService();
    for (const site of ['same-origin', 'same-site', 'none', 'cross-site']) {
      for (const path of ['/v1/session', '/', '/v1/openapi.json', '/v1/policies']) {
        const { body, headers } = await call({ path, headers: { 'sec-fetch-site': site } });
        expect(body + JSON.stringify(headers), path).not.toContain(token);
      }
    }
    // The operator alone reads it, as a part of the address of the page.
    expect(demo.stderr()).toContain(`/#token=${token}`);
  });

  it('has the token of PARSERCRAFT_TOKEN, and does not print it', async () => {
    const own = 'a-token-of-the-operator';
    const { post, demo } = await runService(['--no-load'], { PARSERCRAFT_TOKEN: own });
    const fault = { name: 'memory-leak', on: false };
    const status = async (token: string): Promise<number> =>
      (await post('/v1/faults', fault, { authorization: `Bearer ${token}` })).status;
    expect(await status(own)).toBe(200);
    expect(await status(`${own}x`)).toBe(401);
    expect(demo.stderr()).not.toContain(own);
  });
});

describe('the access of an operator', () => {
  it('needs the token, which only the owner of the data directory can read', async () => {
    const dataDir = temporaryDir();
    const { call, token, withToken, url, demo } = await runService([
      '--no-load',
      `--data-dir=${dataDir}`,
    ]);
    const file = join(dataDir, 'service.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const written = JSON.parse(readFileSync(file, 'utf8'));
    expect(written).toMatchObject({ pid: demo.pid, service: url, token, node: process.execPath });
    expect((await fetch(written.liveness)).status).toBe(200);
    expect((await fetch(written.metrics)).status).toBe(200);

    const verbose = { path: '/readyz?verbose' };
    expect((await call(verbose)).body).not.toContain('lsp');
    expect((await call({ ...verbose, headers: withToken })).body).toContain('[+]lsp ok');
    const snapshot = { method: 'POST', path: '/v1/heap-snapshot' };
    expect((await call(snapshot)).status).toBe(401);
    const taken = await call({ ...snapshot, headers: withToken });
    expect(statSync(json<{ path: string }>(taken).path).size).toBeGreaterThan(1_000_000);
  });

  it('has a rate limit of its own, and the audit log names the client that is refused', async () => {
    const { call, withToken } = await runService(['--no-load', '--client-limit=150']);
    const flood = Array.from({ length: 60 }, () => call({ path: '/v1/policies' }));
    const refused = (await Promise.all(flood)).filter(({ status }) => status === 429).length;
    expect(refused).toBeGreaterThan(20);
    const path = '/v1/audit?status=rejected';
    // The refusals of five seconds are one event.
    await sleep(5_500);
    await until(
      async () => {
        const { status, body } = await call({ path, headers: withToken });
        expect(status).toBe(200);
        const [event] = (JSON.parse(body) as { events: object[] }).events;
        if (event === undefined) return false;
        expect(event).toMatchObject({
          action: 'refuse_requests',
          resource: 'http_client',
          actor: { id: '127.0.0.1' },
          details: { requests: refused },
        });
        return true;
      },
      10_000,
      'the event of the refusals',
    );
  });
});

describe('the HTTP API during the failure of a subsystem', () => {
  it('serves a stale copy with its age, or 503 with Retry-After, until the registry recovers', async () => {
    const { call, fault, post } = await runService();
    const path = '/v1/packages/std.math';
    expect(json(await call({ path })).degraded).toBeUndefined();
    expect((await fault('registry-outage', true)).status).toBe(200);
    const stale = await call({ path });
    expect(stale.status).toBe(200);
    expect(Number(stale.headers.age)).toBeGreaterThanOrEqual(0);
    expect(json(stale)).toMatchObject({ name: 'std.math', degraded: { by: 'stale' } });
    // Without a stale copy the first calls fail at the registry and later ones at the open circuit.
    const never = '/v1/packages/std.text?range=1.0.0';
    await until(
      async () => (await call({ path: never })).status === 503,
      10_000,
      'an open circuit',
    );
    const refused = await call({ path: never });
    expect(json(refused)).toMatchObject({ code: 'circuit-open', breaker: 'registry_fetch' });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    // A program without packages does not need the registry.
    expect((await post('/v1/run', { source: 'print(1)' })).status).toBe(200);
    await fault('registry-outage', false);
    await until(async () => (await call({ path: never })).status === 200, 10_000, 'recovery');
  });

  it('answers 504 when the registry is too slow and there is no stale copy', async () => {
    const { call, fault } = await runService();
    await fault('slow-registry', true);
    const answer = await call({ path: '/v1/packages/std.report' });
    expect(json(answer)).toMatchObject({ status: 504, code: 'timed-out' });
    expect(answer.durationMs).toBeLessThan(6_500);
  });

  it('tells nobody the addresses inside, in problems, errors, health and traces', async () => {
    const { call, post, fault, withToken } = await runService();
    await fault('registry-refused', true);
    const failed = await post('/v1/run', { source: 'use std.math\nprint(math.gcd(4, 6))\n' });
    expect(failed.status).toBeGreaterThanOrEqual(500);
    await until(
      async () => (await call({ path: '/v1/health' })).body.includes('ECONNREFUSED'),
      20_000,
      'the health check of the registry',
    );
    const { traceId } = json<{ traceId: string }>(failed);
    const bodies = [failed.body];
    for (const path of ['/v1/errors', '/v1/health', '/readyz?verbose', `/v1/traces/${traceId}`]) {
      const { body, status } = await call({ path });
      expect(status, path).toBeLessThan(504);
      bodies.push(body);
    }
    bodies.push((await call({ path: '/v1/packages/std.math', headers: withToken })).body);
    const audit = await call({ path: '/v1/audit?status=failure' });
    const { events } = json<{ events: { error: unknown }[] }>(audit);
    expect(events.length).toBeGreaterThan(0);
    // The actor of an event is a client, whose address is not one inside.
    bodies.push(JSON.stringify(events.map(({ error }) => error)));
    const inner = /.{0,80}(?:\d+\.\d+\.\d+\.\d+|localhost|::1|file:|[a-z]+:\/\/|\/work\/|\/tmp\/)/;
    for (const body of bodies) expect(inner.exec(body)?.[0]).toBeUndefined();
    // The operator needs them: the runbooks read which request was slow.
    const all = await call({ path: '/v1/traces?limit=200', headers: withToken });
    expect(all.body).toMatch(/http:\/\/127\.0\.0\.1:\d+\/packages\//);
  });

  it('answers editors from the last valid text while the language server is down', async () => {
    const { post, fault } = await runService();
    const question = { text: 'let x = 5\nprint(x)\n', document: 'mine' };
    const good = json(await post('/v1/lsp/symbols', question));
    expect(good.degraded).toBeUndefined();
    await fault('lsp-crash', true);
    await until(
      async () => {
        const answer = json<{ degraded?: object; result: unknown }>(
          await post('/v1/lsp/symbols', question),
        );
        if (answer.degraded === undefined) return false;
        expect(answer).toMatchObject({ result: good.result, degraded: { by: 'last-good' } });
        return true;
      },
      10_000,
      'a degraded answer',
    );
  });
});

describe('the audit log', () => {
  it('records every change and operation, verifies, and survives a SIGKILL', async () => {
    const dataDir = temporaryDir();
    const first = await runService(['--no-load', `--data-dir=${dataDir}`]);
    await first.post('/v1/run', { source: 'print(1)' });
    await first.fault('flapping', true);
    await first.fault('flapping', false);
    const before = await auditOf(first);
    expect(before.durable).toBe(true);
    expect(before.verification.ok).toBe(true);
    expect(before.events).toContainEqual(
      expect.objectContaining({
        action: 'switch_fault',
        resource: 'flapping',
        details: { on: true },
      }),
    );
    const run = before.events.find(({ action }) => action === 'ast_codegen');
    const trace = json<{ spans: { name: string }[] }>(
      await first.call({ path: `/v1/traces/${run?.traceId}` }),
    );
    expect(trace.spans.map(({ name }) => name)).toContain('POST /v1/run');

    first.demo.child.kill('SIGKILL');
    await first.demo.exited;
    const second = await runService(['--no-load', `--data-dir=${dataDir}`]);
    const after = await auditOf(second);
    expect(after.verification).toMatchObject({ ok: true });
    const hashes = new Set(after.events.map(({ hash }) => hash));
    for (const { hash, action } of before.events) expect(hashes.has(hash), action).toBe(true);
  });
});

interface Audit {
  readonly events: readonly {
    readonly action: string;
    readonly resource: string;
    readonly hash: string;
    readonly traceId?: string;
    readonly details: object;
  }[];
  readonly verification: { readonly ok: boolean };
  readonly durable: boolean;
}

async function auditOf({ call }: RunningService): Promise<Audit> {
  return json<Audit>(await call({ path: '/v1/audit?limit=500' }));
}
