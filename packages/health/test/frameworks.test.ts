import http from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { afterEach, describe, expect, it } from 'vitest';
import { type HealthMonitor, healthFetch, healthHandler, healthMonitor } from '../src/index.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function listening(server: http.Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Each starts a service with its own route `/hello` and the probes, and returns its URL. */
const frameworks: Record<string, (monitor: HealthMonitor) => Promise<string>> = {
  'node:http alone': (monitor) => {
    const probes = healthHandler(monitor, { details: 'always' });
    return listening(
      http.createServer((request, response) => {
        probes(request, response, () => response.end('hello'));
      }),
    );
  },
  'Express 5': (monitor) => {
    const app = express();
    app.use(healthHandler(monitor, { details: 'always' }));
    app.get('/hello', (_request, response) => void response.send('hello'));
    return listening(http.createServer(app));
  },
  'Fastify 5': async (monitor) => {
    const app = fastify();
    const probes = healthHandler(monitor, { details: 'always' });
    app.addHook('onRequest', (request, reply, done) => probes(request.raw, reply.raw, done));
    app.get('/hello', async () => 'hello');
    closers.push(() => app.close());
    return app.listen({ port: 0, host: '127.0.0.1' });
  },
  'Hono by fetch': (monitor) => {
    const app = new Hono();
    const probes = healthFetch(monitor, { details: 'always' });
    app.use(async (c, next) => (await probes(c.req.raw)) ?? next());
    app.get('/hello', (c) => c.text('hello'));
    // A Hono app is a function from Request to Response and needs no server.
    return listening(
      http.createServer(async (request, response) => {
        const url = `http://${request.headers.host}${request.url}`;
        const headers = new Headers(request.headers as Record<string, string>);
        const answer = await app.fetch(
          new Request(url, { method: request.method ?? 'GET', headers }),
        );
        response.writeHead(answer.status, Object.fromEntries(answer.headers));
        response.end(Buffer.from(await answer.arrayBuffer()));
      }),
    );
  },
};

describe.each(Object.entries(frameworks))('with %s', (_name, start) => {
  it('serves the probes and the routes of the application', async () => {
    let dbUp = true;
    const monitor = healthMonitor({
      checks: [{ name: 'db', ttlMs: 0, check: () => dbUp }],
    });
    const base = await start(monitor);
    const get = async (path: string, init?: RequestInit) => {
      const response = await fetch(base + path, init);
      return [response.status, await response.text()];
    };
    expect(await get('/hello')).toEqual([200, 'hello']);
    expect(await get('/readyz')).toEqual([200, 'ok\n']);
    expect(await get('/readyz?verbose')).toEqual([200, '[+]db ok\nreadyz check passed\n']);
    expect(await get('/readyz', { method: 'HEAD' })).toEqual([200, '']);

    dbUp = false;
    expect((await get('/readyz'))[0]).toBe(503);
    expect(await get('/readyz?verbose&exclude=db')).toEqual([
      200,
      '[ ]db excluded: unhealthy\nreadyz check passed\n',
    ]);
    const json = await get('/readyz', { headers: { accept: 'application/health+json' } });
    expect(json[0]).toBe(503);
    expect(JSON.parse(json[1] as string).status).toBe('fail');
    expect(await get('/livez')).toEqual([200, 'ok\n']);
    expect(await get('/startupz')).toEqual([200, 'ok\n']);
    monitor.setReady(false);
    expect((await get('/readyz?exclude=db'))[0]).toBe(503);
    expect(await get('/hello')).toEqual([200, 'hello']);
  });
});

describe('node:http', () => {
  it('responds with 404 to other requests without a next handler', async () => {
    const base = await listening(http.createServer(healthHandler(healthMonitor())));
    expect((await fetch(`${base}/other`)).status).toBe(404);
    expect((await fetch(`${base}/readyz`)).status).toBe(200);
  });

  it('serves the probes below a mount point of Express', async () => {
    const app = express();
    app.use('/internal', healthHandler(healthMonitor()));
    const base = await listening(http.createServer(app));
    expect((await fetch(`${base}/internal/readyz`)).status).toBe(200);
    expect((await fetch(`${base}/readyz`)).status).toBe(404);
  });

  it('keeps serving after clients disconnect before the response', async () => {
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const monitor = healthMonitor({
      checks: [
        {
          name: 'slow',
          check: async () => {
            started.resolve();
            await release.promise;
          },
        },
      ],
    });
    const base = await listening(http.createServer(healthHandler(monitor)));
    const gone = new AbortController();
    const asked = fetch(`${base}/readyz`, { signal: gone.signal }).catch(() => 'hung up');
    await started.promise;
    gone.abort();
    expect(await asked).toBe('hung up');
    release.resolve();
    expect((await fetch(`${base}/readyz`)).status).toBe(200);
  });
});
