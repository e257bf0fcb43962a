import net, { type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { EXCHANGES, http1Load } from '../src/client/http1.ts';
import { type Load, Tally } from '../src/client/tally.ts';
import { WORK_BODY } from '../src/work.ts';
import { DROPS, DroppingServer, portOf } from './dropping-server.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0)) await clean();
});

type ExchangeName = keyof typeof EXCHANGES;

function start(port: number, exchange: ExchangeName, secure = false) {
  const tally = new Tally();
  const options = { port, tally, workers: 12, whenTold: 'reconnect' } as const;
  const load = http1Load(options, EXCHANGES[exchange], secure);
  return { tally, load };
}

async function end({ stop, done }: Load): Promise<void> {
  stop();
  await done;
}

/** The load against a server that counts by itself. */
async function against(drop: (typeof DROPS)[string] | undefined, exchange: ExchangeName) {
  const server = new DroppingServer(drop);
  const { tally, load } = start(await server.listen(), exchange);
  cleanups.push(() => server.close());
  await vi.waitUntil(() => server.received >= 60, { timeout: 20_000, interval: 5 });
  await end(load);
  const { received, dropped } = server;
  return { tally, received, dropped };
}

const SINGLE = ['work', 'poll', 'events', 'upload'] as const;

describe.each(SINGLE)('requests of the kind %s', (exchange) => {
  it('are all counted as answered by a server that loses none', async () => {
    const { tally, received } = await against(undefined, exchange);
    expect(tally).toMatchObject({ sent: received, answered: received, lost: [], refused: 0 });
  });

  it.each(Object.keys(DROPS))('are counted exactly against a server that %s', async (kind) => {
    const { tally, received, dropped } = await against(DROPS[kind], exchange);
    expect(dropped).toBeGreaterThan(15);
    expect(tally.lost).toHaveLength(dropped);
    expect(tally).toMatchObject({ sent: received, answered: received - dropped, refused: 0 });
  });
});

/** Serves raw connections with a function, and counts its calls. */
async function rawServer(serve: (socket: Socket, text: string) => void) {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => serve(socket, data.toString('latin1')));
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: await portOf(server), server, sockets };
}

const ANSWER = `HTTP/1.1 200 OK\r\nContent-Length: ${WORK_BODY.length}\r\n\r\n${WORK_BODY}`;

it('counts each pipelined request that is not answered before the connection ends', async () => {
  let batches = 0;
  const { port } = await rawServer((socket) => {
    batches++;
    socket.end(ANSWER.repeat(2));
  });
  const { tally, load } = start(port, 'pipelined');
  await vi.waitUntil(() => batches >= 20, { timeout: 20_000, interval: 5 });
  await end(load);
  expect(tally).toMatchObject({ sent: batches * 6, answered: batches * 2 });
  expect(tally.lost).toHaveLength(batches * 4);
});

it('counts a request that is never answered when its connection ends', async () => {
  let received = 0;
  const { port, sockets } = await rawServer(() => {
    received++;
  });
  const { tally, load } = start(port, 'work');
  await vi.waitUntil(() => received === 12, { timeout: 20_000, interval: 5 });
  expect(tally).toMatchObject({ sent: 12, inFlight: 12 });
  load.stop();
  for (const socket of sockets) socket.resetAndDestroy();
  await load.done;
  expect(tally.lost).toHaveLength(12);
});

it('counts an answer whose end nobody can tell as lost', async () => {
  const { port } = await rawServer((socket) => socket.end(`HTTP/1.1 200 OK\r\n\r\n${WORK_BODY}`));
  const { tally, load } = start(port, 'work');
  await vi.waitUntil(() => tally.lost.length >= 12, { timeout: 20_000, interval: 5 });
  await end(load);
  expect(tally.answered).toBe(0);
  expect(new Set(tally.lost.map(({ reason }) => reason))).toEqual(
    new Set(['a response without a length on a new connection']),
  );
});

it('does not count refused connections as lost, after which no client tries again', async () => {
  const { port, server } = await rawServer(() => {});
  await new Promise((resolve) => server.close(resolve));
  const { tally, load } = start(port, 'work');
  await load.done;
  expect(tally).toMatchObject({ sent: 0, answered: 0, refused: 12, lost: [] });
});

it('counts a connection that ends during the TLS handshake as lost', async () => {
  const { port } = await rawServer((socket) => socket.destroy());
  const { tally, load } = start(port, 'work', true);
  await load.done;
  expect(tally).toMatchObject({ sent: 12, answered: 0, refused: 0 });
  expect(tally.lost).toHaveLength(12);
});
