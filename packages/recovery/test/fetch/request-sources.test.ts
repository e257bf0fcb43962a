import * as undici from 'undici';
import { describe, expect, it } from 'vitest';
import { resilientFetch } from '../../src/fetch/index.ts';
import { FACES } from './faces.ts';
import { ok, status } from './fault-server.ts';
import { quick, serve } from './guarded.ts';

function form(Class: typeof FormData): FormData {
  const made = new Class();
  made.append('field', 'value');
  return made;
}

/** What a server gets of a body, but for the boundaries of a form. */
async function sentBy(send: (url: string) => Promise<unknown>): Promise<unknown[]> {
  const server = await serve(ok());
  await send(server.url());
  return server.seen.map(({ headers, body }) => [
    headers['content-type']?.split(';')[0],
    headers['content-length'],
    body.replaceAll(/\d{6,}/g, ''),
  ]);
}

const bytes = new TextEncoder().encode('bytes');

describe('a body that fetch takes as a whole', () => {
  it.each<[string, unknown]>([
    ['an array', ['a', 'b']],
    ['a Map', new Map([['a', 'b']])],
    ['a Set', new Set(['a'])],
    ['a String', Object('text')],
    ['a number', 12],
    ['an object', { a: 1 }],
    ['a form', form(FormData)],
    ['the form of another copy of undici', form(undici.FormData as never)],
    ['parameters', new URLSearchParams('a=1')],
    ['a Blob', new Blob(['blob'], { type: 'text/x' })],
    ['a view of two bytes each', new Uint16Array([1, 2])],
  ])('is sent as fetch sends it, each time: %s', async (_, body) => {
    const init = { method: 'PUT', body } as RequestInit;
    const [plain] = await sentBy((url) => fetch(url, init));
    const server = await serve(status(503), ok());
    expect((await quick()(server.url(), init)).status).toBe(200);
    const [first, second] = server.seen;
    expect(await sentBy((url) => quick()(url, init))).toEqual([plain]);
    expect(second?.body.replaceAll(/\d{6,}/g, '')).toBe(first?.body.replaceAll(/\d{6,}/g, ''));
  });

  it('is the form of the undici that sends it', async () => {
    const server = await serve(status(503), ok());
    const send = undici.fetch as never as typeof fetch;
    const guarded = resilientFetch({ fetch: send, retry: { initialDelayMs: 1 } });
    const body = form(undici.FormData as never);
    expect((await guarded(server.url(), { method: 'PUT', body })).status).toBe(200);
    for (const { body: sent } of server.seen) expect(sent).toContain('name="field"');
    expect(server.seen).toHaveLength(2);
  });
});

describe.each(FACES)('the pieces of a body, through %s,', (face, make) => {
  const QUICK = { retry: { initialDelayMs: 1 } };

  it.each<[string, () => ArrayBufferView | ArrayBuffer | string]>([
    ['a text', () => 'bytes'],
    ['bytes', () => bytes],
    ['a buffer', () => bytes.slice().buffer],
    ['a part of a buffer', () => Buffer.from('-bytes-').subarray(1, 6)],
    ['a DataView', () => new DataView(bytes.slice().buffer)],
    ['numbers of eight bytes', () => new BigInt64Array([7n])],
  ])('may be %s', async (_, piece) => {
    const server = await serve(status(503), ok());
    async function* body() {
      yield piece();
    }
    const { status: code } = await make(QUICK).send(server.url(), { method: 'PUT', body: body() });
    const made = piece();
    const expected =
      typeof made === 'string'
        ? made
        : Buffer.from(ArrayBuffer.isView(made) ? made.buffer : made)
            .subarray(...partOf(made))
            .toString();
    expect([code, ...server.seen.map((one) => one.body)]).toEqual([200, expected, expected]);
  });

  it('count in bytes for the bound of what is kept', async () => {
    const server = await serve(status(503), ok());
    async function* body() {
      yield new BigInt64Array(2); // 16 bytes
      yield new DataView(new ArrayBuffer(16));
    }
    const { send } = make({ ...QUICK, maxReplayBytes: 31 });
    expect((await send(server.url(), { method: 'PUT', body: body() })).status).toBe(503);
  });

  it.each([[12], [null], [{}], [['k', 'v']]])(
    'are refused, once and without blame for the origin, when one is %j',
    async (piece) => {
      const server = await serve(ok());
      async function* body() {
        yield piece;
        yield 'more';
      }
      const { send, stats } = make(QUICK);
      const error = await send(server.url(), { method: 'PUT', body: body() }).then(
        () => undefined,
        (thrown: Error) => (face === 'resilientFetch' ? thrown.cause : thrown),
      );
      expect(error).toMatchObject({ message: /must consist of texts and bytes/ });
      expect(stats().retry?.attempts).toBe(1);
      expect(Object.values(stats().breakers)[0]?.window.failures).toBe(0);
    },
  );

  it('fail the request, once and without blame for the origin, when their source fails', async () => {
    const server = await serve(ok());
    async function* body() {
      yield 'one';
      throw new Error('the file is gone');
    }
    const { send, stats } = make(QUICK);
    for (const method of ['PUT', 'POST']) {
      await expect(send(server.url(), { method, body: body() })).rejects.toSatisfy(
        ({ message, cause }) => `${message} ${cause}`.includes('the file is gone'),
      );
    }
    expect(stats().retry?.attempts).toBe(2);
    expect(Object.values(stats().breakers)[0]?.window.failures).toBe(0);
  });

  it('fail a request that is sent once without blame for the origin', async () => {
    const server = await serve(ok());
    async function* body() {
      yield 'one';
      throw new Error('the file is gone');
    }
    for (const [options, call] of [
      [{ retry: false }, {}],
      [QUICK, { retry: false }],
    ] as const) {
      const { send, stats } = make({ ...options, maxReplayBytes: 0 });
      await expect(send(server.url(), { method: 'PUT', body: body(), call })).rejects.toSatisfy(
        ({ message, cause }) => `${message} ${cause}`.includes('file is gone'),
      );
      expect(Object.values(stats().breakers)[0]?.window).toMatchObject({ failures: 0 });
    }
  });

  it('are sent as they are when the request is sent once', async () => {
    const server = await serve(ok());
    async function* body() {
      yield 'one, ';
      yield bytes;
    }
    const { send } = make({ retry: false });
    expect((await send(server.url(), { method: 'PUT', body: body() })).status).toBe(200);
    expect(server.seen.map((one) => one.body)).toEqual(['one, bytes']);
  });
});

it('does not blame the origin for the body of a Request that cannot be read', async () => {
  const server = await serve(ok());
  const fetch = quick();
  const body = new ReadableStream({
    pull: () => {
      throw new Error('the file is gone');
    },
  });
  const request = new Request(server.url(), { method: 'PUT', body, duplex: 'half' } as RequestInit);
  await expect(fetch(request)).rejects.toThrow('the file is gone');
  expect(fetch.stats().retry?.attempts).toBe(1);
  expect(fetch.stats().breakers[server.origin]?.window.failures).toBe(0);
});

function partOf(made: ArrayBufferView | ArrayBuffer): [number, number] {
  return ArrayBuffer.isView(made)
    ? [made.byteOffset, made.byteOffset + made.byteLength]
    : [0, made.byteLength];
}
