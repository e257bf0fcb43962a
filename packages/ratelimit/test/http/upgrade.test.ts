import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { ManualClock } from '@temper/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type HttpRateLimitOptions, rateLimitUpgrade } from '../../src/http/index.ts';
import { concurrency, fixedWindow, keyed } from '../../src/index.ts';

const still = new ManualClock();
let server: Server | undefined;
const opened: WebSocket[] = [];
afterEach(async () => {
  for (const ws of opened.splice(0)) ws.terminate();
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
});

/** A server of WebSockets that repeats what it hears. */
async function start(options: HttpRateLimitOptions): Promise<number> {
  server = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  const accept = rateLimitUpgrade(options, (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, (ws) => ws.on('message', (data) => ws.send(data))),
  );
  server.on('upgrade', accept);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

/** @returns the status of the handshake: 101 when there is an echo */
async function shake(port: number, keep: WebSocket[] = []): Promise<number | undefined> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/`);
  opened.push(ws);
  return new Promise((resolve, reject) => {
    ws.on('unexpected-response', (_, response) => {
      response.resume();
      resolve(response.statusCode);
    });
    ws.on('error', reject);
    ws.on('open', () => ws.send('hello'));
    ws.on('message', () => {
      keep.push(ws);
      resolve(101);
    });
  });
}

describe('rateLimitUpgrade', () => {
  it('lets sockets pass within the limit, and answers others as a request', async () => {
    const limiter = keyed({ template: fixedWindow({ clock: still, limit: 1, windowMs: 60_000 }) });
    const port = await start({ limits: [{ name: 'sockets', limiter, key: 'address' }] });
    expect(await shake(port)).toBe(101);
    expect(await shake(port)).toBe(429);
    const response = await new Promise<string>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      let text = '';
      socket.on('data', (data) => {
        text += data;
      });
      socket.on('end', () => resolve(text));
      socket.write(
        'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      );
    });
    const [head = '', body = ''] = response.split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 429 Too Many Requests\r\n/);
    expect(head).toMatch(/\r\nretry-after: 60/i);
    expect(head).toMatch(/\r\nratelimit: "sockets";r=0;t=60/i);
    expect(JSON.parse(body)).toMatchObject({ status: 429, 'violated-policies': ['sockets'] });
  });

  it('holds permits until the socket is closed', async () => {
    const limiter = concurrency({ limit: 1 });
    const port = await start({ limits: [{ name: 'sockets', limiter }] });
    const open: WebSocket[] = [];
    expect(await shake(port, open)).toBe(101);
    expect(await shake(port)).toBe(503);
    open[0]?.terminate();
    await expect.poll(() => limiter.stats().inFlight).toBe(0);
    expect(await shake(port)).toBe(101);
  });

  it('answers 500 when a key cannot be found', async () => {
    const limiter = keyed({ template: fixedWindow({ clock: still }) });
    const key = () => JSON.parse('{');
    const port = await start({ limits: [{ name: 'a', limiter, key }] });
    expect(await shake(port)).toBe(500);
  });

  it('survives a client that hangs up while the limit is asked', async () => {
    const limiter = concurrency({ limit: 1 });
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<string>();
    const key = (): Promise<string> => {
      asked.resolve();
      return answer.promise;
    };
    const port = await start({
      limits: [{ name: 'a', limiter: keyed({ limiter: () => limiter }), key }],
    });
    const socket = connect(port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await asked.promise;
    socket.resetAndDestroy();
    await expect
      .poll(() => new Promise((resolve) => server!.getConnections((_, count) => resolve(count))))
      .toBe(0);
    answer.resolve('ann');
    await expect.poll(() => limiter.stats()).toMatchObject({ allowed: 1, inFlight: 0 });
  });
});
