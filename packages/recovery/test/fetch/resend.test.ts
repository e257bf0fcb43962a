import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { retryBudget, retryDetails } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it, onTestFinished } from 'vitest';
import { resilientFetch } from '../../src/fetch/index.ts';
import { FACES, read } from './faces.ts';
import { closedPort, cut, hang, ok, status } from './fault-server.ts';
import { serve } from './guarded.ts';

const QUICK = { retry: { initialDelayMs: 1 } } as const;

/** Listens on the port of a URL from now on. @returns the bodies that it has got */
function listenAt(url: string): string[] {
  const seen: string[] = [];
  const server = createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      seen.push(Buffer.concat(chunks).toString());
      response.end('late');
    });
  });
  server.listen(Number(new URL(url).port), '127.0.0.1');
  onTestFinished(() => void server.close().closeAllConnections());
  return seen;
}

/** A port that accepts connections, and never begins to speak TLS. */
async function silentPort(): Promise<{ url: string; connections(count: number): Promise<void> }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    server.emit('counted');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return {
    url: `https://127.0.0.1:${port}/`,
    connections: async (count) => {
      while (sockets.length < count) await once(server, 'counted');
    },
  };
}

async function* parts(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield new TextEncoder().encode(text);
}

describe.each(FACES)('a request that its origin has not got, through %s,', (_, make) => {
  it.each<[string, () => unknown]>([
    ['POST', () => 'text'],
    ['POST of a stream', () => parts('te', 'xt')],
  ])('is sent again, whatever its method: %s', async (__, body) => {
    const url = await closedPort();
    let seen: string[] = [];
    const onRetry = (): void => {
      if (seen.length === 0) seen = listenAt(url);
    };
    const { send } = make({ retry: { initialDelayMs: 20, jitter: 'none', onRetry } });
    const sent = read(send(url, { method: 'POST', body: body() }));
    expect(await sent).toEqual([200, 'late']);
    expect(seen).toEqual(['text']);
  });

  it('is not sent again when its options forbid it', async () => {
    const failed = make(QUICK).send(await closedPort(), { call: { retry: false } });
    const error: unknown = await failed.catch((thrown: unknown) => thrown);
    expect(retryDetails(error)).toBeUndefined();
    expect(error).toBeInstanceOf(Error);
  });

  it('is ended and sent again when there is no connection in time', async () => {
    const silent = await silentPort();
    const clock = new ManualClock();
    const again = Promise.withResolvers<void>();
    const retry = { initialDelayMs: 0, maxAttempts: 2, onRetry: () => again.resolve() };
    const { send } = make({ clock, retry, connectTimeoutMs: 3000 });
    const failed = expect(send(silent.url, { method: 'POST', body: 'x' })).rejects.toMatchObject({
      code: 'OPERATION_TIMEOUT',
      policy: 'http connection',
      timeoutMs: 3000,
    });
    await silent.connections(1);
    await clock.advance(3000);
    await again.promise;
    await settle();
    await clock.advance(3000);
    await failed;
  });

  it('is not ended for its connection once it has been written', async () => {
    const server = await serve(hang);
    const clock = new ManualClock();
    const { send } = make({ clock, connectTimeoutMs: 3000 });
    const answer = read(send(server.url(), { method: 'POST', body: 'x' }));
    await server.requests(1);
    await clock.advance(9000);
    server.responses[0]?.end('slow');
    expect(await answer).toEqual([200, 'slow']);
  });
});

describe.each(FACES)('a request that its origin may have got, through %s,', (_, make) => {
  const post = { method: 'POST', body: 'x' } as const;

  it.each([
    ['by default', {}, 1],
    ['with an Idempotency-Key', { headers: { 'Idempotency-Key': 'order-1' } }, 2],
    ['with an Idempotency-Key that is empty', { headers: { 'idempotency-key': '' } }, 1],
    ['when its options allow it', { call: { retry: true } }, 2],
    [
      'with a key, when its options forbid it',
      { headers: { 'idempotency-key': 'order-1' }, call: { retry: false } },
      1,
    ],
  ])('is a POST that is sent again only with a reason: %s', async (__, options, times) => {
    for (const failure of [cut, status(503)]) {
      const server = await serve(failure, ok());
      await make(QUICK)
        .send(server.url(), { ...post, ...options })
        .then(read, () => {});
      expect(server.seen).toHaveLength(times);
      for (const { body } of server.seen) expect(body).toBe('x');
    }
  });

  it.each([
    [
      'is kept and sent again',
      16,
      [503, 503, 200],
      ['first, second', 'first, second', 'first, second'],
    ],
    ['that is larger than what is kept is sent once, in full', 8, [503], ['first, second']],
  ])('has a stream as its body, which %s', async (__, maxReplayBytes, statuses, bodies) => {
    const server = await serve(status(503), status(503), ok());
    const { send } = make({ ...QUICK, maxReplayBytes });
    const body = parts('first, ', 'second');
    const [code] = await read(send(server.url(), { method: 'PUT', body }));
    expect(code).toBe(statuses.at(-1));
    expect(server.seen.map((seen) => seen.body)).toEqual(bodies);
  });

  it('ends the source of its body when it fails', async () => {
    let ended = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield new Uint8Array(1000);
      } finally {
        ended = true;
      }
    }
    const server = await serve(ok());
    const { send } = make({ ...QUICK, maxInFlight: 1 });
    const controller = new AbortController();
    const failed = send(server.url(), {
      method: 'PUT',
      body: endless(),
      signal: controller.signal,
    });
    const outcome = expect(failed).rejects.toThrow();
    await server.connected(1);
    controller.abort();
    await outcome;
    await expect.poll(() => ended).toBe(true);
  });
});

describe('the body of a Request', () => {
  it('is kept and sent again, with its length', async () => {
    const server = await serve(status(503), cut, ok());
    const request = new Request(server.url(), { method: 'PUT', body: 'text' });
    const response = await resilientFetch(QUICK)(request);
    expect([response.status, request.bodyUsed]).toEqual([200, true]);
    expect(server.seen.map(({ body, headers }) => [body, headers['content-length']])).toEqual([
      ['text', '4'],
      ['text', '4'],
      ['text', '4'],
    ]);
  });

  it('is sent once, in full, when it is larger than what is kept', async () => {
    const server = await serve(status(503), ok());
    const request = new Request(server.url(), { method: 'PUT', body: 'x'.repeat(100) });
    const response = await resilientFetch({ ...QUICK, maxReplayBytes: 99 })(request);
    expect(response.status).toBe(503);
    expect(server.seen).toMatchObject([{ body: 'x'.repeat(100) }]);
  });

  it('that was read before is refused as fetch refuses it', async () => {
    const server = await serve(ok());
    const request = new Request(server.url(), { method: 'PUT', body: 'text' });
    await request.text();
    await expect(resilientFetch(QUICK)(request)).rejects.toBeInstanceOf(TypeError);
  });
});

describe.each(FACES)('the breakers and limits of %s', (_, make) => {
  const breaker = { failureThreshold: 1, openDurationMs: 60_000 };

  it('are those of the key that a request has', async () => {
    const server = await serve(status(503));
    const keyOf = ({ origin, path, method }: { origin: string; path: string; method: string }) =>
      `${origin} ${method} ${path.split('/')[1]}`;
    const { send, stats } = make({ retry: false, breaker, keyOf });
    await read(send(server.url('/slow/1?a=b')));
    const again = send(server.url('/slow/2'));
    await expect(again).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect((await read(send(server.url('/quick/1'))))[0]).toBe(503);
    const { origin } = server;
    expect(Object.keys(stats().breakers)).toEqual([`${origin} GET slow`, `${origin} GET quick`]);
  });

  it.each<[string, () => never]>([
    [
      'fails',
      () => {
        throw new Error('no key');
      },
    ],
    ['returns no text', () => 5 as never],
  ])('are those of the origin when the key %s', async (__, keyOf) => {
    const server = await serve(ok());
    const { send, stats } = make({ keyOf });
    expect(await read(send(server.url()))).toEqual([200, 'ok']);
    expect(Object.keys(stats().breakers)).toEqual([server.origin]);
  });

  it('let so many requests to each origin be in flight', async () => {
    const [one, other] = [await serve(hang), await serve(ok())];
    const { send } = make({ retry: false, maxInFlightPerOrigin: 1 });
    const first = read(send(one.url()));
    await one.requests(1);
    await expect(send(one.url())).rejects.toMatchObject({
      code: 'TOO_MANY_IN_FLIGHT',
      message: expect.stringContaining('1 requests in flight, its maxInFlightPerOrigin'),
    });
    expect((await read(send(other.url())))[0]).toBe(200);
    one.responses[0]?.end('done');
    expect(await first).toEqual([200, 'done']);
    expect(one.seen).toHaveLength(1);
  });

  it('can be limiters of their own', async () => {
    const server = await serve(ok());
    const made: string[] = [];
    const limiterOf = (key: string) => {
      made.push(key);
      return {
        execute: async <T>(operation: (call: never) => T | PromiseLike<T>) =>
          operation(undefined as never),
      };
    };
    const { send } = make({ limiterOf });
    await read(send(server.url()));
    await read(send(server.url()));
    expect(made).toEqual([server.origin]);
  });
});

describe.each(FACES)('a hedge of %s', (_, make) => {
  const slow = async () => {
    const [first, second] = [await serve(hang), await serve(ok('second'))];
    const clock = new ManualClock();
    const hedge = { delayMs: 100, endpoints: [second.origin] };
    return { first, second, clock, options: { clock, hedge, retry: { initialDelayMs: 0 } } };
  };

  it('asks another endpoint when the first is slow, and aborts the loser', async () => {
    const { first, second, clock, options } = await slow();
    const { send, stats } = make(options);
    const answer = read(send(first.url('/path?query')));
    await first.requests(1);
    await clock.advance(100);
    expect(await answer).toEqual([200, 'second']);
    expect(second.seen).toMatchObject([{ path: '/path?query' }]);
    const [loser] = first.responses;
    if (loser?.closed === false) await once(loser, 'close');
    expect(stats().hedge).toMatchObject({ calls: { hedged: 1 }, hedges: 1 });
    expect(Object.keys(stats().breakers).sort()).toEqual([first.origin, second.origin].sort());
  });

  it('asks it at once when the first fails, and gives the failure back only when all fail', async () => {
    const [first, second] = [await serve(status(503)), await serve(ok('second'), status(502))];
    const hedge = { delayMs: 60_000, endpoints: [second.origin] };
    const { send } = make({ clock: new ManualClock(), hedge, retry: false });
    expect(await read(send(first.url()))).toEqual([200, 'second']);
    expect(await read(send(first.url()))).toEqual([502, 'status 502']);
    expect([first.seen.length, second.seen.length]).toEqual([2, 2]);
  });

  it('leaves a failure to the retry when there is no other endpoint', async () => {
    const server = await serve(status(503), ok());
    const { send } = make({ hedge: { delayMs: 60_000 }, retry: false });
    expect((await read(send(server.url())))[0]).toBe(503);
    expect(server.seen).toHaveLength(1);
  });

  it.each([
    ['a method that is not safe', { method: 'PUT', body: 'x' }],
    ['a request that is to be sent once', { call: { retry: false } }],
  ])('is not made for %s', async (__, ask) => {
    const { first, second, clock, options } = await slow();
    const answer = read(make(options).send(first.url(), ask));
    await first.requests(1);
    await clock.advance(1000);
    first.responses[0]?.end('first');
    expect(await answer).toEqual([200, 'first']);
    expect(second.seen).toHaveLength(0);
  });

  it('stays within the budget that it shares with the retry', async () => {
    const { first, second, clock, options } = await slow();
    const budget = retryBudget({ ratio: 0.1, burst: 0, clock });
    const { send } = make({ ...options, retry: { budget } });
    const answer = read(send(first.url()));
    await first.requests(1);
    await clock.advance(1000);
    first.responses[0]?.end('first');
    expect(await answer).toEqual([200, 'first']);
    expect(second.seen).toHaveLength(0);
  });
});

describe('the options of a hedge', () => {
  it.each<[string, object, string]>([
    ['an endpoint with a path', { endpoints: ['https://a.example/path'] }, 'hedge.endpoints'],
    ['an endpoint with credentials', { endpoints: ['https://u:p@a.example'] }, 'hedge.endpoints'],
    ['an endpoint that is not HTTP', { endpoints: ['ftp://a.example'] }, 'hedge.endpoints'],
    ['no endpoint', { endpoints: [] }, 'hedge.endpoints'],
    ['an option set beside it', { name: 'other' }, 'set name beside it'],
    ['an unknown option', { delay: 5 }, 'delay'],
  ])('refuse %s', (__, hedge, message) => {
    expect(() => resilientFetch({ hedge: hedge as never })).toThrow(message);
  });
});
