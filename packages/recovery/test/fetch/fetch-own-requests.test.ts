import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { ManualClock } from '@temper/testkit/clock';
import { ProxyAgent, fetch as undiciFetch } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { type ResilientFetch, resilientFetch } from '../../src/fetch/index.ts';
import { ok, status } from './fault-server.ts';
import { serve } from './guarded.ts';

const make = (fetch: typeof globalThis.fetch): ResilientFetch =>
  resilientFetch({
    clock: new ManualClock(),
    retry: false,
    breaker: { failureThreshold: 2, openDurationMs: 60_000 },
    fetch,
  });

const stateOf = (fetch: ResilientFetch, url: string): string | undefined =>
  fetch.stats().breakers[new URL(url).origin]?.state;

const read = async (response: Promise<Response>): Promise<void> => {
  await (await response).arrayBuffer();
};

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

/** @returns the URL of a proxy that lets every connection through */
async function serveProxy(): Promise<string> {
  const proxy = createServer().on('connect', (request, socket) => {
    const { hostname, port } = new URL(`http://${request.url}`);
    const target = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      target.pipe(socket).pipe(target);
    });
    target.on('error', () => socket.destroy());
    socket.on('error', () => target.destroy());
  });
  await new Promise<void>((listening) => proxy.listen(0, '127.0.0.1', listening));
  cleanUps.push(() => proxy.close());
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

describe('a request that its sender makes besides is no redirect:', () => {
  it('the connection through a proxy', async () => {
    const target = await serve(status(503));
    const uri = await serveProxy();
    const fetch = make(async (input, init) => {
      // A connection for each request, as in an outage.
      const dispatcher = new ProxyAgent({ uri, proxyTunnel: true });
      cleanUps.push(() => dispatcher.destroy());
      return (await undiciFetch(input as string, { ...(init as object), dispatcher })) as never;
    });
    for (let i = 0; i < 2; i++) await read(fetch(target.url('/')));
    expect(stateOf(fetch, target.url('/'))).toBe('open');
    expect(stateOf(fetch, uri)).toBeUndefined();
  });

  it('a log after the response', async () => {
    const [target, log] = [await serve(status(503)), await serve(ok())];
    const fetch = make(async (input, init) => {
      const response = await globalThis.fetch(input, init);
      await read(globalThis.fetch(log.url('/')));
      return response;
    });
    for (let i = 0; i < 2; i++) await read(fetch(target.url('/')));
    expect(stateOf(fetch, target.url('/'))).toBe('open');
    expect(stateOf(fetch, log.url('/'))).toBeUndefined();
  });

  it('a token before it, and the redirect that follows is one', async () => {
    const [target, tokens] = [await serve(status(503)), await serve(ok())];
    const server = await serve((response) => {
      response.writeHead(302, { location: target.url('/') });
      response.end();
    });
    const fetch = make(async (input, init) => {
      await read(globalThis.fetch(tokens.url('/')));
      return globalThis.fetch(input, init);
    });
    for (let i = 0; i < 2; i++) await read(fetch(server.url('/')));
    expect(stateOf(fetch, server.url('/'))).toBe('closed');
    expect(stateOf(fetch, target.url('/'))).toBe('open');
    expect(stateOf(fetch, tokens.url('/'))).toBeUndefined();
  });
});
