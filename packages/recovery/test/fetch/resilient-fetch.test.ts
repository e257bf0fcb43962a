import { getEventListeners, once } from 'node:events';
import { concurrency } from '@temper/ratelimit';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type ResilientFetchOptions,
  resilientFetch,
  TooManyInFlightError,
} from '../../src/fetch/index.ts';
import {
  type Answer,
  closedPort,
  cut,
  FaultServer,
  half,
  hang,
  ok,
  status,
} from './fault-server.ts';

async function serve(...script: Answer[]): Promise<FaultServer> {
  const server = await FaultServer.start(...script);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

/** With waits of a millisecond, on the machine's clock. */
const quick = (options: ResilientFetchOptions = {}) =>
  resilientFetch({ ...options, retry: { initialDelayMs: 1, ...options.retry } });

/** On a clock that stands still, with the default waits; chance is at its highest. */
function still(options: ResilientFetchOptions = {}, clock = new ManualClock()) {
  let begun: (() => void) | undefined;
  const onRetry = (): void => begun?.();
  const fetch = resilientFetch({ clock, random: () => 1, retry: { onRetry }, ...options });
  /** Waits until a wait between two attempts has begun. */
  const waiting = async (): Promise<void> => {
    await new Promise<void>((resolve) => {
      begun = resolve;
    });
    await settle();
  };
  return { clock, fetch, waiting };
}

describe('a resilient fetch', () => {
  it('sends what it is given, and gives back what comes', async () => {
    const server = await serve((response) => {
      response.writeHead(201, { 'x-own': 'header', 'content-type': 'application/json' });
      response.end('{"made":true}');
    });
    const response = await quick()(server.url('/things?a=1'), {
      method: 'POST',
      headers: { 'x-mine': 'yes' },
      body: 'payload',
    });
    expect(response).toBeInstanceOf(Response);
    expect([response.status, response.headers.get('x-own')]).toEqual([201, 'header']);
    expect(await response.json()).toEqual({ made: true });
    expect(server.seen).toMatchObject([
      { method: 'POST', path: '/things?a=1', body: 'payload', headers: { 'x-mine': 'yes' } },
    ]);
  });

  it('takes a URL and a Request too', async () => {
    const server = await serve(status(503), ok());
    const fetch = quick();
    expect((await fetch(new URL(server.url('/url')))).status).toBe(200);
    server.script = [status(503), ok()];
    expect((await fetch(new Request(server.url('/request')))).status).toBe(200);
    expect(server.seen.map(({ path }) => path)).toEqual(['/url', '/url', '/request', '/request']);
  });

  it('leaves alone what is not HTTP, or not valid', async () => {
    const fetch = quick();
    await expect((await fetch('data:text/plain,hello')).text()).resolves.toBe('hello');
    await expect(fetch('no url')).rejects.toBeInstanceOf(TypeError);
    await expect(fetch('ftp://127.0.0.1/')).rejects.toBeInstanceOf(TypeError);
    expect(fetch.stats().breakers).toEqual({});
  });

  it('sends through the fetch that it is given', async () => {
    const asked: unknown[] = [];
    const own = async (input: unknown): Promise<Response> => {
      asked.push(input);
      return new Response('own');
    };
    const response = await quick({ fetch: own as typeof fetch })('http://origin.example/');
    expect(await response.text()).toBe('own');
    expect(asked).toEqual(['http://origin.example/']);
  });
});

describe('a retry of fetch', () => {
  it.each([408, 429, 500, 501, 502, 503, 504, 599])('follows status %d', async (code) => {
    const server = await serve(status(code), status(code), ok('at last'));
    const response = await quick()(server.url());
    expect(await response.text()).toBe('at last');
    expect(server.seen).toHaveLength(3);
  });

  it.each([200, 204, 304, 400, 401, 404, 409, 422])('does not follow status %d', async (code) => {
    const server = await serve(status(code));
    const response = await quick()(server.url());
    expect(response.status).toBe(code);
    expect(server.seen).toHaveLength(1);
  });

  it.each(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'get'])('is made for %s', async (method) => {
    const server = await serve(status(503), ok());
    expect((await quick()(server.url(), { method })).status).toBe(200);
    expect(server.seen).toHaveLength(2);
  });

  it.each(['POST', 'PATCH'])('is not made for %s', async (method) => {
    const server = await serve(status(503));
    expect((await quick()(server.url(), { method })).status).toBe(503);
    expect(server.seen).toHaveLength(1);
  });

  it('is made for the methods it is told', async () => {
    const server = await serve(status(503), ok());
    const fetch = quick({ methods: ['post'] });
    expect((await fetch(server.url(), { method: 'POST', body: 'x' })).status).toBe(200);
    server.script = [status(503)];
    expect((await fetch(server.url())).status).toBe(503);
  });

  it('follows a connection that is refused', async () => {
    const url = await closedPort();
    await expect(quick()(url)).rejects.toMatchObject({
      code: 'RETRY_EXHAUSTED',
      attempts: 4,
      cause: { name: 'TypeError', cause: { code: 'ECONNREFUSED' } },
    });
  });

  it('follows a connection that breaks before the headers', async () => {
    const server = await serve(cut, cut, ok('whole'));
    expect(await (await quick()(server.url())).text()).toBe('whole');
    expect(server.seen).toHaveLength(3);
  });

  it('passes the error of a request that may not be sent again, unchanged', async () => {
    const server = await serve(cut);
    const failed = quick()(server.url(), { method: 'POST', body: 'x' });
    await expect(failed).rejects.toMatchObject({ name: 'TypeError', message: 'fetch failed' });
    expect(server.seen).toHaveLength(1);
  });

  it('gives the last response back when there is no other, with its body', async () => {
    const server = await serve(status(503));
    const response = await quick()(server.url());
    expect(response.status).toBe(503);
    expect(await response.text()).toBe('status 503');
    expect(server.seen).toHaveLength(4);
  });

  it('can be switched off', async () => {
    const server = await serve(status(503));
    expect((await resilientFetch({ retry: false })(server.url())).status).toBe(503);
    expect(server.seen).toHaveLength(1);
  });

  it('waits two, four and eight seconds, spread by half', async () => {
    const server = await serve(status(503));
    const { clock, fetch, waiting } = still();
    const call = fetch(server.url());
    for (const [sent, waitMs] of [2000, 4000, 8000].entries()) {
      await waiting();
      await clock.advance(waitMs - 1);
      expect(server.seen).toHaveLength(sent + 1);
      await clock.advance(1);
    }
    expect((await call).status).toBe(503);
    expect(server.seen).toHaveLength(4);
  });

  it.each([
    ['seconds', () => '7'],
    ['a date', (clock: ManualClock) => new Date(clock.now() + 7000).toUTCString()],
  ])('waits as long as Retry-After asks, in %s', async (_, value) => {
    const server = await serve(hang);
    const clock = new ManualClock(1_700_000_000_000); // on a whole second, as dates are
    const { fetch, waiting } = still({}, clock);
    server.script = [status(503, { 'retry-after': value(clock) }), ok()];
    const call = fetch(server.url());
    await waiting();
    await clock.advance(6999);
    expect(server.seen).toHaveLength(1);
    await clock.advance(1);
    expect((await call).status).toBe(200);
  });

  it('gives the response back at once when Retry-After asks for more time than there is', async () => {
    const server = await serve(status(429, { 'retry-after': '31' }));
    const { fetch } = still();
    const response = await fetch(server.url());
    expect(response.status).toBe(429);
    expect(server.seen).toHaveLength(1);
  });

  it('lets go of the responses before the last, though their bodies never end', async () => {
    const server = await serve(half(503), half(503), ok());
    const response = await quick()(server.url());
    expect(response.status).toBe(200);
    const [first, second] = server.responses;
    for (const one of [first, second]) if (one?.closed === false) await once(one, 'close');
    expect([first?.writableFinished, second?.writableFinished]).toEqual([false, false]);
    await response.text();
  });

  it('tells the listener of its options as well', async () => {
    const server = await serve(status(503), ok());
    const attempts: number[] = [];
    const onRetry = ({ attempt }: { attempt: number }): void => void attempts.push(attempt);
    await quick({ retry: { onRetry } })(server.url());
    expect(attempts).toEqual([1]);
  });
});

describe('a body', () => {
  it.each<[string, () => NonNullable<RequestInit['body']>, string | RegExp]>([
    ['a string', () => 'text', 'text'],
    ['bytes', () => new TextEncoder().encode('text'), 'text'],
    ['a buffer', () => new TextEncoder().encode('text').buffer, 'text'],
    ['parameters', () => new URLSearchParams({ a: '1' }), 'a=1'],
    ['a blob', () => new Blob(['text']), 'text'],
    [
      'a form',
      () => {
        const form = new FormData();
        form.set('field', 'value');
        return form;
      },
      /name="field"\r\n\r\nvalue/,
    ],
  ])('that is %s is sent again in full', async (_, make, expected) => {
    const server = await serve(status(503), cut, ok());
    expect((await quick()(server.url(), { method: 'PUT', body: make() })).status).toBe(200);
    expect(server.seen).toHaveLength(3);
    for (const { body } of server.seen) expect(body).toMatch(expected);
  });

  it('that is a stream is sent once', async () => {
    const server = await serve(status(503), ok());
    const body = new Blob(['stream']).stream();
    const init = { method: 'PUT', body, duplex: 'half' } as RequestInit;
    expect((await quick()(server.url(), init)).status).toBe(503);
    expect(server.seen).toMatchObject([{ body: 'stream' }]);
  });

  it('of a Request is sent once', async () => {
    const server = await serve(status(503), ok());
    const request = new Request(server.url(), { method: 'PUT', body: 'text' });
    expect((await quick()(request)).status).toBe(503);
    expect(server.seen).toMatchObject([{ body: 'text' }]);
  });

  it('that is an async iterable is sent once', async () => {
    const server = await serve(status(503), ok());
    async function* parts(): AsyncGenerator<Uint8Array> {
      yield new TextEncoder().encode('parts');
    }
    const init = { method: 'PUT', body: parts(), duplex: 'half' } as unknown as RequestInit;
    expect((await quick()(server.url(), init)).status).toBe(503);
    expect(server.seen).toMatchObject([{ body: 'parts' }]);
  });
});

describe('a timeout of fetch', () => {
  it('is ten seconds for an attempt, which is then aborted and made again', async () => {
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

  it('does not time the body, which streams as before', async () => {
    const server = await serve(half());
    const { clock, fetch } = still();
    const response = await fetch(server.url());
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('first half, ');
    await clock.advance(3_600_000);
    server.responses[0]?.end('second half');
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('second half');
    expect((await reader.read()).done).toBe(true);
  });

  it('lets go of a response that comes too late from a fetch that does not listen', async () => {
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

  it('can be switched off', async () => {
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
});

describe('the limit of fetch', () => {
  it('rejects what is one too many, until headers have come', async () => {
    const server = await serve(hang);
    const fetch = quick({ maxInFlight: 2 });
    const held = [fetch(server.url()), fetch(server.url())];
    await server.requests(2);
    const refused = fetch(server.url());
    await expect(refused).rejects.toBeInstanceOf(TooManyInFlightError);
    await expect(refused).rejects.toMatchObject({
      code: 'TOO_MANY_IN_FLIGHT',
      limit: 2,
      message: "'http' has 2 requests under way, which is its limit; this one was not sent.",
    });
    for (const response of server.responses) response.end();
    await Promise.all(held);
    server.script = [half()];
    await Promise.all([fetch(server.url()), fetch(server.url())]); // bodies still under way
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

  it('gathers no listeners over many requests', async () => {
    const server = await serve(ok());
    const fetch = quick();
    const { signal } = new AbortController();
    for (let i = 0; i < 300; i++) await (await fetch(server.url(), { signal })).text();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('of a Request counts too', async () => {
    const server = await serve(hang);
    const controller = new AbortController();
    const call = quick()(new Request(server.url(), { signal: controller.signal }));
    const failed = expect(call).rejects.toMatchObject({ name: 'AbortError' });
    await server.requests(1);
    controller.abort();
    await failed;
  });
});

describe('a redirect', () => {
  const to =
    (path: string): Answer =>
    (response) => {
      response.writeHead(302, { location: path });
      response.end();
    };

  it('is followed', async () => {
    const server = await serve(to('/there'), ok('arrived'));
    const response = await quick()(server.url('/here'));
    expect([response.redirected, new URL(response.url).pathname]).toEqual([true, '/there']);
    expect(await response.text()).toBe('arrived');
  });

  it('is handed over, or refused, when the caller says so', async () => {
    const server = await serve(to('/there'));
    const manual = await quick()(server.url('/here'), { redirect: 'manual' });
    expect([manual.status, manual.headers.get('location')]).toEqual([302, '/there']);
    const refused = quick()(server.url('/here'), { redirect: 'error' });
    await expect(refused).rejects.toBeInstanceOf(TypeError);
    expect(server.seen).toHaveLength(2); // it was not tried again: it would be refused again
  });

  it('to something that fails is made again from the start', async () => {
    const server = await serve(to('/there'), status(503), to('/there'), ok('arrived'));
    expect(await (await quick()(server.url('/here'))).text()).toBe('arrived');
    expect(server.seen.map(({ path }) => path)).toEqual(['/here', '/there', '/here', '/there']);
  });
});

describe('the options of fetch', () => {
  it.each<[ResilientFetchOptions, string]>([
    [{ maxInFlight: 0 }, 'resilientFetch: maxInFlight must be an integer >= 1, got 0.'],
    [{ totalTimeoutMs: -1 }, 'resilientFetch: totalTimeoutMs must be a finite number > 0, got -1.'],
    [
      { attemptTimeoutMs: Number.NaN },
      'resilientFetch: attemptTimeoutMs must be a finite number > 0',
    ],
    [
      { attemptTimeoutMs: 30_000 },
      "'http attempt' is inside 'http', which gives up after 30000 ms",
    ],
    [{ retry: { maxAttempts: 0 } }, 'retry: maxAttempts must be an integer >= 1, got 0.'],
    [{ breaker: { failureThreshold: 0 } }, 'circuitBreaker: failureThreshold'],
    [
      { methods: 'GET' as never },
      "resilientFetch: methods must be an array of strings, got 'GET'.",
    ],
    [
      { limiter: {} as never },
      'resilientFetch: limiter.execute must be a function, got undefined.',
    ],
    [{ isFailureStatus: 5 as never }, 'resilientFetch: isFailureStatus must be a function, got 5.'],
    [{ maxOrigins: 0 }, 'resilientFetch: maxOrigins must be an integer >= 1, got 0.'],
    [{ fetch: 1 as never }, 'resilientFetch: fetch must be a function.'],
    [{ retries: 1 } as never, "resilientFetch: unknown option 'retries'"],
  ])('are refused: %o', (options, message) => {
    expect(() => resilientFetch(options)).toThrow(message);
  });

  it('dispose of what was made', () => {
    const fetch = resilientFetch();
    expect(() => fetch[Symbol.dispose]()).not.toThrow();
  });
});
