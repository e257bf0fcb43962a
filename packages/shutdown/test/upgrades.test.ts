import http from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
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

  describe.each(['given', 'not given'])('whose server is %s', (which) => {
    /** Answers each message with itself after the time that it names. */
    async function answering(options: ServerOptions, track: boolean) {
      const server = http.createServer();
      const webSockets = new WebSocketServer({ server });
      const { shutdown, port } = await serve(server, {
        ...options,
        ...(which === 'given' ? { webSockets } : {}),
      });
      const received: string[] = [];
      const over = new AbortController();
      cleanups.push(() => over.abort());
      webSockets.on('connection', (socket) => {
        socket.on('message', (data) => {
          const text = String(data);
          if (socket.readyState === WebSocket.OPEN) received.push(text);
          const answered = sleep(Number(text.split(' ')[0]), undefined, {
            signal: over.signal,
          }).then(
            () => socket.send(text),
            () => undefined,
          );
          if (track) void shutdown.track(answered);
        });
      });
      return { shutdown, received, port, client: await webSocket(port) };
    }

    it('answers the message under way before the close frame', async () => {
      const { shutdown, client } = await answering({ timeoutMs: 9000 }, false);
      client.socket.send('400');
      await sleep(50);
      const { outcome, durationMs } = await shutdown.shutdown();
      expect(outcome).toBe('completed');
      expect((await client.closed).code).toBe(1001);
      expect(client.messages).toEqual(['400']);
      // When it is idle, and not at the time limit.
      expect(durationMs).toBeLessThan(7500);
    });

    it('answers every message of clients that pause for less than the grace', async () => {
      const { shutdown, port } = await answering({ idleGraceMs: 2000, timeoutMs: 9000 }, false);
      const ends: object[] = [];
      const clients = Array.from({ length: 20 }, async (_, n) => {
        const { socket, messages, closed } = await webSocket(port);
        let sent = 0;
        const send = () => {
          if (socket.readyState !== WebSocket.OPEN) return;
          sent++;
          socket.send('20');
        };
        // Some pauses are long enough to look like the end of the conversation.
        socket.on('message', () => void sleep(n * 15).then(send));
        send();
        const { code } = await closed;
        ends.push({ code, unanswered: sent - messages.length });
      });
      await sleep(200);
      expect((await shutdown.shutdown()).outcome).toBe('completed');
      await Promise.all(clients);
      expect(ends).toEqual(new Array(20).fill({ code: 1001, unanswered: 0 }));
    });

    it('answers several messages under way, however long that takes, if they are tracked', async () => {
      const { shutdown, client } = await answering({ idleGraceMs: 200 }, true);
      for (const ms of ['1100', '100', '600']) client.socket.send(ms);
      await sleep(50);
      expect((await shutdown.shutdown()).outcome).toBe('completed');
      expect((await client.closed).code).toBe(1001);
      expect(client.messages).toEqual(['100', '600', '1100']);
    });

    it('answers all that a client that never pauses had sent before the close frame', async () => {
      const { shutdown, client, received } = await answering({ idleGraceMs: 300 }, false);
      let sent = 0;
      const next = () => client.socket.send(`${sent++ % 40} ${'x'.repeat(sent % 100)}`);
      client.socket.on('message', next);
      next();
      await sleep(100);
      expect((await shutdown.shutdown()).outcome).toBe('completed');
      expect((await client.closed).code).toBe(1001);
      expect(received.length).toBeGreaterThan(5);
      expect(client.messages).toEqual(received.slice(0, client.messages.length));
      // Without the WebSocket server, `ws` does not know of the close frame that is on its way, and
      // counts the message that crosses it as received.
      const crossed = received.length - client.messages.length;
      expect(crossed).toBeLessThanOrEqual(which === 'given' ? 0 : 1);
    });

    it('closes one whose message is not answered after the grace', async () => {
      const { shutdown, client } = await answering({ idleGraceMs: 300 }, false);
      client.socket.send('60000');
      await sleep(50);
      const { outcome, durationMs } = await shutdown.shutdown();
      expect(outcome).toBe('completed');
      expect(durationMs).toBeGreaterThanOrEqual(240);
    });

    it('closes one with endless tracked work in time for the closing handshake', async () => {
      const { shutdown, client } = await answering({ timeoutMs: 800 }, true);
      client.socket.send('2000');
      await sleep(50);
      await shutdown.shutdown();
      expect((await client.closed).code).toBe(1001);
    });

    it('restores the socket', async () => {
      const server = http.createServer();
      const webSockets = new WebSocketServer({ server });
      const options = which === 'given' ? { webSockets } : {};
      const { shutdown, port } = await serve(server, options);
      const sockets: Socket[] = [];
      server.on('upgrade', (_request, socket) => sockets.push(socket as Socket));
      const { closed } = await webSocket(port);
      await shutdown.shutdown();
      await closed;
      expect(sockets.map((socket) => Object.hasOwn(socket, 'write'))).toEqual([false]);
    });
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
