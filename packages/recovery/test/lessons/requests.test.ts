// What the issues of other libraries teach about requests that are sent again. They are those of sindresorhus/ky,
// sindresorhus/got and nodejs/undici.
import { settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { ok, status } from '../fetch/fault-server.ts';
import { agentWith, quick, serve, still } from '../fetch/guarded.ts';

describe('a request that is sent again', () => {
  it('ky#230: has its whole body each time', async () => {
    const server = await serve(status(503), status(502), ok('stored'));
    const fetch = quick({ methods: ['POST'] });
    const response = await fetch(server.url(), { method: 'POST', body: '{"token":"x"}' });
    expect(await response.text()).toBe('stored');
    expect(server.seen.map(({ body }) => body)).toEqual(Array(3).fill('{"token":"x"}'));
  });

  it('ky#234: has the body of a Request too', async () => {
    const server = await serve(status(503), ok());
    const request = new Request(server.url(), { method: 'PUT', body: 'whole' });
    expect((await quick()(request)).status).toBe(200);
    expect(server.seen.map(({ body }) => body)).toEqual(['whole', 'whole']);
  });

  it('undici#470: has its body through a dispatcher of undici as well', async () => {
    const server = await serve(status(503), ok());
    const { agent } = agentWith();
    const { statusCode, body } = await agent.request({
      origin: server.origin,
      path: '/',
      method: 'PUT',
      body: 'whole',
    });
    await body.dump();
    expect(statusCode).toBe(200);
    expect(server.seen.map((seen) => seen.body)).toEqual(['whole', 'whole']);
  });

  it('got#1382: has its whole body when that is a stream', async () => {
    const server = await serve(status(503), ok());
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('whole'));
        controller.close();
      },
    });
    const init = { method: 'PUT', body, duplex: 'half' } as RequestInit;
    expect((await quick()(server.url(), init)).status).toBe(200);
    expect(server.seen.map((seen) => seen.body)).toEqual(['whole', 'whole']);
  });

  it('undici#3837: ends with the last response, whose body can be read', async () => {
    const server = await serve((response) => {
      response.writeHead(500, { 'content-type': 'text/plain' });
      response.end('why it failed');
    });
    const response = await quick()(server.url());
    expect(response.status).toBe(500);
    expect(await response.text()).toBe('why it failed');
    expect(server.seen.length).toBeGreaterThan(1);
  });

  it('ky#784: has one timeout for all of its attempts', async () => {
    const server = await serve(status(503));
    let waits = Promise.withResolvers<void>();
    const { clock, fetch } = still({
      totalTimeoutMs: 3_500,
      attemptTimeoutMs: 3_000,
      retry: {
        maxAttempts: 100,
        backoff: 'constant',
        initialDelayMs: 1_000,
        jitter: 'none',
        onRetry: () => waits.resolve(),
      },
    });
    let over = false;
    const call = fetch(server.url()).finally(() => {
      over = true;
    });
    while (!over) {
      await Promise.race([waits.promise, call]);
      waits = Promise.withResolvers();
      await settle();
      await clock.advance(1_000);
    }
    // At 0, 1, 2 and 3 s. The wait after that would end too late, so the last response is the answer.
    expect((await call).status).toBe(503);
    expect(server.seen).toHaveLength(4);
  });
});
