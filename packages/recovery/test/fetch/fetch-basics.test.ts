import { describe, expect, it } from 'vitest';
import { type ResilientFetchOptions, resilientFetch } from '../../src/fetch/index.ts';
import { type Answer, ok, status } from './fault-server.ts';
import { quick, serve } from './guarded.ts';

describe('a resilient fetch', () => {
  it('sends the request, and returns the response', async () => {
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

  it('accepts a URL and a Request', async () => {
    const server = await serve(status(503), ok());
    const fetch = quick();
    expect((await fetch(new URL(server.url('/url')))).status).toBe(200);
    server.script = [status(503), ok()];
    expect((await fetch(new Request(server.url('/request')))).status).toBe(200);
    expect(server.seen.map(({ path }) => path)).toEqual(['/url', '/url', '/request', '/request']);
  });

  it('leaves requests to fetch that are not HTTP, or not valid', async () => {
    const fetch = quick();
    await expect((await fetch('data:text/plain,hello')).text()).resolves.toBe('hello');
    await expect(fetch('no url')).rejects.toBeInstanceOf(TypeError);
    await expect(fetch('ftp://127.0.0.1/')).rejects.toBeInstanceOf(TypeError);
    expect(fetch.stats().breakers).toEqual({});
  });

  it('sends through the fetch of its options', async () => {
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

  it('is returned, or refused, by the option redirect', async () => {
    const server = await serve(to('/there'));
    const manual = await quick()(server.url('/here'), { redirect: 'manual' });
    expect([manual.status, manual.headers.get('location')]).toEqual([302, '/there']);
    const refused = quick()(server.url('/here'), { redirect: 'error' });
    await expect(refused).rejects.toBeInstanceOf(TypeError);
    expect(server.seen).toHaveLength(2); // no retry: it would be refused again
  });

  it('to a response that counts as failed is retried from the start', async () => {
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
      "'http attempt' is inside 'http', which times out after 30000 ms",
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
    [{ shouldHandle: 5 as never }, 'resilientFetch: shouldHandle must be a function, got 5.'],
    [{ isFailureStatus: () => true } as never, "resilientFetch: unknown option 'isFailureStatus'"],
    [{ retry: null as never }, 'resilientFetch: retry must be an object, got null.'],
    [
      { retry: { name: 'x' } as never },
      'resilientFetch: retry.name cannot be set here: set name beside it.',
    ],
    [
      { breaker: { shouldHandle: () => true } as never },
      'resilientFetch: breaker.shouldHandle cannot be set here: set shouldHandle beside it.',
    ],
    [null as never, 'resilientFetch: options must be an object, got null.'],
    [{ maxOrigins: 0 }, 'resilientFetch: maxOrigins must be an integer >= 1, got 0.'],
    [{ fetch: 1 as never }, 'resilientFetch: fetch must be a function, got 1.'],
    [{ retries: 1 } as never, "resilientFetch: unknown option 'retries'"],
  ])('are refused: %o', (options, message) => {
    expect(() => resilientFetch(options)).toThrow(message);
  });

  it('can be disposed of with all policies', () => {
    const fetch = resilientFetch();
    expect(() => fetch[Symbol.dispose]()).not.toThrow();
  });
});
