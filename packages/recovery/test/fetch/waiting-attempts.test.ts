import { once } from 'node:events';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ManualClock, settle } from '@temper/testkit/clock';
import * as undici from 'undici';
import * as undici7 from 'undici-7';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dispatcherInterceptor, type HttpResilienceOptions } from '../../src/fetch/index.ts';
import { closedPort, hang } from './fault-server.ts';
import { serve } from './guarded.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Accepts connections and says nothing, so that no handshake ends. */
async function silentOrigin(): Promise<string> {
  const server = createServer((socket) => socket.on('error', () => {}));
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const RELEASES = [
  ['undici 8', undici],
  ['undici 7', undici7 as never as typeof undici],
] as const;

const options = { retry: { maxAttempts: 2, initialDelayMs: 0 }, breaker: false } as const;

describe.each(RELEASES)(
  'a request that waits for a connection, on %s',
  (release, { Agent, Client }) => {
    /** An agent of which a request has no connection yet; `dispatcher` may be one of another kind. */
    function guarded(options: HttpResilienceOptions, own: undici.Dispatcher = new Agent()) {
      onTestFinished(() => own.destroy());
      const guard = dispatcherInterceptor(options);
      return { guard, dispatcher: own.compose(guard) };
    }

    it('is ended by its signal at once, and is no failure of its origin', async () => {
      const origin = await silentOrigin();
      const clock = new ManualClock();
      const { guard, dispatcher } = guarded({ clock });
      const controller = new AbortController();
      const { signal } = controller;
      const failed = expect(
        dispatcher.request({ origin, path: '/', method: 'GET', signal }),
      ).rejects.toThrow('enough');
      await settle();
      controller.abort(Object.assign(new Error('enough'), { code: 'ECONNRESET' }));
      await failed;
      await settle();
      expect(guard.stats().retry).toMatchObject({ attempts: 1, operations: { aborted: 1 } });
      expect(guard.stats().breakers[origin]?.window).toMatchObject({ failures: 0 });
      expect(clock.pendingRefed).toBe(0);
    });

    it('is ended by its signal between two attempts that were refused', async () => {
      const origin = await closedPort();
      const clock = new ManualClock();
      let waiting: () => void = () => {};
      const begun = new Promise<void>((resolve) => {
        waiting = resolve;
      });
      const { guard, dispatcher } = guarded({ clock, retry: { onRetry: () => waiting() } });
      const controller = new AbortController();
      const { signal } = controller;
      const failed = expect(
        dispatcher.request({ origin, path: '/', method: 'GET', signal }),
      ).rejects.toThrow('enough');
      await begun;
      controller.abort(new Error('enough'));
      await failed;
      expect(guard.stats().retry).toMatchObject({ attempts: 1, operations: { aborted: 1 } });
      expect(clock.pendingRefed).toBe(0);
    });

    /** Sends a request that times out as often as it may. What undici holds of it afterwards is asked of the result. */
    async function given(dispatcher: undici.Dispatcher, origin: string, clock: ManualClock) {
      const pieces = { async *[Symbol.asyncIterator]() {} };
      const headers = { 'idempotency-key': 'a' };
      const call = { attributes: { 'request.number': 1 } };
      const { signal } = new AbortController();
      const request = { origin, path: '/', method: 'POST', body: pieces, headers, call, signal };
      const answer = dispatcher.request(request as never);
      let message = '';
      answer.catch((error: Error) => {
        message = error.message;
      });
      for (; message === ''; await settle()) await clock.advance(1000);
      expect(message).toContain('5000 ms');
      return { pieces, headers, call, signal, request, answer };
    }

    /** Weak references to all that a request was made of. */
    async function weak(...of: Parameters<typeof given>): Promise<Record<string, WeakRef<object>>> {
      const all = Object.entries(await given(...of));
      return Object.fromEntries(all.map(([name, value]) => [name, new WeakRef(value)]));
    }

    it.each([
      ['the handshake', () => new Agent({ connect: { timeout: 3_600_000 } }), silentOrigin],
      [
        'a handshake that another one has begun, in a pool',
        () => new Agent({ connections: 1, connect: { timeout: 3_600_000 } }),
        silentOrigin,
      ],
      ['the connection of a pool', () => new Agent({ connections: 1 }), undefined],
      ['the connection of a client', undefined, undefined],
    ])(
      'leaves nothing in the queue of undici when it has timed out at %s',
      async (_, agent, silent) => {
        const server = await serve(hang);
        const origin = silent === undefined ? server.origin : await silent();
        const own = agent === undefined ? new Client(origin) : agent();
        const clock = new ManualClock();
        const { dispatcher } = guarded({ ...options, clock }, own);
        if (silent === undefined) {
          void own.request({ origin, path: '/', method: 'GET' }).catch(() => {});
          await server.requests(1);
        }
        const held = await weak(dispatcher, origin, clock);
        for (let round = 0; round < 5; round++) {
          collect();
          await settle();
        }
        const left = Object.entries(held).filter(([, one]) => one.deref() !== undefined);
        expect(left.map(([name]) => name)).toEqual([]);
      },
    );

    it.each([
      ['a client', (origin: string) => new Client(origin)],
      ['an agent with one connection', () => new Agent({ connections: 1 })],
    ])(
      'leaves a body that is a buffer to undici, behind another request of %s',
      async (_, make) => {
        const server = await serve(hang);
        const { origin } = server;
        const own = make(origin);
        const { dispatcher } = guarded(options, own);
        void own.request({ origin, path: '/', method: 'GET' }).catch(() => {});
        await server.requests(1);
        const send = async (): Promise<WeakRef<Buffer>> => {
          const body = Buffer.alloc(100_000);
          const controller = new AbortController();
          const { signal } = controller;
          const answer = dispatcher.request({ origin, path: '/', method: 'PUT', body, signal });
          const failed = expect(answer).rejects.toThrow('enough');
          await settle();
          controller.abort(new Error('enough'));
          await failed;
          return new WeakRef(body);
        };
        const body = await send();
        for (let round = 0; round < 5; round++) {
          collect();
          await settle();
        }
        expect(body.deref() !== undefined).toBe(release === 'undici 7');
      },
    );
  },
);

/** Closes the connection when a stream begins. */
async function dyingOrigin(): Promise<string> {
  const sockets: Socket[] = [];
  const http2 = createHttp2Server();
  http2.on('session', (session) => session.on('error', () => {}));
  http2.on('stream', (stream) => {
    stream.on('error', () => {});
    for (const socket of sockets) socket.destroy();
  });
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    http2.emit('connection', socket);
  });
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it.each(RELEASES)(
  'a request over HTTP/2 leaves nothing in the streams that Node keeps when its session has died, on %s',
  async (_, { H2CClient }) => {
    const origin = await dyingOrigin();
    const own = new H2CClient(origin);
    onTestFinished(() => own.destroy());
    const guard = dispatcherInterceptor(options);
    const dispatcher = own.compose(guard);
    const failed = async (): Promise<Record<string, WeakRef<object>>> => {
      const { signal } = new AbortController();
      const headers = { 'x-a': 'a' };
      const request = { origin, path: '/', method: 'GET', headers, signal } as const;
      await expect(dispatcher.request(request)).rejects.toThrow();
      return {
        signal: new WeakRef(signal),
        headers: new WeakRef(headers),
        request: new WeakRef(request),
      };
    };
    const held = await failed();
    for (let round = 0; round < 5; round++) {
      collect();
      await settle();
    }
    const left = Object.entries(held).filter(([, one]) => one.deref() !== undefined);
    expect(left.map(([name]) => name)).toEqual([]);
  },
);
