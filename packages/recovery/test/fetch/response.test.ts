import { settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { type Answer, ok, status } from './fault-server.ts';
import { quick, serve, still } from './guarded.ts';

const redirect =
  (location: string): Answer =>
  (response) => {
    response.writeHead(302, { location });
    response.end();
  };

describe('the response of resilientFetch', () => {
  it('is what fetch returns, with all that it says', async () => {
    const headers = { 'x-one': '1', 'content-type': 'application/json' };
    const server = await serve(redirect('/there'), (response) => {
      response.writeHead(200, 'Fine', { ...headers, 'set-cookie': ['a=1', 'b=2'] });
      response.end('{"ok":true}');
    });
    const response = await quick()(server.url('/here'));
    expect(response).toBeInstanceOf(Response);
    const { url, redirected, type, statusText } = response;
    expect([url, redirected, type, statusText]).toEqual([
      server.url('/there'),
      true,
      'basic',
      'Fine',
    ]);
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    const copy = response.clone();
    expect([copy.url, copy.redirected]).toEqual([url, true]);
    expect(copy.clone().url).toBe(url);
    expect(await copy.json()).toEqual({ ok: true });
    expect([await response.text(), response.bodyUsed]).toEqual(['{"ok":true}', true]);
  });

  it.each([
    ['a status beyond 599', 'HTTP/1.1 999 Request denied'],
    ['a reason that is not ASCII', 'HTTP/1.1 200 G\xfct'],
    ['no reason', 'HTTP/1.1 200'],
  ])('is what fetch returns when it has %s', async (_, line) => {
    const server = await serve((__, { socket }) => {
      socket.end(`${line}\r\ncontent-length: 4\r\nx-one: 1\r\n\r\nbody`, 'latin1');
    });
    const plain = await fetch(server.url());
    const response = await quick()(server.url());
    for (const one of [response, response.clone()]) {
      expect([one.status, one.statusText, one.ok, one.headers.get('x-one')]).toEqual([
        plain.status,
        plain.statusText,
        plain.ok,
        '1',
      ]);
      expect(await one.text()).toBe('body');
    }
  });

  it.each([
    ['text', (response: Response) => response.text(), 'body'],
    ['blob', async (response: Response) => (await response.blob()).size, 4],
    ['arrayBuffer', async (response: Response) => (await response.arrayBuffer()).byteLength, 4],
    ['bytes', async (response: Response) => (await response.bytes()).length, 4],
  ])('has its body by %s', async (_, take, expected) => {
    const server = await serve(ok('body'));
    expect(await take(await quick()(server.url()))).toBe(expected);
  });

  it('can be read into a buffer of the reader', async () => {
    const server = await serve(ok('body'));
    const { body } = await quick()(server.url());
    const reader = (body as ReadableStream).getReader({ mode: 'byob' });
    const first = await reader.read(new Uint8Array(2));
    expect(Buffer.from(first.value as Uint8Array).toString()).toBe('bo');
    const second = await reader.read(new Uint8Array(10));
    expect(Buffer.from(second.value as Uint8Array).toString()).toBe('dy');
    expect((await reader.read(new Uint8Array(10))).done).toBe(true);
  });

  it.each([
    ['HEAD', { method: 'HEAD' }, ok('body')],
    ['status 204', {}, status(204)],
    ['status 304', {}, status(304)],
  ])('has no body after %s', async (_, init, answer) => {
    const server = await serve(answer);
    const response = await quick()(server.url(), init);
    expect([response.body, await response.text()]).toEqual([null, '']);
  });

  it('is the sender’s own when that is no response with a web stream', async () => {
    const own = { status: 200, headers: new Headers(), body: { pipe: () => {} } };
    const response = await quick({ fetch: (async () => own) as never })('http://a.example/');
    expect(response).toBe(own);
  });

  it.each([
    ['shorter', 'bo'],
    ['longer', 'body and more'],
  ])('may have a %s body than fetch got, when its sender made one of it', async (_, body) => {
    const server = await serve(ok('body'));
    const sender: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      await response.body?.cancel();
      return new Response(body, response);
    };
    const response = await quick({ fetch: sender })(server.url());
    expect([response.headers.get('content-length'), await response.text()]).toEqual(['4', body]);
  });

  // As in workerd, where bodies that nobody resumes hung, or failed with what no policy knows.
  it.each([
    ['never ends', () => {}],
    ['rejects with a copy of the reason', (end: (error: Error) => void) => end(new Error('copy'))],
  ])(
    'fails with the timeout of its body where a read that is cancelled %s',
    async (_, cancelled) => {
      let end = (_: Error): void => {};
      const reader = {
        read: () => new Promise((__, reject) => (end = reject)),
        cancel: async () => cancelled(end),
      };
      const own = Object.defineProperty(new Response(), 'body', {
        value: { locked: false, getReader: () => reader },
      });
      const { clock, fetch } = still({ fetch: async () => own, bodyIdleTimeoutMs: 4000 });
      const response = await fetch('http://a.example/', { method: 'POST' });
      const failed = expect(response.text()).rejects.toMatchObject({ code: 'OPERATION_TIMEOUT' });
      await settle();
      await clock.advance(4000);
      await failed;
    },
  );

  it('ends its connection when its body is cancelled', async () => {
    const server = await serve((response) => {
      response.writeHead(200);
      response.write('first');
    });
    const { body } = await quick()(server.url());
    await (body as ReadableStream).cancel('enough');
    await expect.poll(() => server.responses[0]?.closed).toBe(true);
  });
});
