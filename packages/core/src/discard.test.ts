import { Readable } from 'node:stream';
import { settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { discardBody, isShared, share } from './discard.ts';

describe('discardBody', () => {
  it('cancels the unread body of a response', async () => {
    const cancelled: unknown[] = [];
    const body = new ReadableStream({ cancel: (reason) => void cancelled.push(reason) });
    discardBody(new Response(body));
    await Promise.resolve();
    expect(cancelled).toEqual([undefined]);
  });

  it("cancels the unread body of an error's response", async () => {
    const cancelled: unknown[] = [];
    const body = new ReadableStream({ cancel: () => void cancelled.push('yes') });
    const response = new Response(body, { status: 503 });
    discardBody(Object.assign(new Error('HTTP 503'), { response }));
    await Promise.resolve();
    expect(cancelled).toEqual(['yes']);
  });

  it('leaves a Node stream alone that is being read or was read', async () => {
    const flowing = new Readable({ read: () => {} }).on('data', () => {});
    const read = Readable.from(['text']);
    await read.toArray();
    const done = Readable.from(['text']).destroy();
    for (const body of [flowing, read, done]) discardBody({ status: 503, body });
    expect(flowing.destroyed).toBe(false);
  });

  it('leaves alone what others have', () => {
    const body = Readable.from(['text']);
    const response = { status: 503, body };
    for (const value of [response, 'text', undefined]) share(value);
    discardBody(response);
    discardBody(Object.assign(new Error('HTTP 503'), { response }));
    expect(body.destroyed).toBe(false);
    expect([isShared(response), isShared(body), isShared('text')]).toEqual([true, false, false]);
  });

  it('reads nothing of a response that a client warns about', () => {
    const read: string[] = [];
    const response = new Proxy(new Response(null), {
      get: (target, name) => {
        read.push(String(name));
        return Reflect.get(target, name, target);
      },
    });
    discardBody(response);
    expect(read).not.toContain('data');
  });

  it('leaves a body alone that is being read or was read', async () => {
    const cancelled: unknown[] = [];
    const stream = () => new ReadableStream({ cancel: () => void cancelled.push('yes') });
    const reading = new Response(stream());
    reading.body?.getReader();
    discardBody(reading);
    const read = new Response('read');
    await read.text();
    discardBody(read);
    await Promise.resolve();
    expect(cancelled).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['a primitive', 3],
    ['null', null],
    ['a value without a body', { status: 503 }],
    ['an error whose response has no body', Object.assign(new Error(), { response: 3 })],
    ['a proxy that throws', new Proxy({}, { get: () => JSON.parse('{') })],
    ['a text body', { body: 'text' }],
    [
      'a throwing getter',
      {
        get body(): never {
          throw new Error('hostile');
        },
      },
    ],
    [
      'a body that throws',
      {
        body: {
          locked: false,
          cancel() {
            throw new Error('refused');
          },
        },
      },
    ],
    ['a body that rejects', { body: { locked: false, cancel: async () => Promise.reject(1) } }],
    [
      'a body that returns a hostile thenable',
      {
        body: {
          locked: false,
          cancel: () => ({
            // biome-ignore lint/suspicious/noThenProperty: the case in question
            get then(): never {
              throw new Error('hostile');
            },
          }),
        },
      },
    ],
  ])('does nothing for %s', async (_, value) => {
    expect(() => discardBody(value)).not.toThrow();
    await settle();
  });
});
