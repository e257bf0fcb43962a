import { getEventListeners, once } from 'node:events';
import { concurrency } from '@temper/ratelimit';
import { retryBudget } from '@temper/retry';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import {
  type HttpBreakerOptions,
  resilientFetch,
  TooManyInFlightError,
} from '../../src/fetch/index.ts';
import { half, hang, ok, status } from './fault-server.ts';
import { quick, serve, still } from './guarded.ts';

describe('a timeout of fetch', () => {
  it('is ten seconds for an attempt, which is then aborted and retried', async () => {
    const server = await serve(hang, ok('second'));
    const { clock, fetch } = still();
    const call = fetch(server.url());
    await server.requests(1);
    await clock.advance(9999);
    expect(server.responses[0]?.closed).toBe(false);
    const closed = once(server.responses[0] as never, 'close');
    await clock.advance(1);
    await closed;
    await clock.advance(2000);
    expect(await (await call).text()).toBe('second');
  });

  it('is thirty seconds in all', async () => {
    const server = await serve(hang);
    const { clock, fetch } = still();
    const begun = clock.monotonic();
    const call = fetch(server.url());
    const failed = expect(call).rejects.toMatchObject({
      code: 'OPERATION_TIMEOUT',
      timeoutMs: 30_000,
    });
    for (let sent = 1; sent <= 3; sent++) {
      await server.requests(sent);
      await clock.advance(sent === 3 ? 4000 : 10_000 + 2000 * sent);
    }
    await failed;
    expect(clock.monotonic() - begun).toBe(30_000);
  });

  it('can be disabled for the body', async () => {
    const server = await serve(half());
    const unbounded = Number.POSITIVE_INFINITY;
    const { clock, fetch } = still({ bodyIdleTimeoutMs: unbounded, exchangeTimeoutMs: unbounded });
    const response = await fetch(server.url());
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('first half, ');
    await clock.advance(3_600_000);
    server.responses[0]?.end('second half');
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('second half');
    expect((await reader.read()).done).toBe(true);
  });

  it('cancels a response that comes too late, from a fetch that ignores its signal', async () => {
    const cancelled: string[] = [];
    const clock = new ManualClock();
    const deaf = async (): Promise<Response> => {
      await clock.sleep(60_000);
      return new Response(new ReadableStream({ cancel: () => void cancelled.push('late') }));
    };
    const fetch = resilientFetch({ clock, fetch: deaf, retry: false });
    const call = expect(fetch('http://origin.example/')).rejects.toMatchObject({
      code: 'OPERATION_TIMEOUT',
    });
    await clock.advance(10_000);
    await call;
    await clock.advance(60_000);
    expect(cancelled).toEqual(['late']);
  });
});

describe('the breaker of an origin', () => {
  it('opens at a tenth of failures among a hundred calls, and only for that origin', async () => {
    const bad = await serve(status(500));
    const good = await serve(ok());
    const { clock, fetch } = still({ retry: false });
    const ask = async (url: string): Promise<string> =>
      fetch(url).then(
        async (response) => `${response.status} ${(await response.text()).length}`,
        (error: { code: string }) => error.code,
      );
    bad.script = [...Array.from({ length: 90 }, () => ok()), status(500)];
    const answers: string[] = [];
    for (let i = 0; i < 101; i++) answers.push(await ask(bad.url()));
    expect(answers.slice(90)).toEqual([
      ...Array.from({ length: 10 }, () => '500 10'),
      'CIRCUIT_OPEN',
    ]);
    expect(bad.seen).toHaveLength(100);
    expect(await ask(good.url())).toBe('200 2');
    expect(fetch.stats().breakers).toMatchObject({
      [bad.origin]: { state: 'open' },
      [good.origin]: { state: 'closed' },
    });
    bad.script = [ok()];
    await clock.advance(5000);
    expect(await ask(bad.url())).toBe('200 2');
    expect(fetch.stats().breakers[bad.origin]?.state).toBe('closed');
  });

  it('ends the retries when it opens', async () => {
    const server = await serve(status(503));
    const fetch = quick({ breaker: { failureThreshold: 2 } });
    await expect(fetch(server.url())).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect(server.seen).toHaveLength(2);
  });

  it('spends no budget on the retries that it refuses', async () => {
    const clock = new ManualClock();
    const budget = retryBudget({ clock, burst: 20, ratio: 0 });
    let made = 0;
    const own = async (): Promise<Response> => {
      made++;
      await clock.sleep(10);
      return new Response('', { status: 500 });
    };
    const breaker = { failureThreshold: 20 };
    const fetch = resilientFetch({ fetch: own, clock, retry: { budget }, breaker });
    const all = Array.from({ length: 20 }, () => fetch('http://a.example/').catch(() => {}));
    await clock.runUntil(Promise.all(all));
    expect([made, budget.available()]).toEqual([20, 20]);
    // Those that were sent stay spent.
    const other = resilientFetch({ fetch: own, clock, retry: { budget, maxAttempts: 2 } });
    await clock.runUntil(other('http://b.example/'));
    expect([made, budget.available()]).toEqual([22, 19]);
  });

  it.each<[string, HttpBreakerOptions, opensAfter: number, openMs: number]>([
    ['a duration', { openDurationMs: 1000 }, 100, 1000],
    ['no option', {}, 100, 5000],
    ['a rate', { failureRateThreshold: 1 }, 100, 5000],
    ['a throughput', { minimumThroughput: 20 }, 20, 5000],
    ['a window', { window: { calls: 7 } }, 7, 5000],
    ['failures in a row', { failureThreshold: 3 }, 3, 5000],
    ['trials', { halfOpenTrials: 1 }, 100, 5000],
  ])('has its other defaults beside %s', async (_, breaker, opensAfter, openMs) => {
    let code = 500;
    const own = async (): Promise<Response> => new Response('', { status: code });
    const clock = new ManualClock();
    const fetch = resilientFetch({ fetch: own, clock, retry: false, breaker });
    const state = () => fetch.stats().breakers['http://a.example']?.state;
    for (let calls = 1; calls <= opensAfter; calls++) {
      expect(state()).not.toBe('open');
      await fetch('http://a.example/');
    }
    expect(state()).toBe('open');
    code = 200;
    await clock.advance(openMs - 1);
    await expect(fetch('http://a.example/')).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' });
    await clock.advance(1);
    await fetch('http://a.example/');
    expect(state()).toBe('closed');
  });

  it('can be disabled', async () => {
    const server = await serve(status(500));
    const fetch = quick({ breaker: false });
    for (let i = 0; i < 3; i++) await fetch(server.url());
    expect(server.seen).toHaveLength(12);
    expect(fetch.stats().breakers).toEqual({});
  });

  it('is kept for a bounded number of origins', async () => {
    const own = async (): Promise<Response> => new Response('');
    const fetch = resilientFetch({ maxOrigins: 2, fetch: own });
    for (const name of ['a', 'b', 'a', 'c']) await fetch(`http://${name}.example/`);
    expect(Object.keys(fetch.stats().breakers)).toEqual(['http://a.example', 'http://c.example']);
  });

  it('is kept while it is open, however many other origins are requested', async () => {
    const sent: string[] = [];
    const own = async (url: unknown): Promise<Response> => {
      const { host } = new URL(String(url));
      sent.push(host);
      return new Response('', { status: host === 'down.example' ? 500 : 200 });
    };
    const fetch = resilientFetch({
      maxOrigins: 3,
      fetch: own as typeof globalThis.fetch,
      retry: false,
      breaker: { failureThreshold: 2 },
    });
    for (let i = 0; i < 2; i++) await fetch('http://down.example/');
    for (let i = 0; i < 10; i++) await fetch(`http://fresh-${i}.example/`);
    await expect(fetch('http://down.example/')).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect(sent.filter((host) => host === 'down.example')).toHaveLength(2);
    expect(Object.keys(fetch.stats().breakers)).toHaveLength(3);
  });

  it.each([
    ['while requests to it are in flight', 10],
    ['between requests that failed', 1],
  ])('is kept %s, however many other origins are requested', async (_, atOnce) => {
    let failDown = (): void => {};
    const own = (url: unknown): Promise<Response> => {
      if (new URL(String(url)).host !== 'down.example') return Promise.resolve(new Response(''));
      return new Promise((_resolve, reject) => {
        const earlier = failDown;
        failDown = () => {
          earlier();
          reject(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }));
        };
      });
    };
    const fetch = resilientFetch({
      maxOrigins: 3,
      fetch: own as typeof globalThis.fetch,
      retry: false,
      breaker: { failureThreshold: 10 },
    });
    for (let sent = 0; sent < 10; sent += atOnce) {
      const requests = Array.from({ length: atOnce }, () => fetch('http://down.example/'));
      const ended = Promise.allSettled(requests);
      for (let i = 0; i < 10; i++) await fetch(`http://fresh-${sent}-${i}.example/`);
      failDown();
      await ended;
    }
    await expect(fetch('http://down.example/')).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect(Object.keys(fetch.stats().breakers)).toHaveLength(3);
  });

  it('is dropped although it is open when all the others are open too', async () => {
    const own = async (): Promise<Response> => new Response('', { status: 500 });
    const fetch = resilientFetch({
      maxOrigins: 2,
      fetch: own,
      retry: false,
      breaker: { failureThreshold: 1 },
    });
    for (const name of ['a', 'b', 'c']) await fetch(`http://${name}.example/`);
    expect(Object.keys(fetch.stats().breakers)).toEqual(['http://b.example', 'http://c.example']);
  });
});

describe('the limit of fetch', () => {
  it('rejects one request too many, until headers have arrived', async () => {
    const server = await serve(hang);
    const fetch = quick({ maxInFlight: 2 });
    const held = [fetch(server.url()), fetch(server.url())];
    await server.requests(2);
    const refused = fetch(server.url());
    await expect(refused).rejects.toBeInstanceOf(TooManyInFlightError);
    await expect(refused).rejects.toMatchObject({
      code: 'TOO_MANY_IN_FLIGHT',
      limit: 2,
      message:
        "HTTP policy 'http' has 2 requests in flight, its maxInFlight; this one was not sent.",
    });
    for (const response of server.responses) response.end();
    await Promise.all(held);
    server.script = [half()];
    await Promise.all([fetch(server.url()), fetch(server.url())]); // their bodies still stream
    server.script = [ok()];
    expect((await fetch(server.url())).status).toBe(200);
    expect(fetch.stats().limiter).toEqual({ limit: 2, inFlight: 0, rejected: 1 });
  });

  it('can be a limiter with a queue', async () => {
    const server = await serve(ok());
    const fetch = quick({ limiter: concurrency({ limit: 1 }) });
    const answers = await Promise.all([1, 2, 3].map(() => fetch(server.url())));
    expect(answers.map(({ status: code }) => code)).toEqual([200, 200, 200]);
    expect(fetch.stats().limiter).toMatchObject({ inFlight: 0 });
  });
});

describe('the caller’s signal', () => {
  it('keeps a request from being sent', async () => {
    const server = await serve(ok());
    const reason = new Error('before');
    const call = quick()(server.url(), { signal: AbortSignal.abort(reason) });
    await expect(call).rejects.toBe(reason);
    expect(server.seen).toHaveLength(0);
  });

  it('aborts an attempt', async () => {
    const server = await serve(hang);
    const controller = new AbortController();
    const call = quick()(server.url(), { signal: controller.signal });
    const failed = expect(call).rejects.toBe('enough');
    await server.requests(1);
    const closed = once(server.responses[0] as never, 'close');
    controller.abort('enough');
    await failed;
    await closed;
  });

  it('ends the wait for the next attempt', async () => {
    const server = await serve(status(503));
    const { clock, fetch, waiting } = still();
    const controller = new AbortController();
    const call = fetch(server.url(), { signal: controller.signal });
    const failed = expect(call).rejects.toBe('enough');
    await waiting();
    controller.abort('enough');
    await failed;
    expect(clock.pendingRefed).toBe(0);
  });

  it('aborts the body, long after the headers', async () => {
    const server = await serve(half());
    const controller = new AbortController();
    const response = await quick()(server.url(), { signal: controller.signal });
    const text = expect(response.text()).rejects.toMatchObject({ name: 'AbortError' });
    const closed = once(server.responses[0] as never, 'close');
    controller.abort();
    await text;
    await closed;
  });

  it('has no listeners left after many requests', async () => {
    const server = await serve(ok());
    const fetch = quick();
    const { signal } = new AbortController();
    for (let i = 0; i < 300; i++) await (await fetch(server.url(), { signal })).text();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('of a Request is respected too', async () => {
    const server = await serve(hang);
    const controller = new AbortController();
    const call = quick()(new Request(server.url(), { signal: controller.signal }));
    const failed = expect(call).rejects.toMatchObject({ name: 'AbortError' });
    await server.requests(1);
    controller.abort();
    await failed;
  });
});
