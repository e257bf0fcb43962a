import { createHash } from 'node:crypto';
import { Agent, get as httpGet } from 'node:http';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { FaultPlan, FaultStatus } from '../src/faults/plan.ts';
import type { RegistryProcess } from '../src/launcher.ts';
import type { VersionMetadata } from '../src/metadata.ts';
import {
  ask,
  bearer,
  json,
  registryForFile,
  registryForTest,
  setFaults,
  until,
} from './fixture.ts';

let registry: RegistryProcess;
let end: () => Promise<void>;
beforeAll(async () => {
  ({ registry, end } = await registryForFile({ faults: true }));
});
afterAll(() => end());
afterEach(() => clear());

const PATH = '/packages/std.math';
const DOWNLOAD = '/packages/std.math/1.2.0/download';

const set = (...faults: FaultPlan['faults']) => setFaults(registry, { faults });
const clear = () =>
  ask(registry.controlUrl!, '/faults', { method: 'DELETE', headers: bearer(registry.token) });
const status = async () =>
  json<FaultStatus>(
    await ask(registry.controlUrl!, '/faults', { headers: bearer(registry.token) }),
  );
const get = (path = PATH, timeoutMs?: number) =>
  ask(registry.url, path, timeoutMs === undefined ? {} : { timeoutMs });
const timed = async <T>(work: () => Promise<T>): Promise<{ ms: number; value: T }> => {
  const start = performance.now();
  const value = await work();
  return { ms: performance.now() - start, value };
};
/** The code or message of the error of a failed request. Throws if the request succeeds. */
const failure = async (path = PATH, timeoutMs = 2_000): Promise<string> => {
  const outcome = await get(path, timeoutMs).catch((error: NodeJS.ErrnoException) => error);
  if (!(outcome instanceof Error)) throw new Error(`answered ${outcome.status}`);
  return outcome.code ?? outcome.message;
};

describe('latency', () => {
  it('a latency fault delays every response by latencyMs plus at most jitterMs', async () => {
    await set({ kind: 'latency', latencyMs: 120, jitterMs: 80 });
    for (let i = 0; i < 3; i += 1) {
      const { ms, value } = await timed(() => get());
      expect(value.status).toBe(200);
      expect(ms).toBeGreaterThanOrEqual(119);
      expect(ms).toBeLessThan(3_000);
    }
    expect((await status()).faults[0]).toMatchObject({ kind: 'latency', hits: 3 });
  });

  it('a latency fault combines with an error fault', async () => {
    await set(
      { kind: 'latency', latencyMs: 60 },
      { kind: 'error', status: 500 },
      { kind: 'latency', latencyMs: 60 },
    );
    const { ms, value } = await timed(() => get());
    expect(value.status).toBe(500);
    expect(ms).toBeGreaterThanOrEqual(119);
  });

  it('clearing a latency fault releases waiting requests', async () => {
    await set({ kind: 'latency', latencyMs: 30_000 });
    const waiting = timed(() => get());
    await until(async () => (await status()).faults[0]?.hits === 1);
    await clear();
    const { ms, value } = await waiting;
    expect(value.status).toBe(200);
    expect(ms).toBeLessThan(5_000);
  });
});

describe('error', () => {
  it.each([429, 500, 502, 503, 504] as const)(
    'an error fault responds %i with a problem',
    async (code) => {
      await set({ kind: 'error', status: code });
      const answer = await get();
      expect(answer.status).toBe(code);
      expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
      expect(answer.headers['retry-after']).toBeUndefined();
      expect(json(answer)).toMatchObject({
        status: code,
        code: 'fault',
        traceId: expect.any(String),
      });
    },
  );

  it('an error fault sends Retry-After in seconds', async () => {
    await set({ kind: 'error', status: 503, retryAfterSeconds: 7 });
    expect((await get()).headers['retry-after']).toBe('7');
  });

  it('an error fault sends Retry-After as an HTTP date that is not too early', async () => {
    await set({ kind: 'error', status: 503, retryAfterSeconds: 7, retryAfterFormat: 'date' });
    const before = Date.now();
    const date = (await get()).headers['retry-after']!;
    expect(date).toMatch(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
    expect(Date.parse(date)).toBeGreaterThanOrEqual(before + 7_000);
    expect(Date.parse(date)).toBeLessThanOrEqual(Date.now() + 8_000);
  });
});

describe('refuse', () => {
  it('a refuse fault refuses new connections and breaks kept-alive ones until it is cleared', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const kept = () =>
      new Promise<number>((resolve, reject) => {
        httpGet(`${registry.url}/health`, { agent }, (response) => {
          response.resume().on('end', () => resolve(response.statusCode!));
        }).on('error', reject);
      });
    expect(await kept()).toBe(200);

    expect(await set({ kind: 'refuse' })).toMatchObject({ listening: false });
    expect(await failure()).toBe('ECONNREFUSED');
    await expect(kept()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(await status()).toMatchObject({ listening: false, faults: [{ kind: 'refuse' }] });

    expect(json(await clear())).toEqual({ listening: true, faults: [] });
    expect(await kept()).toBe(200);
    agent.destroy();
  });

  it('a refuse fault breaks a running request', async () => {
    await set({ kind: 'latency', latencyMs: 30_000 });
    const waiting = failure(PATH, 10_000);
    await until(async () => (await status()).faults[0]?.hits === 1);
    await set({ kind: 'refuse' });
    expect(await waiting).toBe('ECONNRESET');
  });

  it('a refuse fault ends after its duration and reopens the same port', async () => {
    await set({ kind: 'refuse', durationMs: 300 });
    expect(await failure()).toBe('ECONNREFUSED');
    await until(async () => (await get().catch(() => undefined))?.status === 200);
    expect(await status()).toEqual({ listening: true, faults: [] });
  });

  it('a refuse fault can be set and cleared in quick succession', async () => {
    for (let i = 0; i < 20; i += 1) {
      await set({ kind: 'refuse' });
      expect(await failure()).toBe('ECONNREFUSED');
      await clear();
      expect((await get()).status).toBe(200);
    }
  });

  it('clearing a refuse fault waits while another process uses the port', async () => {
    const own = await registryForTest({ faults: true });
    await setFaults(own, { faults: [{ kind: 'refuse' }] });
    const squatter = createServer();
    await new Promise<void>((resolve) => {
      squatter.listen(Number(new URL(own.url).port), '127.0.0.1', resolve);
    });
    const reopened = setFaults(own, { faults: [] });
    await sleep(200);
    await new Promise((resolve) => squatter.close(resolve));
    expect(await reopened).toEqual({ listening: true, faults: [] });
    expect((await ask(own.url, '/health')).status).toBe(200);
  });

  it('a refuse fault can be set through the port that it closes', async () => {
    const answer = await ask(registry.url, '/faults', {
      method: 'PUT',
      headers: { ...bearer(registry.token), 'content-type': 'application/json' },
      body: JSON.stringify({ faults: [{ kind: 'refuse' }] }),
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.connection).toBe('close');
    expect(await failure()).toBe('ECONNREFUSED');
  });
});

describe('hang', () => {
  it('a hang fault sends no response and breaks the connection when it is cleared', async () => {
    await set({ kind: 'hang' });
    expect(await failure(PATH, 300)).toBe('timed out');
    const waiting = failure(PATH, 10_000);
    await until(async () => (await status()).faults[0]?.hits === 2);
    await clear();
    expect(await waiting).toBe('ECONNRESET');
    expect((await get()).status).toBe(200);
  });

  it('a hang fault stalls half-way through the body with the connection open', async () => {
    await set({ kind: 'hang', at: 'body' });
    const seen = await new Promise<{ status: number; announced: number; received: number }>(
      (resolve, reject) => {
        httpGet(`${registry.url}${DOWNLOAD}`, { agent: false }, (response) => {
          let received = 0;
          response.on('data', (chunk: Buffer) => {
            received += chunk.length;
          });
          response.on('error', () => undefined);
          setTimeout(() => {
            resolve({
              status: response.statusCode!,
              announced: Number(response.headers['content-length']),
              received,
            });
            response.destroy();
          }, 300);
        }).on('error', reject);
      },
    );
    expect(seen.status).toBe(200);
    expect(seen.received).toBe(seen.announced >> 1);
  });

  it('a hang fault ends after its duration', async () => {
    await set({ kind: 'hang', durationMs: 250 });
    const { ms } = await timed(() => failure(PATH, 10_000));
    expect(ms).toBeGreaterThanOrEqual(200);
    expect(ms).toBeLessThan(3_000);
    expect((await get()).status).toBe(200);
  });
});

describe('cut', () => {
  const partial = (path: string) =>
    new Promise<{ announced: number; received: number; code: string | undefined }>(
      (resolve, reject) => {
        httpGet(`${registry.url}${path}`, { agent: false }, (response) => {
          let received = 0;
          const done = (code?: string) =>
            resolve({ announced: Number(response.headers['content-length']), received, code });
          response.on('data', (chunk: Buffer) => {
            received += chunk.length;
          });
          response.on('error', (error: NodeJS.ErrnoException) => done(error.code));
          response.on('end', () => done());
        }).on('error', reject);
      },
    );

  it.each([
    ['destroy', 0.5],
    ['destroy', 0.9],
    ['short', 0.5],
    ['short', 0],
  ] as const)('a cut fault ends the body early: %s at %d', async (mode, fraction) => {
    await set({ kind: 'cut', mode, fraction });
    for (const path of [PATH, DOWNLOAD]) {
      const { announced, received, code } = await partial(path);
      expect(announced).toBeGreaterThan(100);
      expect(received).toBe(Math.floor(announced * fraction));
      expect(code).toBe('ECONNRESET');
    }
  });

  it('fetch detects a cut fault', async () => {
    await set({ kind: 'cut', mode: 'short' });
    const response = await fetch(`${registry.url}${DOWNLOAD}`);
    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow();
  });
});

describe('corrupt', () => {
  it('a corrupt fault changes the tarball but not its length', async () => {
    await set({ kind: 'corrupt', routes: ['/packages/:name/:version/download'] });
    const metadata = json<VersionMetadata>(await get('/packages/std.math/1.2.0'));
    const answer = await get(DOWNLOAD);
    expect(answer.status).toBe(200);
    expect(answer.body.length).toBe(metadata.sizeBytes);
    expect(createHash('sha256').update(answer.body).digest('hex')).not.toBe(metadata.sha256);
    await clear();
    const healed = await get(DOWNLOAD);
    expect(createHash('sha256').update(healed.body).digest('hex')).toBe(metadata.sha256);
  });
});

describe('a scope', () => {
  it('a fault does not affect other routes and methods', async () => {
    await set({
      kind: 'error',
      status: 503,
      routes: ['/packages/:name/versions'],
      methods: ['GET'],
    });
    expect((await get('/packages/std.math/versions')).status).toBe(503);
    expect((await get('/packages/std.text/versions')).status).toBe(503);
    expect((await get('/packages/std.math')).status).toBe(200);
    const head = await ask(registry.url, '/packages/std.math/versions', { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect((await status()).faults[0]!.hits).toBe(2);
  });

  it('a fault hits with its probability, repeatably with a seed', async () => {
    const run = async (seed: number): Promise<string> => {
      await setFaults(registry, {
        seed,
        faults: [{ kind: 'error', status: 500, probability: 0.4 }],
      });
      let outcomes = '';
      for (let i = 0; i < 60; i += 1) outcomes += (await get('/health')).status === 500 ? 'x' : '.';
      return outcomes;
    };
    const [first, again, other] = [await run(7), await run(7), await run(8)];
    expect(again).toBe(first);
    expect(other).not.toBe(first);
    const failed = [...first].filter((outcome) => outcome === 'x').length;
    expect(failed).toBeGreaterThan(12);
    expect(failed).toBeLessThan(36);
  });

  it('the fault routes are exempt from faults', async () => {
    await set({ kind: 'hang' });
    const answer = await ask(registry.url, '/faults', {
      headers: bearer(registry.token),
      timeoutMs: 2_000,
    });
    expect(answer.status).toBe(200);
  });

  it('each fault ends after its own duration', async () => {
    await set(
      { kind: 'error', status: 500, durationMs: 200 },
      { kind: 'error', status: 503, durationMs: 60_000 },
    );
    expect((await get()).status).toBe(500);
    await until(async () => (await get()).status === 503);
    const [left, ...more] = (await status()).faults;
    expect(more).toEqual([]);
    expect(left).toMatchObject({ status: 503, hits: expect.any(Number) });
    expect(left!.remainingMs).toBeGreaterThan(50_000);
    expect(left!.remainingMs).toBeLessThan(60_000);
  });
});

describe('without --faults', () => {
  it('without --faults there are no fault routes and no control listener', async () => {
    const plain = await registryForTest();
    expect(plain.controlUrl).toBeUndefined();
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await ask(plain.url, '/faults', { method, headers: bearer(plain.token) });
      expect(answer.status, method).toBe(404);
    }
  });
});

describe('while faults are on', () => {
  it.each(['hang', 'latency', 'refuse'] as const)(
    'the process stops immediately during a %s fault',
    async (kind) => {
      const own = await registryForTest({ faults: true });
      await setFaults(own, {
        faults: [kind === 'latency' ? { kind, latencyMs: 60_000 } : { kind }],
      });
      const waiting = ask(own.url, '/health').catch((error: Error) => error);
      await sleep(100);
      const { ms, value } = await timed(() => own.stop());
      expect(value).toEqual({ code: 0, signal: null });
      expect(ms).toBeLessThan(4_000);
      await waiting;
    },
  );
});
