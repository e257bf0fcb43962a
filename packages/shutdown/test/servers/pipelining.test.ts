import http, { type RequestListener } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { gracefulShutdown } from '../../src/index.ts';

const REQUESTS = 2000;
const BODY = 'x'.repeat(10_000);

const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

/**
 * Sends pipelined requests on one connection and begins the shutdown when `beginAt` have arrived. The
 * client does not read until then, so that Node stops reading requests.
 *
 * @returns the numbers of the requests that were answered, and the outcome
 */
async function pipeline(listener: RequestListener, beginAt: number) {
  const shutdown = gracefulShutdown({ delayMs: 0, onReport: () => {} });
  const { promise: done, resolve } = Promise.withResolvers<string>();
  let arrived = 0;
  const begin = () => void shutdown.shutdown().then(({ outcome }) => resolve(outcome));
  const server = http.createServer((request, response) => {
    if (++arrived === beginAt) setImmediate(begin);
    listener(request, response);
  });
  shutdown.server(server);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const client = connect(port, '127.0.0.1');
  cleanups.push(
    () => client.destroy(),
    () => server.close(),
    () => server.closeAllConnections(),
  );
  let text = '';
  const closed = new Promise<void>((end) => client.on('close', () => end()));
  client.on('error', () => {});
  client.pause();
  client.on('data', (data) => {
    text += data;
  });
  let requests = '';
  for (let n = 0; n < REQUESTS; n++)
    requests += `GET /${n} HTTP/1.1\r\nHost: a\r\nX-Padding: ${'x'.repeat(100)}\r\n\r\n`;
  client.write(requests);
  client.pause();
  while (arrived < beginAt) await sleep(2);
  await sleep(20);
  client.resume();
  await closed;
  const answered = [...text.matchAll(/answer (\d+) x+\n/g)].map(([, n]) => Number(n));
  return { answered, outcome: await done };
}

const answer: RequestListener = (request, response) =>
  void response.end(`answer ${request.url?.slice(1)} ${BODY}\n`);

const everyRequest = Array.from({ length: REQUESTS }, (_, n) => n);

describe('pipelined requests of a client that reads slowly', () => {
  it.each([
    ['at once', answer],
    ['later', (request, response) => void setImmediate(answer, request, response)],
    [
      'in any order',
      (request, response) =>
        void setTimeout(answer, Number(request.url?.slice(1)) % 7, request, response),
    ],
  ] as [string, RequestListener][])(
    'answers all of them if its handler answers %s',
    async (_, listener) => {
      for (const beginAt of [1, 300]) {
        const { answered, outcome } = await pipeline(listener, beginAt);
        expect(answered).toEqual(everyRequest);
        expect(outcome).toBe('completed');
      }
    },
  );
});

describe('the first packet after the shutdown has begun', () => {
  const get = (n: number) => `GET /${n} HTTP/1.1\r\nHost: a\r\n\r\n`;
  const post = (n: number) => `POST /${n} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd`;
  const chunked = (n: number) =>
    `POST /${n} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n`;

  /** Sends the packets during the delay to a handler that answers at once. */
  async function send(packets: readonly string[]) {
    const shutdown = gracefulShutdown({ delayMs: 300, onReport: () => {} });
    const server = http.createServer((request, response) => {
      request.resume();
      answer(request, response);
    });
    shutdown.server(server, { idleGraceMs: 200 });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    cleanups.push(() => client.destroy());
    client.setNoDelay();
    await new Promise<void>((connected) => client.once('connect', () => connected()));
    let text = '';
    client.on('data', (data) => {
      text += data;
    });
    const closed = new Promise<void>((end) => client.on('close', () => end()));
    const done = shutdown.shutdown();
    for (const packet of packets) {
      client.write(packet);
      await sleep(30);
    }
    await closed;
    expect((await done).outcome).toBe('completed');
    const answers = [...text.matchAll(/answer (\d+) x+\n/g)].map(([, n]) => Number(n));
    return { answers, told: /^Connection: close\r$/m.test(text) };
  }

  it.each([
    ['requests', [0, 1, 2, 3, 4].map(get)],
    ['requests with bodies', [0, 1, 2, 3, 4].map(post)],
    ['requests with chunked bodies', [0, 1, 2, 3, 4].map(chunked)],
    ['requests of all kinds', [get(0), post(1), chunked(2), get(3), post(4)]],
  ])('loses none of its %s, wherever it is cut', async (_, requests) => {
    const bytes = requests.join('');
    const first = requests[0]?.length ?? 0;
    const cuts = [0, 5, first - 6, first - 3, first - 2, first - 1, first, first + 5];
    const runs = cuts.map((cut) =>
      send(cut === 0 ? [bytes] : [bytes.slice(0, cut), bytes.slice(cut)]),
    );
    for (const [at, run] of runs.entries()) {
      const { answers } = await run;
      // A packet that ends where the first request ends looks complete: its answer says close. With a
      // chunked body the end is not looked for.
      const complete = cuts[at] === first && requests[0] !== chunked(0);
      expect(answers).toEqual(complete ? [0] : [0, 1, 2, 3, 4]);
    }
  });

  it('says Connection: close to one request', async () => {
    for (const request of [get(0), post(0)]) {
      expect(await send([request])).toEqual({ answers: [0], told: true });
    }
  });
});
