import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { settle } from '@temper/testkit/clock';
import * as undici from 'undici';
import * as undici6 from 'undici-6';
import * as undici7 from 'undici-7';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dispatcherInterceptor } from '../../src/fetch/index.ts';
import { cut, ok, status } from './fault-server.ts';
import { serve } from './guarded.ts';

const interceptor = () => dispatcherInterceptor({ retry: { initialDelayMs: 1 } });

describe('undici 6', () => {
  const refused = /needs undici 7 or 8/;

  it('is refused with the first request, by request and by fetch', async () => {
    const server = await serve(ok());
    const agent = new undici6.Agent();
    onTestFinished(() => agent.destroy());
    const dispatcher = agent.compose(interceptor() as never);
    await expect(undici6.request(server.url(), { dispatcher })).rejects.toThrow(refused);
    await expect(undici6.fetch(server.url(), { dispatcher })).rejects.toThrow(/fetch failed/);
    const error = await undici6.fetch(server.url(), { dispatcher }).catch((thrown) => thrown);
    expect(error.cause).toMatchObject({ message: expect.stringMatching(refused) });
    expect(server.seen).toHaveLength(0);
  });
});

describe.each([
  ['undici 8', undici],
  ['undici 7', undici7 as never as typeof undici],
])('the global dispatcher of %s', (_, release) => {
  it('guards the fetch of Node, and of undici itself', async () => {
    const server = await serve(status(503), cut, ok('node'), status(503), ok('undici'));
    const before = release.getGlobalDispatcher();
    const agent = new release.Agent();
    onTestFinished(async () => {
      release.setGlobalDispatcher(before);
      await agent.destroy();
    });
    release.setGlobalDispatcher(agent.compose(interceptor()));
    expect(await (await fetch(server.url())).text()).toBe('node');
    expect(await (await release.fetch(server.url())).text()).toBe('undici');
    expect(server.seen).toHaveLength(5);
  });
});

// undici 7.30 throws an assertion that nobody can catch when such a response is paused at that moment.
it('does not let a response wait on undici 7 whose connection may be reset', async () => {
  const server = createServer((socket) => {
    socket
      .on('error', () => {})
      .on('data', () => {
        const head = 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbody';
        socket.write(head, () => void settle().then(() => socket.resetAndDestroy()));
      });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const own = new undici7.Agent();
  onTestFinished(async () => {
    await own.destroy();
    server.close();
  });
  const dispatcher = own.compose(interceptor() as never);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const texts = new Set<string>();
  for (let request = 0; request < 30; request++) {
    const { body } = await undici7.request(url, { dispatcher });
    texts.add(await body.text().catch(({ code }) => code));
  }
  // Without a length, a reset is an end for undici. What must not be is an uncaught error, which fails the test.
  expect([...texts].filter((text) => !['body', '', 'UND_ERR_SOCKET'].includes(text))).toEqual([]);
});
