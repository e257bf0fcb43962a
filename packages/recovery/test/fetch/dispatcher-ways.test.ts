import { once } from 'node:events';
import { createServer } from 'node:http';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { settle } from '@temper/testkit/clock';
import { Client, type Dispatcher, interceptors, MockAgent, fetch as undiciFetch } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dispatcherInterceptor } from '../../src/fetch/index.ts';
import { half, ok, status } from './fault-server.ts';
import { agentWith, ask, serve } from './guarded.ts';

describe('the other entry points of undici', () => {
  it('apply backpressure to a large body until the reader is ready', async () => {
    const size = 8 * 1024 * 1024;
    const server = await serve((response) => response.end(Buffer.alloc(size)));
    const { body } = await agentWith().agent.request({
      origin: server.origin,
      path: '/',
      method: 'GET',
    });
    // Far more turns of the event loop than it takes to read the whole body.
    for (let turn = 0; turn < 1000; turn++) await settle();
    expect(server.responses[0]?.writableFinished).toBe(false);
    let read = 0;
    for await (const chunk of body) read += (chunk as Buffer).length;
    expect(read).toBe(size);
  });

  it('work with stream and pipeline, retries included', async () => {
    const server = await serve(status(503), ok('streamed'));
    const { agent } = agentWith();
    const chunks: Buffer[] = [];
    const sink = new Writable({
      write(chunk: Buffer, _, done) {
        chunks.push(chunk);
        done();
      },
    });
    await agent.stream({ origin: server.origin, path: '/', method: 'GET' }, () => sink);
    expect(Buffer.concat(chunks).toString()).toBe('streamed');
    server.script = [ok('piped')];
    const piped = agent.pipeline(
      { origin: server.origin, path: '/', method: 'POST' },
      ({ body }) => body,
    );
    piped.end('x');
    expect(await text(piped)).toBe('piped');
  });

  it('work with fetch, redirects and an abort of the body', async () => {
    const server = await serve(
      status(503),
      (response) => {
        response.writeHead(302, { location: '/there' });
        response.end();
      },
      half(),
    );
    const { agent } = agentWith();
    const controller = new AbortController();
    const response = await undiciFetch(server.url(), {
      dispatcher: agent,
      signal: controller.signal,
    });
    expect([response.status, response.redirected]).toEqual([200, true]);
    const body = expect(response.text()).rejects.toMatchObject({ name: 'AbortError' });
    controller.abort();
    await body;
  });

  it('work with redirects inside, which are followed for one attempt', async () => {
    const server = await serve(
      (response) => {
        response.writeHead(302, { location: '/there' });
        response.end();
      },
      status(503),
      ok('home'),
    );
    const { agent } = agentWith({}, interceptors.redirect({ maxRedirections: 3 }));
    expect(await ask(agent, server)).toEqual([200, 'home']);
    expect(server.seen.map(({ path }) => path)).toEqual(['/', '/there', '/there']);
  });

  it('work with the fetch of Node, on the undici inside Node', async () => {
    const server = await serve(status(503), ok('own'));
    await (await fetch(server.url('/warm-up'))).text(); // makes Node load its dispatcher
    const key = Symbol.for('undici.globalDispatcher.1');
    const own = (globalThis as unknown as Record<symbol, Dispatcher>)[key] as Dispatcher;
    const dispatcher = own.compose(dispatcherInterceptor({ retry: { initialDelayMs: 1 } }));
    server.script = [status(503), status(429), ok('own')];
    const response = await fetch(server.url(), { dispatcher } as object);
    expect([response.status, await response.text()]).toEqual([200, 'own']);
    expect(server.seen).toHaveLength(4);
    await own.close();
  });

  it('work with a client of one origin', async () => {
    const server = await serve(status(503), ok('client'));
    const client = new Client(server.origin);
    onTestFinished(() => client.destroy());
    const guarded = client.compose(dispatcherInterceptor({ retry: { initialDelayMs: 1 } }));
    const { body } = await guarded.request({ path: '/', method: 'GET' });
    expect(await body.text()).toBe('client');
  });

  it('work with a mock agent, though it does not pause', async () => {
    const mock = new MockAgent();
    mock.disableNetConnect();
    onTestFinished(() => mock.close());
    const pool = mock.get('http://origin.example');
    pool.intercept({ path: '/' }).reply(503, 'busy');
    pool.intercept({ path: '/' }).reply(200, 'mocked', { trailers: { own: 'trailer' } });
    const agent = mock.compose(dispatcherInterceptor({ retry: { initialDelayMs: 1 } }));
    const response = await agent.request({
      origin: 'http://origin.example',
      path: '/',
      method: 'GET',
    });
    expect(await response.body.text()).toBe('mocked');
    expect(response.trailers).toEqual({ own: 'trailer' });
  });

  it('pass an upgrade on unchanged', async () => {
    const server = createServer();
    server.on('upgrade', (_, socket) => {
      socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: own\r\n\r\n');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const { guard, agent } = agentWith();
    const { socket } = await agent.upgrade({
      origin: `http://127.0.0.1:${port}`,
      path: '/',
      protocol: 'own',
    } as Dispatcher.UpgradeOptions);
    socket.destroy();
    expect(guard.stats().breakers).toEqual({});
  });

  it('pass an early hint on, which is not the response', async () => {
    const server = await serve((response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' });
      response.end('after the hint');
    });
    const hints: number[] = [];
    const { statusCode, body } = await agentWith().agent.request({
      origin: server.origin,
      path: '/',
      method: 'GET',
      onInfo: ({ statusCode: code }) => void hints.push(code),
    });
    expect([hints, statusCode, await body.text()]).toEqual([[103], 200, 'after the hint']);
  });
});
