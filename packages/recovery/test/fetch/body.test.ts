import { once } from 'node:events';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { FACES, read } from './faces.ts';
import { type Answer, half, ok, status } from './fault-server.ts';
import { serve } from './guarded.ts';
import { document } from './range-server.ts';

const QUICK = { retry: { initialDelayMs: 0 } } as const;
/** Changed a minute before the answer, less a second: too young to tell two versions apart. */
const RECENT = {
  'last-modified': 'Mon, 01 Jan 2024 00:00:01 GMT',
  date: 'Mon, 01 Jan 2024 00:01:00 GMT',
};
const TEXT = 'the quick brown fox jumps over the lazy dog';

describe.each(FACES)('the body of a response, through %s,', (_, make) => {
  it('is ended when its next piece does not come in time', async () => {
    const server = await serve(half());
    const clock = new ManualClock();
    const { send, stats } = make({ clock, bodyIdleTimeoutMs: 4000, retry: false });
    const { body } = await send(server.url());
    const pieces = body[Symbol.asyncIterator]();
    expect(String(Buffer.from((await pieces.next()).value))).toBe('first half, ');
    const next = pieces.next();
    const failed = expect(next).rejects.toMatchObject({
      code: 'OPERATION_TIMEOUT',
      policy: 'http body',
      timeoutMs: 4000,
    });
    await settle();
    await clock.advance(3999);
    expect(server.responses[0]?.closed).toBe(false);
    const closed = once(server.responses[0] as never, 'close');
    await clock.advance(1);
    await failed;
    await closed;
    expect(stats().breakers[server.origin]?.calls).toMatchObject({ success: 1, failure: 1 });
  });

  it('may come slowly, piece by piece', async () => {
    const server = await serve(half());
    const clock = new ManualClock();
    const { send } = make({ clock, bodyIdleTimeoutMs: 4000 });
    const { body } = await send(server.url());
    const pieces = body[Symbol.asyncIterator]();
    await pieces.next();
    for (const piece of ['a', 'b', 'c']) {
      const next = pieces.next();
      await settle();
      await clock.advance(3000);
      server.responses[0]?.write(piece);
      expect(String(Buffer.from((await next).value))).toBe(piece);
    }
    server.responses[0]?.end();
    expect((await pieces.next()).done).toBe(true);
    await clock.advance(60_000);
  });

  it.each([
    [
      'exchangeTimeoutMs',
      { exchangeTimeoutMs: 20_000 },
      {},
      { code: 'OPERATION_TIMEOUT', policy: 'http exchange' },
    ],
    ['timeoutMs of the call', {}, { timeoutMs: 20_000 }, { code: 'DEADLINE_EXCEEDED' }],
  ])('cannot be dripped for longer than %s', async (__, options, call, error) => {
    const server = await serve(half());
    const clock = new ManualClock();
    const { send } = make({ clock, bodyIdleTimeoutMs: 4000, ...options });
    const { body } = await send(server.url(), { call });
    const pieces = body[Symbol.asyncIterator]();
    await pieces.next();
    for (let drips = 0; drips < 6; drips++) {
      const next = pieces.next();
      await settle();
      await clock.advance(3000);
      server.responses[0]?.write('.');
      await next;
    }
    const failed = expect(pieces.next()).rejects.toMatchObject(error);
    await settle();
    await clock.advance(2000);
    await failed;
    const [response] = server.responses;
    if (response?.closed === false) await once(response, 'close');
    expect(server.seen).toHaveLength(1);
  });

  it('that nobody reads is released when the exchange has taken too long', async () => {
    const server = await serve(half());
    const clock = new ManualClock();
    const { send } = make({ clock, exchangeTimeoutMs: 20_000 });
    const { body } = await send(server.url());
    await settle();
    const closed = once(server.responses[0] as never, 'close');
    await clock.advance(20_000);
    await closed;
    await expect(Promise.resolve(body[Symbol.asyncIterator]().next())).rejects.toMatchObject({
      policy: 'http exchange',
    });
  });
});

describe.each(FACES)('a body that breaks, through %s,', (_, make) => {
  it.each([
    ['a strong ETag', { etag: '"1"' }],
    [
      'an old Last-Modified',
      { 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' } as Record<string, string>,
    ],
  ])('goes on by Range, for a response with %s', async (__, headers) => {
    const server = await serve(...document({ text: TEXT, headers, cuts: [10, 5] }));
    expect(await read(make(QUICK).send(server.url()))).toEqual([200, TEXT]);
    const [validator] = Object.values(headers);
    expect(server.seen.map(({ headers: sent }) => [sent.range, sent['if-range']])).toEqual([
      [undefined, undefined],
      ['bytes=10-', validator],
      ['bytes=15-', validator],
    ]);
  });

  it('goes on after what the reader has when the server does not know ranges', async () => {
    const server = await serve(...document({ text: TEXT, cuts: [10, 20], ranges: false }));
    expect(await read(make(QUICK).send(server.url()))).toEqual([200, TEXT]);
    expect(server.seen).toHaveLength(3);
  });

  it('goes on when the next answers fail, as the retry allows', async () => {
    const [first, whole] = document({ text: TEXT, cuts: [10] });
    const server = await serve(first as never, status(503), whole as never);
    const { send, stats } = make(QUICK);
    expect(await read(send(server.url()))).toEqual([200, TEXT]);
    expect(server.seen).toHaveLength(3);
    expect(stats().breakers[server.origin]?.calls).toMatchObject({ success: 2, failure: 2 });
  });

  it('goes on after a piece that has not come in time', async () => {
    const server = await serve(...document({ text: TEXT, cuts: [10], fault: () => {} }));
    const clock = new ManualClock();
    const { send } = make({ clock, ...QUICK });
    const { body } = await send(server.url());
    const pieces = body[Symbol.asyncIterator]();
    let text = Buffer.from((await pieces.next()).value).toString();
    const next = pieces.next();
    await settle();
    await clock.advance(30_000);
    for (let piece = await next; piece.done !== true; piece = await pieces.next()) {
      text += Buffer.from(piece.value).toString();
    }
    expect([text, server.seen.length]).toEqual([TEXT, 2]);
  });

  it.each<[string, Record<string, string>]>([
    ['no validator', {}],
    ['a weak ETag', { etag: 'W/"1"' }],
    ['no validator, and a content type', { 'content-type': 'text/plain' }],
  ])('is asked for again while nobody has read from it, with %s', async (__, headers) => {
    const server = await serve(...document({ text: TEXT, headers, cuts: [0, 0] }));
    expect(await read(make(QUICK).send(server.url()))).toEqual([200, TEXT]);
    expect(server.seen.map(({ headers: sent }) => sent.range)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  const broken = async (text: AsyncIterable<Uint8Array>): Promise<string> => {
    let seen = '';
    try {
      for await (const chunk of text) seen += Buffer.from(chunk).toString();
    } catch (error) {
      return `${seen}|${(error as Error).name}`;
    }
    return seen;
  };

  it.each<[string, Parameters<typeof document>[0], number]>([
    ['a weak ETag', { text: TEXT, headers: { etag: 'W/"1"' }, cuts: [10] }, 1],
    ['no validator', { text: TEXT, headers: {}, cuts: [10] }, 1],
    ['a Last-Modified of this moment', { text: TEXT, headers: RECENT, cuts: [10] }, 1],
    ['no length', { text: TEXT, length: false, cuts: [10] }, 1],
    ['a status of its own', { text: TEXT, cuts: [10, 10, 10, 10, 10] }, 4],
  ])('fails, with what was read, when the response has %s', async (__, served, requests) => {
    const server = await serve(...document(served));
    const { body } = await make(QUICK).send(server.url());
    expect(await broken(body)).toMatch(
      /^the quick .*\|(TypeError|SocketError|ResponseAborted|Error)$/,
    );
    expect(server.seen).toHaveLength(requests);
  });

  it.each<[string, Parameters<typeof document>[0]]>([
    ['another tag', { text: TEXT.toUpperCase(), headers: { etag: '"2"' } }],
    ['another length and no ranges', { text: `${TEXT}!`, ranges: false }],
    ['the whole, and no tag', { text: TEXT, headers: {} }],
    [
      'a range of another tag, by a server that ignores If-Range',
      { text: TEXT.toUpperCase(), headers: { etag: '"2"' }, deaf: true },
    ],
    [
      'a range without a tag, by a server that ignores If-Range',
      { text: TEXT.toUpperCase(), headers: {}, deaf: true },
    ],
  ])('never mixes two representations: the next response has %s', async (__, second) => {
    const [first] = document({ text: TEXT, cuts: [10] });
    const [other] = document(second);
    const server = await serve(first as never, other as never);
    const { body } = await make(QUICK).send(server.url());
    expect(await broken(body)).toMatch(/^the quick \|/);
    expect(server.seen).toHaveLength(2);
  });

  it.each([
    ['POST', { method: 'POST', body: 'x' }],
    ['a range that the caller asked for', { headers: { range: 'bytes=0-' } }],
    ['a request that is to be sent once', { call: { retry: false } }],
  ])('is not asked for again for %s', async (__, ask) => {
    const server = await serve(...document({ text: TEXT, headers: { etag: '"x"' }, cuts: [10] }));
    const { body } = await make(QUICK).send(server.url(), ask);
    expect(await broken(body)).toMatch(/^the quick \|/);
    expect(server.seen).toHaveLength(1);
  });

  it('is not asked for again when its caller has aborted it', async () => {
    const server = await serve(half(), ok());
    const controller = new AbortController();
    const { body } = await make(QUICK).send(server.url(), { signal: controller.signal });
    const pieces = body[Symbol.asyncIterator]();
    await pieces.next();
    const failed = expect(pieces.next()).rejects.toThrow();
    controller.abort();
    await failed;
    expect(server.seen).toHaveLength(1);
  });

  it('ends the wait for its rest with the abort of its caller', async () => {
    const server = await serve(...document({ text: TEXT, cuts: [10] }));
    const controller = new AbortController();
    const clock = new ManualClock();
    const waiting = Promise.withResolvers<void>();
    const { send } = make({ clock, retry: { onRetry: () => waiting.resolve() } });
    const { body } = await send(server.url(), { signal: controller.signal });
    const text = broken(body);
    await waiting.promise;
    controller.abort();
    expect(await text).toBe('the quick |AbortError');
    expect(server.seen).toHaveLength(1);
  });
});

describe.each(FACES.slice(1))('an encoded body that %s passes on as it is', (_, make) => {
  const headers = { etag: '"1"', 'content-encoding': 'x-custom' };
  const cut = document({ text: TEXT, headers, cuts: [10] });

  it('is continued by a part of the same encoding', async () => {
    const server = await serve(...cut);
    expect(await read(make(QUICK).send(server.url()))).toEqual([200, TEXT]);
    expect(server.seen[1]?.headers.range).toBe('bytes=10-');
  });

  it.each([['another'], [undefined]])(
    'is not continued by one of encoding %s',
    async (encoding) => {
      const other = encoding === undefined ? {} : { 'content-encoding': encoding };
      const [first] = cut;
      const [rest] = document({ text: TEXT, headers: { etag: '"1"', ...other } });
      const server = await serve(first as Answer, rest as Answer);
      await expect(read(make(QUICK).send(server.url()))).rejects.toThrow();
      expect(server.seen).toHaveLength(2);
    },
  );
});

describe('a body that fetch decodes', () => {
  const [, make] = FACES[0] as (typeof FACES)[number];

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ])(
    'is asked for again while nobody has read from it, though it is larger than its %s',
    async (encoding, compress) => {
      const text = TEXT.repeat(100);
      const bytes = compress(text);
      const answer =
        (cut: number | undefined): Answer =>
        (response) => {
          const headers = { 'content-encoding': encoding, 'content-length': bytes.length };
          response.writeHead(200, headers).flushHeaders();
          if (cut === undefined) response.end(bytes);
          else response.write(bytes.subarray(0, cut), () => response.socket?.end());
        };
      const server = await serve(answer(1), answer(2), answer(undefined));
      expect(await read(make(QUICK).send(server.url()))).toEqual([200, text]);
      expect(server.seen).toHaveLength(3);
    },
  );

  it('is not asked for in part, as its pieces are not those that were sent', async () => {
    const bytes = gzipSync('x'.repeat(100_000), { level: 0 });
    const server = await serve((response) => {
      const headers = { etag: '"1"', 'content-encoding': 'gzip', 'content-length': bytes.length };
      response.writeHead(200, headers);
      response.write(bytes.subarray(0, 70_000));
    });
    const { body } = await make(QUICK).send(server.url());
    const pieces = body[Symbol.asyncIterator]();
    await pieces.next();
    server.responses[0]?.socket?.destroy();
    const rest = async (): Promise<void> => {
      while ((await pieces.next()).done !== true);
    };
    await expect(rest()).rejects.toThrow();
    expect(server.seen).toHaveLength(1);
  });
});
