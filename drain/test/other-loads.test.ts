import http2, { constants, type Http2Session } from 'node:http2';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { selfSigned } from '../src/certificate.ts';
import { http2Load } from '../src/client/http2.ts';
import { type Load, Tally } from '../src/client/tally.ts';
import { webSocketLoad } from '../src/client/web-socket.ts';
import type { Protocol } from '../src/protocols.ts';
import { WORK_BODY } from '../src/work.ts';
import { portOf } from './dropping-server.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0)) await clean();
});

const started = (load: Protocol['load'], port: number) => {
  const tally = new Tally();
  return { tally, load: load({ port, tally, workers: 24, whenTold: 'reconnect' }, false) };
};

const counted = (received: () => number) =>
  vi.waitUntil(() => received() >= 100, { timeout: 20_000, interval: 5 });

async function end({ stop, done }: Load): Promise<void> {
  stop();
  await done;
}

describe('HTTP/2', () => {
  type Stream = http2.ServerHttp2Stream;
  async function against(drop: ((stream: Stream) => void) | undefined) {
    const server = http2.createSecureServer({ ...selfSigned() });
    const sessions = new Set<Http2Session>();
    const counts = { received: 0, dropped: 0 };
    server.on('session', (session) => {
      sessions.add(session);
      session.on('error', () => {});
    });
    server.on('stream', (stream) => {
      stream.on('error', () => {});
      if (counts.received++ % 3 !== 1 || drop === undefined) {
        stream.respond();
        stream.end(WORK_BODY);
        return;
      }
      counts.dropped++;
      drop(stream);
    });
    cleanups.push(() => {
      for (const session of sessions) session.destroy();
      server.close();
    });
    const { tally, load } = started(http2Load, await portOf(server));
    await counted(() => counts.received);
    await end(load);
    return { tally, ...counts };
  }

  it('counts every stream of a server that loses none as answered', async () => {
    const { tally, received } = await against(undefined);
    expect(tally).toMatchObject({ sent: received, answered: received, lost: [], refused: 0 });
  });

  it.each<[string, (stream: Stream) => void]>([
    ['cancels the stream', (stream) => stream.close(constants.NGHTTP2_CANCEL)],
    ['fails in the stream', (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR)],
    [
      'answers with 503',
      (stream) => {
        stream.respond({ ':status': 503 });
        stream.end(WORK_BODY);
      },
    ],
    [
      'cuts the answer',
      (stream) => {
        stream.respond();
        stream.write(WORK_BODY.slice(1), () => stream.close(constants.NGHTTP2_CANCEL));
      },
    ],
    [
      'ends the answer early',
      (stream) => {
        stream.respond();
        stream.end(WORK_BODY.slice(1));
      },
    ],
  ])('counts exactly against a server that %s', async (_, drop) => {
    const { tally, received, dropped } = await against(drop);
    expect(dropped).toBeGreaterThan(30);
    expect(tally.lost).toHaveLength(dropped);
    expect(tally).toMatchObject({ sent: received, answered: received - dropped, refused: 0 });
  });

  it('counts every stream of a session that is destroyed', async () => {
    const held: Http2Session[] = [];
    const server = http2.createSecureServer({ ...selfSigned() });
    server.on('session', (session) => session.on('error', () => {}));
    server.on('stream', (stream) => {
      stream.on('error', () => {});
      if (stream.session !== undefined) held.push(stream.session);
    });
    cleanups.push(() => server.close());
    const { tally, load } = started(http2Load, await portOf(server));
    await vi.waitUntil(() => held.length === 24, { timeout: 20_000, interval: 5 });
    load.stop();
    for (const session of new Set(held)) session.destroy();
    await load.done;
    expect(tally).toMatchObject({ sent: 24, answered: 0 });
    expect(tally.lost).toHaveLength(24);
  });

  it('does not count streams as lost that were refused as unprocessed', async () => {
    const { tally, dropped } = await against((stream) =>
      stream.close(constants.NGHTTP2_REFUSED_STREAM),
    );
    expect(tally.lost).toEqual([]);
    expect(tally.refused).toBe(dropped);
  });
});

describe('WebSocket', () => {
  async function against(drop: ((socket: import('ws').WebSocket) => void) | undefined) {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    const counts = { received: 0, dropped: 0 };
    server.on('connection', (socket) => {
      socket.on('message', (message) => {
        if (counts.received++ % 3 !== 1 || drop === undefined) {
          socket.send(String(message));
          return;
        }
        counts.dropped++;
        drop(socket);
      });
    });
    cleanups.push(() => {
      for (const client of server.clients) client.terminate();
      server.close();
    });
    await new Promise((resolve) => server.once('listening', resolve));
    const { tally, load } = started(webSocketLoad, (server.address() as { port: number }).port);
    await counted(() => counts.received);
    await end(load);
    return { tally, ...counts };
  }

  it('counts every message of a server that loses none as answered', async () => {
    const { tally, received } = await against(undefined);
    expect(tally).toMatchObject({ sent: received, answered: received, lost: [], refused: 0 });
  });

  it.each<[string, (socket: import('ws').WebSocket) => void]>([
    ['closes with 1001', (socket) => socket.close(1001)],
    ['ends the connection', (socket) => socket.terminate()],
    ['answers with something else', (socket) => socket.send('no')],
  ])('counts exactly against a server that %s', async (_, drop) => {
    const { tally, received, dropped } = await against(drop);
    expect(dropped).toBeGreaterThan(30);
    expect(tally.lost).toHaveLength(dropped);
    expect(tally).toMatchObject({ sent: received, answered: received - dropped, refused: 0 });
  });
});
