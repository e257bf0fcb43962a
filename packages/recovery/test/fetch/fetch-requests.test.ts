import type { CallOptions, Operation, Outcome } from '@temper/core';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import {
  dispatcherInterceptor,
  isFailedResponse,
  type ResilientFetchOptions,
  resilientFetch,
  TooManyInFlightError,
} from '../../src/fetch/index.ts';
import { timeout } from '../../src/index.ts';
import { half, ok, status } from './fault-server.ts';
import { quick, serve } from './guarded.ts';

const ORIGIN = 'http://origin.example/';

/** A limiter that records the options of each call. */
function watching() {
  const seen: unknown[] = [];
  const limiter = {
    execute: async <T>(operation: Operation<T>, options?: CallOptions): Promise<T> => {
      const names = Object.keys(options ?? {}) as (keyof CallOptions)[];
      // The signal is in every call, and is tested with pipelines.
      const labels = names.filter((name) => name !== 'signal');
      seen.push(Object.fromEntries(labels.map((name) => [name, options?.[name]])));
      return operation(undefined as never); // the call goes on
    },
  };
  return { seen, limiter };
}

/** A sender whose responses can be looked at, with bodies that say when they are cancelled. */
function sender(...statuses: number[]) {
  const cancelled: number[] = [];
  const sent: RequestInit[] = [];
  const send = async (_: unknown, init?: RequestInit): Promise<Response> => {
    const index = sent.push(init ?? {}) - 1;
    const body = new ReadableStream({ cancel: () => void cancelled.push(index) });
    return new Response(body, { status: statuses[index] ?? 200 });
  };
  return { cancelled, sent, fetch: send as typeof fetch };
}

describe('the options of one request', () => {
  it.each([
    ['null', null],
    ['undefined', undefined],
    ['no field', {}],
    ['fields of null', { body: null, signal: null }],
  ])('may be %s, as with fetch', async (_, init) => {
    const server = await serve(ok());
    expect((await quick()(server.url(), init)).status).toBe(200);
    expect(server.seen).toMatchObject([{ method: 'GET', body: '' }]);
  });

  it.each<[string, unknown, unknown]>([
    ['options that are no object', ORIGIN, 5],
    ['a method that is no token', ORIGIN, { method: 'NO METHOD' }],
    ['an empty method', ORIGIN, { method: '' }],
    ['a method of another type', ORIGIN, { method: Symbol('GET') }],
    ['a signal of another type', ORIGIN, { signal: 5 }],
    ['a body for GET', ORIGIN, { body: 'x' }],
    ['a URL of null', null, undefined],
    ['a URL that is a symbol', Symbol('url'), undefined],
    [
      'a URL that cannot become text',
      {
        toString: () => {
          throw new TypeError('no text');
        },
      },
      {},
    ],
  ])('are refused with a TypeError, as a rejection: %s', async (_, input, init) => {
    const call = quick()(input as never, init as never); // must not throw
    await expect(call).rejects.toBeInstanceOf(TypeError);
  });

  it.each<[string, unknown, string]>([
    ['null', null, 'call options must be an object'],
    ['an array', [], 'call options must be an object'],
    ['a map', new Map([['cost', 1]]), 'call options must be an object'],
    ['an unknown key', { costs: 1 }, "unknown call option 'costs'"],
    ['a wrong type', { cost: '1' }, 'cost must be'],
    ['a number out of range', { timeoutMs: -1 }, 'timeoutMs must be'],
    ['a parent that is no context', { parent: {} }, 'parent must be the context'],
    ['a signal', { signal: new AbortController().signal }, 'set signal of the request'],
  ])('are refused when the call options are %s', async (_, call, message) => {
    const { fetch, sent } = sender();
    await expect(quick({ fetch })(ORIGIN, { call: call as never })).rejects.toThrow(message);
    expect(sent).toEqual([]);
  });

  it('carry cost, priority and key to the limiter, and keep them from the sender', async () => {
    const { seen, limiter } = watching();
    const { fetch, sent } = sender();
    const guarded = quick({ limiter, fetch });
    await guarded(ORIGIN, { call: { cost: 3, priority: 'critical', key: 'tenant' } });
    await guarded(ORIGIN, { method: 'put', call: { operation: 'publish' } });
    await guarded(ORIGIN);
    expect(seen).toEqual([
      { operation: 'GET', cost: 3, priority: 'critical', key: 'tenant' },
      { operation: 'publish' },
      { operation: 'GET' },
    ]);
    for (const init of sent) expect(init).not.toHaveProperty('call');
  });

  it('count a request by its cost for maxInFlight', async () => {
    const { fetch } = sender();
    const guarded = quick({ fetch, maxInFlight: 2 });
    const refused = guarded(ORIGIN, { call: { cost: 3 } });
    await expect(refused).rejects.toBeInstanceOf(TooManyInFlightError);
    await expect(refused).rejects.toMatchObject({ refused: true });
    expect((await guarded(ORIGIN, { call: { cost: 2 } })).status).toBe(200);
    expect(guarded.stats().limiter).toEqual({ limit: 2, inFlight: 0, rejected: 1 });
  });

  it('may be a Request, whose fields are in its prototype', async () => {
    const server = await serve(status(503), ok());
    const init = new Request(server.url(), { method: 'PUT', headers: { 'x-mine': 'yes' } });
    expect((await quick()(server.url(), init)).status).toBe(200);
    expect(server.seen).toMatchObject([
      { method: 'PUT', headers: { 'x-mine': 'yes' } },
      { method: 'PUT', headers: { 'x-mine': 'yes' } },
    ]);
  });

  it('send the same headers each time, though they come from an iterator', async () => {
    const server = await serve(status(503), ok());
    const headers = new Map([['x-mine', 'yes']]).entries() as never;
    await quick()(server.url(), { headers });
    expect(server.seen.map((one) => one.headers['x-mine'])).toEqual(['yes', 'yes']);
  });
});

describe('the call of a request', () => {
  it('ends after its timeout, without waiting for a sender that ignores its signal', async () => {
    const clock = new ManualClock();
    const fetch = (() => new Promise(() => {})) as unknown as typeof globalThis.fetch;
    const call = resilientFetch({ clock, fetch })(ORIGIN, { call: { timeoutMs: 100 } });
    const failed = expect(call).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      timeoutMs: 100,
    });
    await clock.advance(100);
    await failed;
  });

  it('joins a call under way, whose end aborts the request and its body', async () => {
    const server = await serve(half());
    const clock = new ManualClock();
    const outer = timeout({ timeoutMs: 1000, clock });
    const text = outer.execute(async (parent) => {
      const response = await resilientFetch({ clock })(server.url(), { call: { parent } });
      return response.text();
    });
    const failed = expect(text).rejects.toMatchObject({ code: 'OPERATION_TIMEOUT' });
    await server.requests(1);
    const [response] = server.responses;
    const closed = new Promise((resolve) => response?.once('close', resolve));
    await clock.advance(1000);
    await failed;
    await closed;
  });
});

describe('shouldHandle of fetch', () => {
  const notFound: ResilientFetchOptions = {
    shouldHandle: (outcome: Outcome<Response>) =>
      isFailedResponse(outcome) || (outcome.ok && outcome.value.status === 404),
  };

  it('judges responses and errors for the retry', async () => {
    const server = await serve(status(404), status(503), ok());
    expect((await quick(notFound)(server.url())).status).toBe(200);
    expect(server.seen).toHaveLength(3);
  });

  it('judges them for the breaker alike', async () => {
    const server = await serve(status(404));
    const options = { ...notFound, breaker: { failureThreshold: 1 }, retry: false as const };
    const fetch = resilientFetch(options);
    await fetch(server.url());
    await expect(fetch(server.url())).rejects.toMatchObject({
      code: 'CIRCUIT_OPEN',
      message: expect.stringContaining('status 404'),
    });
  });

  it('of the retry picks from the outcomes that count as failed', async () => {
    const server = await serve(status(503));
    const fetch = quick({
      retry: {
        shouldHandle: (o: Outcome<Response>) => o.ok && o.value.status !== 503,
      },
    });
    expect((await fetch(server.url())).status).toBe(503);
    expect(server.seen).toHaveLength(1);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('predicate');
      },
    ],
    ['returns a promise', (async () => true) as never],
  ])('that %s counts as false', async (_, shouldHandle) => {
    const server = await serve(status(503));
    expect((await quick({ shouldHandle })(server.url())).status).toBe(503);
    expect(server.seen).toHaveLength(1);
  });
});

describe('a response that nobody gets', () => {
  it('is cancelled before the next attempt, and the last one is not', async () => {
    const { cancelled, fetch } = sender(503, 500, 200);
    const response = await quick({ fetch })(ORIGIN);
    expect([response.status, cancelled]).toEqual([200, [0, 1]]);
  });

  it('is cancelled when the caller cancels between the response and the retry', async () => {
    const { cancelled, fetch } = sender(503);
    const controller = new AbortController();
    const guarded = quick({
      fetch,
      shouldHandle: (outcome) => {
        controller.abort('enough');
        return isFailedResponse(outcome);
      },
    });
    await expect(guarded(ORIGIN, { signal: controller.signal })).rejects.toBe('enough');
    expect(cancelled).toEqual([0]);
  });

  it('is cancelled when a limiter fails after it', async () => {
    const { cancelled, fetch } = sender(200);
    const limiter = {
      execute: async <T>(operation: Operation<T>): Promise<T> => {
        await operation(undefined as never);
        throw new Error('limiter');
      },
    };
    await expect(quick({ fetch, limiter })(ORIGIN)).rejects.toThrow('limiter');
    expect(cancelled).toEqual([0]);
  });

  it.each([
    ['nothing', undefined],
    ['a response without a body', new Response(null, { status: 503 })],
    [
      'a body whose cancel throws',
      {
        status: 503,
        body: {
          locked: false,
          cancel() {
            throw new Error('cancel');
          },
        },
      },
    ],
    [
      'a body whose cancel rejects',
      { status: 503, body: { locked: false, cancel: () => Promise.reject(new Error('cancel')) } },
    ],
  ])('may be %s', async (_, value) => {
    const fetch = (async () => value) as unknown as typeof globalThis.fetch;
    await expect(quick({ fetch })(ORIGIN)).resolves.toBe(value);
  });
});

describe('credentials in a URL', () => {
  const LEAK = 'http://me:secret@origin.example/';

  it('are in no message of ours, and in no snapshot', async () => {
    const failing = (async () => {
      throw Object.assign(new Error(`connect to ${LEAK} failed`), { code: 'ECONNREFUSED' });
    }) as unknown as typeof globalThis.fetch;
    const fetch = quick({ fetch: failing, breaker: { failureThreshold: 1 } });
    const error: unknown = await fetch(LEAK).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect((error as Error).message).toContain('http://***@origin.example/');
    expect(Object.keys(fetch.stats().breakers)).toEqual(['http://origin.example']);
  });

  it('are in no snapshot of an interceptor', () => {
    const guard = dispatcherInterceptor();
    const dispatch = guard(() => true);
    const handler = { onResponseError() {} };
    dispatch({ origin: LEAK, path: '/', method: 'GET' }, handler);
    dispatch({ origin: new URL(LEAK), path: '/', method: 'GET' }, handler);
    dispatch({ origin: `unix:me:secret@${'x'.repeat(1000)}`, path: '/', method: 'GET' }, handler);
    const origins = Object.keys(guard.stats().breakers);
    expect(origins[0]).toBe('http://origin.example');
    expect(origins).toHaveLength(2);
    expect(origins.join()).not.toContain('secret');
  });
});

describe('arguments that an interceptor does not guard', () => {
  it.each([
    ['no request', undefined, {}],
    ['no method', { origin: ORIGIN, path: '/' }, {}],
    ['no handler', { origin: ORIGIN, path: '/', method: 'GET' }, null],
  ])('are passed to undici, which refuses them: %s', (_, request, handler) => {
    const passed: unknown[] = [];
    const dispatch = dispatcherInterceptor()((...given) => passed.push(given) === 0);
    expect(dispatch(request, handler)).toBe(false);
    expect(passed).toEqual([[request, handler]]);
  });
});
