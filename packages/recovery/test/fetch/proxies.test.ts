import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import * as undici from 'undici';
import * as undici7 from 'undici-7';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dispatcherInterceptor } from '../../src/fetch/index.ts';
import { ok } from './fault-server.ts';
import { serve } from './guarded.ts';

/** A proxy that answers one CONNECT with a status, and makes a tunnel for those after it. */
async function proxyThatAnswers(status: number): Promise<{ url: string; connects(): number }> {
  let connects = 0;
  const sockets: Socket[] = [];
  const proxy = createServer().on('connect', ({ url = '' }, socket) => {
    sockets.push(socket as Socket);
    socket.on('error', () => {});
    if (++connects === 1) {
      socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
      return;
    }
    const origin = connect(Number(url.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      origin.pipe(socket).pipe(origin);
    });
    sockets.push(origin.on('error', () => {}));
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  onTestFinished(() => {
    proxy.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = proxy.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, connects: () => connects };
}

describe.each([
  ['undici 8', undici],
  ['undici 7', undici7 as never as typeof undici],
])('a request through a proxy, on %s,', (_, { EnvHttpProxyAgent }) => {
  async function post(status: number) {
    const server = await serve(ok());
    const proxy = await proxyThatAnswers(status);
    const agent = new EnvHttpProxyAgent({ httpProxy: proxy.url, noProxy: '', proxyTunnel: true });
    onTestFinished(() => agent.destroy());
    const dispatcher = agent.compose(dispatcherInterceptor({ retry: { initialDelayMs: 1 } }));
    const answer = dispatcher.request({
      origin: server.origin,
      path: '/',
      method: 'POST',
      body: 'x',
    });
    return { answer, server, proxy };
  }

  it.each([502, 503, 504])('is sent again, whatever its method, after %i', async (status) => {
    const { answer, server, proxy } = await post(status);
    expect((await answer).statusCode).toBe(200);
    expect([proxy.connects(), server.seen.map(({ body }) => body)]).toEqual([2, ['x']]);
  });

  it.each([403, 407])('is not sent again after %i', async (status) => {
    const { answer, server, proxy } = await post(status);
    await expect(answer).rejects.toThrow(`(${status})`);
    expect([proxy.connects(), server.seen]).toEqual([1, []]);
  });
});
