import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { FACES, read } from './faces.ts';
import { type Answer, ok, status } from './fault-server.ts';
import { quick, serve } from './guarded.ts';
import { document } from './range-server.ts';

const QUICK = { retry: { initialDelayMs: 0 } } as const;
const TEXT = 'the quick brown fox jumps over the lazy dog';
const REST = TEXT.slice(10);
const [begun] = document({ text: TEXT, cuts: [10] }) as [Answer];

/** An answer to the request for the rest, that says it is the rest. */
const rest =
  (body: string, headers: Record<string, string | number | readonly string[]> = {}): Answer =>
  (response) => {
    response.writeHead(206, {
      etag: '"1"',
      'content-range': `bytes 10-${TEXT.length - 1}/${TEXT.length}`,
      ...headers,
    });
    response.end(body);
  };

describe.each(FACES)('the rest of a body that broke, through %s,', (_, make) => {
  it.each([
    ['is shorter than its range, by its length', rest('short', { 'content-length': 5 })],
    ['is longer than its range, by its length', rest(`${REST}...`, { 'content-length': 36 })],
    ['ends before its range does', rest('short')],
    ['goes on after its range', rest(`${REST}...`)],
    ['begins elsewhere', rest(REST, { 'content-range': 'bytes 9-42/43' })],
    ['ends elsewhere', rest(REST, { 'content-range': 'bytes 10-43/44' })],
    ['is of another version', rest(REST, { etag: '"2"' })],
    ['is of two versions', rest(REST, { etag: ['"1"', '"2"'] })],
    ['has no range', rest(REST, { 'content-range': 'everything' })],
    ['cannot be had', status(416)],
  ])('is not taken for the rest when it %s', async (__, answer) => {
    const server = await serve(begun, answer);
    const { send } = make(QUICK);
    await expect(read(send(server.url()))).rejects.toThrow();
    expect(server.seen).toHaveLength(2);
  });

  it('needs no length of its own', async () => {
    const server = await serve(begun, rest(REST));
    expect(await read(make(QUICK).send(server.url()))).toEqual([200, TEXT]);
  });
});

describe('the rest of a body that broke after a redirect', () => {
  const to =
    (location: string): Answer =>
    (response) =>
      void response.writeHead(302, { location }).end();

  it('is that of the resource that the body came from', async () => {
    const server = await serve(to('/a?x'), begun, to('/a?x'), rest(REST));
    expect(await (await quick(QUICK)(server.url())).text()).toBe(TEXT);
  });

  it.each(['/b?x', '/a?y', '/a'])('is not that of %s, whatever its tag', async (elsewhere) => {
    const server = await serve(to('/a?x'), begun, to(elsewhere), rest(REST));
    await expect((await quick(QUICK)(server.url())).text()).rejects.toThrow();
    expect(server.seen).toHaveLength(4);
  });
});

describe.each(FACES)('Retry-After, through %s,', (_, make) => {
  it.each(['31', '99999999999999999999', 'Fri, 31 Dec 9999 23:59:59 GMT'])(
    'of %s ends with the response at once',
    async (value) => {
      const server = await serve(status(503, { 'retry-after': value }), ok());
      expect(await read(make(QUICK).send(server.url()))).toEqual([503, 'status 503']);
      expect(server.seen).toHaveLength(1);
    },
  );

  it.each(['0', '-5', 'NaN', 'Infinity', '0x10', '1e9', 'Thu, 01 Jan 1970 00:00:00 GMT'])(
    'of %s is no reason to wait',
    async (value) => {
      const server = await serve(status(503, { 'retry-after': value }), ok());
      expect(await read(make(QUICK).send(server.url()))).toEqual([200, 'ok']);
      expect(server.seen).toHaveLength(2);
    },
  );
});

describe('the body of a Request that does not end', () => {
  /** A request whose body has begun, and how it learns that nobody wants the rest. */
  function endless(url: string, signal?: AbortSignal): [Request, cancelled: Promise<void>] {
    const { promise, resolve } = Promise.withResolvers<void>();
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(Buffer.from('begun')),
      cancel: () => resolve(),
    });
    const init = { method: 'PUT', body, duplex: 'half', ...(signal && { signal }) };
    return [new Request(url, init as RequestInit), promise];
  }

  it('is let go of as soon as the caller aborts', async () => {
    const server = await serve(ok());
    const controller = new AbortController();
    const [request, cancelled] = endless(server.url(), controller.signal);
    const sent = quick()(request);
    controller.abort(new Error('enough'));
    await expect(sent).rejects.toThrow('enough');
    await cancelled;
    expect(server.seen).toHaveLength(0);
  });

  it('is let go of after the last attempt', async () => {
    const server = await serve(ok());
    const [request, cancelled] = endless(server.url());
    const sent = quick({ attemptTimeoutMs: 10, retry: { maxAttempts: 2 } })(request);
    await expect(sent).rejects.toMatchObject({ code: 'OPERATION_TIMEOUT' });
    await cancelled;
    expect(server.seen).toHaveLength(0);
  });
});

it('a header that is named as a method of Headers is only a header', async () => {
  const [, make] = FACES[1] as (typeof FACES)[number];
  const server = await serve(status(503, { get: 'got', 'retry-after': '31' }), ok());
  const answer = await make(QUICK).send(server.url());
  expect([answer.status, answer.headers.get]).toEqual([503, 'got']);
  const [response] = server.responses;
  if (response?.closed === false) await once(response, 'close');
});
