import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { ServerOptions } from '../src/handler-options.ts';
import { type GracefulShutdown, gracefulShutdown } from '../src/index.ts';

const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

async function serve(
  server: http.Server,
  options: ServerOptions = {},
): Promise<{ shutdown: GracefulShutdown; port: number }> {
  const shutdown = gracefulShutdown({ delayMs: 0, onReport: () => {} });
  shutdown.server(server, { timeoutMs: 3000, ...options });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  return { shutdown, port: (server.address() as AddressInfo).port };
}

/** Client side of a WebSocket: the messages it receives, and its close code. */
async function webSocket(port: number) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  cleanups.push(() => socket.terminate());
  const messages: string[] = [];
  socket.on('message', (message) => messages.push(String(message)));
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
  });
  await new Promise((resolve) => socket.once('open', resolve));
  return { socket, messages, closed };
}

describe('WebSockets', () => {
  it('closes WebSocket clients through their WebSocket server if it is given', async () => {
    const server = http.createServer();
    const webSockets = new WebSocketServer({ server });
    const { shutdown, port } = await serve(server, { webSockets });
    const clients = await Promise.all([webSocket(port), webSocket(port)]);
    expect((await shutdown.shutdown()).outcome).toBe('completed');
    for (const { closed } of clients) {
      expect(await closed).toEqual({ code: 1001, reason: 'going away' });
    }
  });

  it('sends a close frame to a WebSocket whose server is not given', async () => {
    const server = http.createServer();
    const { shutdown, port } = await serve(server);
    // Added after `shutdown.server`, as a framework plugin may do.
    const webSockets = new WebSocketServer({ server });
    webSockets.on('connection', (socket) => socket.send('welcome'));
    const { messages, closed } = await webSocket(port);
    expect((await shutdown.shutdown()).outcome).toBe('completed');
    expect((await closed).code).toBe(1001);
    expect(messages).toEqual(['welcome']);
  });

  it('destroys a WebSocket whose client does not answer at the time limit', async () => {
    const server = http.createServer();
    const webSockets = new WebSocketServer({ server });
    const { shutdown, port } = await serve(server, { webSockets, timeoutMs: 300 });
    const raw = connect(port, '127.0.0.1');
    cleanups.push(() => raw.destroy());
    raw.write(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    const closed = new Promise((resolve) =>
      raw
        .on('close', resolve)
        .on('error', () => {})
        .resume(),
    );
    while (webSockets.clients.size === 0) await sleep(2);
    expect((await shutdown.shutdown()).outcome).toBe('timed_out');
    await closed;
  });

  it('closes a WebSocket that is opened during the drain', async () => {
    const held = Promise.withResolvers<void>();
    const server = http.createServer(async (_request, response) => {
      await held.promise;
      response.end();
    });
    const webSockets = new WebSocketServer({ server });
    const { shutdown, port } = await serve(server, { webSockets });
    const agent = new http.Agent({ keepAlive: true });
    cleanups.push(() => agent.destroy());
    const request = http.get({ port, host: '127.0.0.1', agent });
    while (shutdown.inFlight() === 0) await sleep(2);
    // A connection that was accepted earlier and upgrades during the drain.
    const raw = connect(port, '127.0.0.1');
    cleanups.push(() => raw.destroy());
    await new Promise((resolve) => raw.once('connect', resolve));
    await sleep(20);
    const done = shutdown.shutdown();
    await sleep(50);
    const frames: Buffer[] = [];
    raw.on('data', (data: Buffer) => frames.push(data)).on('error', () => {});
    raw.write(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    const closeFrame = Buffer.from([0x88, 12, 0x03, 0xe9]);
    while (!Buffer.concat(frames).includes(closeFrame)) await sleep(2);
    raw.destroy();
    held.resolve();
    request.on('response', (response) => response.resume());
    expect((await done).outcome).toBe('completed');
  });
});

describe('other upgrades', () => {
  const echoServer = () => {
    const server = http.createServer();
    server.on('upgrade', (_request, socket) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n',
      );
      socket.resume();
    });
    return server;
  };

  /** Requests the upgrade and waits for the response. */
  async function upgrade(port: number, answer: string) {
    const raw = connect(port, '127.0.0.1');
    cleanups.push(() => raw.destroy());
    const client = { text: '', ended: new Promise((resolve) => raw.once('end', resolve)) };
    raw.on('data', (data) => {
      client.text += data;
    });
    raw.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    while (!client.text.includes(answer)) await sleep(2);
    return client;
  }

  it('ends an upgraded socket that is not a WebSocket', async () => {
    const { shutdown, port } = await serve(echoServer());
    const { ended } = await upgrade(port, '101');
    expect((await shutdown.shutdown()).outcome).toBe('completed');
    await ended;
  });

  it("closes an upgraded socket with the user's closeUpgraded", async () => {
    const told: (string | undefined)[] = [];
    const { shutdown, port } = await serve(echoServer(), {
      closeUpgraded: (socket, request) => {
        told.push(request.headers.upgrade);
        socket.end('goodbye');
      },
    });
    const client = await upgrade(port, '101');
    expect((await shutdown.shutdown()).outcome).toBe('completed');
    await client.ended;
    expect(client.text).toMatch(/goodbye$/);
    expect(told).toEqual(['echo']);
  });

  it('leaves an upgrade request to HTTP if there is no upgrade listener', async () => {
    const server = http.createServer((_request, response) => response.end('plain HTTP'));
    const { port } = await serve(server);
    expect((await upgrade(port, 'plain HTTP')).text).toContain('200 OK');
  });
});
