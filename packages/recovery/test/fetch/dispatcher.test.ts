import { EventEmitter, getEventListeners, once } from 'node:events';
import { Readable } from 'node:stream';
import { DiagLogLevel, diag } from '@opentelemetry/api';
import type { CallOptions, Operation } from '@temper/core';
import { retryDetails } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import type { Dispatcher } from 'undici';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { dispatcherInterceptor } from '../../src/fetch/index.ts';
import { closedPort, cut, half, hang, ok, status } from './fault-server.ts';
import { agentWith, ask, serve } from './guarded.ts';

describe('a guarded dispatcher', () => {
  it('sends the request, and returns the response', async () => {
    const server = await serve((response) => {
      response.writeHead(201, { 'x-own': 'header' });
      response.end('made');
    });
    const { agent } = agentWith();
    const { statusCode, headers, body } = await agent.request({
      origin: server.origin,
      path: '/things',
      query: { a: 1 },
      method: 'POST',
      headers: { 'x-mine': 'yes' },
      body: 'payload',
    });
    expect([statusCode, headers['x-own'], await body.text()]).toEqual([201, 'header', 'made']);
    expect(server.seen).toMatchObject([
      { method: 'POST', path: '/things?a=1', body: 'payload', headers: { 'x-mine': 'yes' } },
    ]);
  });

  it.each([408, 429, 500, 502, 503, 504])('retries after status %d', async (code) => {
    const server = await serve(status(code), status(code), ok('at last'));
    expect(await ask(agentWith().agent, server)).toEqual([200, 'at last']);
    expect(server.seen).toHaveLength(3);
  });

  it.each([400, 404, 409])('does not retry after status %d', async (code) => {
    const server = await serve(status(code));
    expect((await ask(agentWith().agent, server))[0]).toBe(code);
    expect(server.seen).toHaveLength(1);
  });

  it('retries after a connection that breaks before the headers', async () => {
    const server = await serve(cut, ok('whole'));
    expect(await ask(agentWith().agent, server)).toEqual([200, 'whole']);
  });

  it('ends with the last error when no server listens, and keeps the errors before', async () => {
    const origin = new URL(await closedPort()).origin;
    const failed = agentWith().agent.request({ origin, path: '/', method: 'GET' });
    const error: unknown = await failed.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    expect(retryDetails(error)).toMatchObject({ attempts: 4, errors: { length: 4 } });
  });

  it('calls onRequestStart once, and removes its listeners, whatever the number of attempts', async () => {
    const server = await serve(status(503), cut, status(503), ok('at last'));
    const told: string[] = [];
    let listeners = 0;
    const limiter = {
      execute: <T>(operation: Operation<T>, options?: CallOptions): Promise<T> => {
        const signal = options?.signal as AbortSignal;
        return Promise.resolve(operation(undefined as never)).finally(() => {
          listeners = getEventListeners(signal, 'abort').length;
        });
      },
    };
    const { agent } = agentWith({ limiter });
    const ended = new Promise<void>((resolve, reject) => {
      const request = { origin: server.origin, path: '/', method: 'GET' } as const;
      const again = agent.dispatch(request, {
        onRequestStart: () => void told.push('begun'),
        onResponseStart: (_, code) => void told.push(`status ${code}`),
        onResponseData: (_, chunk) => void told.push(String(chunk)),
        onResponseEnd: () => resolve(),
        onResponseError: (_, error) => reject(error),
      });
      expect(again).toBe(true); // undici may send more at once
    });
    await ended;
    expect(told).toEqual(['begun', 'status 200', 'at last']);
    expect(listeners).toBe(0);
  });

  it('ends with the last response, with its body', async () => {
    const server = await serve(status(503));
    expect(await ask(agentWith().agent, server)).toEqual([503, 'status 503']);
    expect(server.seen).toHaveLength(4);
  });

  it('cancels the responses before the last, though their bodies never end', async () => {
    const server = await serve(half(503), ok('second'));
    expect(await ask(agentWith().agent, server)).toEqual([200, 'second']);
    const [first] = server.responses;
    if (first?.closed === false) await once(first, 'close');
    expect(first?.writableFinished).toBe(false);
  });

  it.each<[string, Partial<Dispatcher.RequestOptions>, number]>([
    ['POST', { method: 'POST', body: 'x' }, 1],
    ['a POST that says it is idempotent', { method: 'POST', idempotent: true }, 4],
    ['a GET that says it is not idempotent', { idempotent: false }, 1],
    ['PUT of a string', { method: 'PUT', body: 'x' }, 4],
    ['PUT of a buffer', { method: 'PUT', body: Buffer.from('x') }, 4],
    ['PUT of a stream', { method: 'PUT', body: Readable.from(['x']) }, 4],
  ])('sends %s as often as is allowed', async (_, options, times) => {
    const server = await serve(status(503));
    expect((await ask(agentWith().agent, server, options))[0]).toBe(503);
    expect(server.seen).toHaveLength(times);
    for (const { body } of server.seen) expect(body).toBe(options.body === undefined ? '' : 'x');
  });

  it('opens a breaker for each origin', async () => {
    const bad = await serve(status(500));
    const good = await serve(ok());
    const { guard, agent } = agentWith({ breaker: { failureThreshold: 2 } });
    await expect(ask(agent, bad)).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect(bad.seen).toHaveLength(2);
    expect(await ask(agent, good)).toEqual([200, 'ok']);
    expect(guard.stats().breakers).toMatchObject({
      [bad.origin]: { state: 'open' },
      [good.origin]: { state: 'closed' },
    });
    guard[Symbol.dispose]();
  });

  it('rejects one request too many', async () => {
    const server = await serve(hang);
    const { agent } = agentWith({ maxInFlight: 1 });
    const held = ask(agent, server);
    await server.requests(1);
    await expect(ask(agent, server)).rejects.toMatchObject({ code: 'TOO_MANY_IN_FLIGHT' });
    server.responses[0]?.end('held');
    expect(await held).toEqual([200, 'held']);
  });
});

describe('time in a guarded dispatcher', () => {
  it('is bounded for an attempt, which is then aborted and retried', async () => {
    const server = await serve(hang, ok('second'));
    const clock = new ManualClock();
    const { agent } = agentWith({ clock, retry: { initialDelayMs: 0 } });
    const call = ask(agent, server);
    await server.requests(1);
    const closed = once(server.responses[0] as never, 'close');
    await clock.advance(10_000);
    await closed;
    expect(await call).toEqual([200, 'second']);
  });

  it('is bounded in all', async () => {
    const server = await serve(hang);
    const clock = new ManualClock();
    const { agent } = agentWith({ clock, retry: { initialDelayMs: 0 } });
    const failed = expect(ask(agent, server)).rejects.toMatchObject({
      code: 'OPERATION_TIMEOUT',
      timeoutMs: 30_000,
    });
    for (let sent = 1; sent <= 3; sent++) {
      await server.requests(sent);
      await clock.advance(10_000);
    }
    await failed;
  });

  it('can be disabled for the body', async () => {
    const server = await serve(half());
    const clock = new ManualClock();
    const unbounded = Number.POSITIVE_INFINITY;
    const options = { bodyIdleTimeoutMs: unbounded, exchangeTimeoutMs: unbounded };
    const { body } = await agentWith({ clock, ...options }).agent.request({
      origin: server.origin,
      path: '/',
      method: 'GET',
    });
    const chunks = body[Symbol.asyncIterator]();
    expect(String((await chunks.next()).value)).toBe('first half, ');
    await clock.advance(3_600_000);
    server.responses[0]?.end('second half');
    expect(String((await chunks.next()).value)).toBe('second half');
    expect((await chunks.next()).done).toBe(true);
  });
});

describe('an abort in a guarded dispatcher', () => {
  it('reaches the attempt', async () => {
    const server = await serve(hang);
    const controller = new AbortController();
    const failed = expect(
      ask(agentWith().agent, server, { signal: controller.signal }),
    ).rejects.toThrow('enough');
    await server.requests(1);
    const closed = once(server.responses[0] as never, 'close');
    controller.abort(new Error('enough'));
    await failed;
    await closed;
  });

  it('ends the wait for the next attempt', async () => {
    const server = await serve(status(503));
    const clock = new ManualClock();
    let waiting: () => void = () => {};
    const begun = new Promise<void>((resolve) => {
      waiting = resolve;
    });
    const { agent } = agentWith({ clock, retry: { onRetry: () => waiting() } });
    const controller = new AbortController();
    const failed = expect(ask(agent, server, { signal: controller.signal })).rejects.toThrow(
      'enough',
    );
    await begun;
    controller.abort(new Error('enough'));
    await failed;
    await settle();
    expect(clock.pendingRefed).toBe(0);
    expect(server.seen).toHaveLength(1);
  });

  it('reaches the body', async () => {
    const server = await serve(half());
    const { body } = await agentWith().agent.request({
      origin: server.origin,
      path: '/',
      method: 'GET',
    });
    const closed = once(server.responses[0] as never, 'close');
    body.on('error', () => {});
    body.destroy(new Error('enough'));
    await closed;
  });

  it('before the start keeps the request from being sent', async () => {
    const server = await serve(ok());
    const signal = AbortSignal.abort(new Error('before'));
    await expect(ask(agentWith().agent, server, { signal })).rejects.toThrow('before');
    expect(server.seen).toHaveLength(0);
  });
});

describe('errors around a guarded dispatcher', () => {
  it('are undici’s own for a request that is not valid', async () => {
    const { agent } = agentWith({ retry: false as const });
    const wrong = agent.request({ origin: 'http://127.0.0.1:1', path: 'no slash', method: 'GET' });
    await expect(wrong).rejects.toMatchObject({ code: 'UND_ERR_INVALID_ARG' });
  });

  it('of a handler end its own request and nothing else', async () => {
    const unhandled = vi.fn();
    const ignore = (): void => {};
    const reported = new Promise<unknown>((resolve) => {
      const logger = { error: resolve, warn: ignore, info: ignore, debug: ignore, verbose: ignore };
      diag.setLogger(logger, DiagLogLevel.ERROR);
    });
    onTestFinished(() => diag.disable());
    process.on('unhandledRejection', unhandled);
    const server = await serve(ok());
    const { agent } = agentWith();
    const events = new EventEmitter();
    const closed = once(events, 'error');
    agent.dispatch(
      { origin: server.origin, path: '/', method: 'GET' },
      {
        onRequestStart() {},
        onResponseStart() {
          throw new Error('handler');
        },
        onResponseData() {},
        onResponseEnd() {},
        onResponseError(_, error) {
          events.emit('error-of-request', error);
          events.emit('error', error);
        },
      },
    );
    const [error] = await closed.catch((thrown: Error) => [thrown]);
    expect((error as Error).message).toBe('handler');
    agent.dispatch(
      { origin: await closedPort(), path: '/', method: 'POST' },
      {
        onResponseError() {
          throw new Error('even here');
        },
      },
    );
    expect(String(await reported)).toContain('onResponseError');
    await settle();
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  it('are thrown at construction for invalid options', () => {
    expect(() => dispatcherInterceptor({ maxInFlight: 0 })).toThrow(
      'dispatcherInterceptor: maxInFlight must be an integer >= 1, got 0.',
    );
  });
});
