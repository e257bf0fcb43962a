import type { IncomingMessage, ServerResponse } from 'node:http';
import { ManualClock, seededRandom, settle } from '@temper/testkit';
import { boundOf } from '@temper/testkit/repository/boundaries';
import { describe, expect, it } from 'vitest';
import { rateLimitMiddleware } from '../../src/http/index.ts';
import { keyed, tokenBucket } from '../../src/index.ts';

const REQUESTS = 10_000;

/** A limiter of clients behind the middleware, and the keys that requests had in it. */
function limited(trustedProxies: readonly string[]) {
  const clock = new ManualClock();
  const limiter = keyed({ clock, template: tokenBucket({ limit: 100, burst: 20 }) });
  const keys = new Set<string>();
  const watched = {
    take: (options: { readonly key: string | undefined; readonly cost: number | undefined }) => {
      keys.add(String(options.key));
      return limiter.take(options as never);
    },
  };
  const limit = { name: 'per-client', limiter: watched, key: 'address' } as const;
  const middleware = rateLimitMiddleware({ limits: [limit], trustedProxies });
  const response = {
    setHeader: () => {},
    getHeader: () => undefined,
    end: () => {},
    on: () => {},
    once: () => {},
  };
  const request = async (remoteAddress: string, forwarded?: string): Promise<void> => {
    const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
    const socket = { remoteAddress };
    const answered = { ...response, writeHead: () => answered } as unknown as ServerResponse;
    middleware(
      { headers, socket, url: '/', method: 'GET' } as unknown as IncomingMessage,
      answered,
      () => {},
    );
  };
  return { request, limiter, keys };
}

describe('a client', () => {
  it('that spoofs its address has the key of its connection', async () => {
    const { request, limiter, keys } = limited(['10.0.0.0/8']);
    for (let i = 0; i < REQUESTS; i++)
      await request('203.0.113.7', `198.51.100.${i % 256}, 10.0.${i >> 8}.1`);
    await settle();
    expect([...keys]).toEqual(['203.0.113.7']);
    expect(limiter.stats().keys).toBe(boundOf('client.spoofed'));
  });

  it('with a network of IPv6 has one key', async () => {
    const { request, limiter, keys } = limited([]);
    for (let i = 0; i < REQUESTS; i++)
      await request(`2001:db8:1:2:${i.toString(16)}::${((i * 7) & 0xffff).toString(16)}`);
    await settle();
    expect([...keys]).toEqual(['2001:db8:1:2:0:0:0:0/64']);
    expect(limiter.stats().keys).toBe(boundOf('client.ipv6'));
  });

  it('with many keys makes the limiter forget, not grow', () => {
    const limiter = keyed({
      clock: new ManualClock(),
      template: tokenBucket({ limit: 1, burst: 5 }),
    });
    for (let i = 0; i < 50_000; i++) limiter.tryAcquire({ key: `key ${i}` });
    expect(limiter.stats().keys).toBe(boundOf('client.keys'));
  });

  it('cannot make a key long', async () => {
    const { request, keys } = limited(['10.0.0.1']);
    const random = seededRandom(1);
    const pieces = [
      '1.2.3.4',
      '2001:db8:ffff:ffff:ffff:ffff:255.255.255.255',
      ',',
      ' ',
      '"',
      '[',
      ']:1',
      'x',
      ':',
      '.',
      '%eth0',
    ];
    const one = (): string => pieces[Math.floor(random() * pieces.length)] as string;
    for (let i = 0; i < 500; i++)
      await request('10.0.0.1', Array.from({ length: 12 }, one).join(''));
    for (const piece of pieces) await request('10.0.0.1', piece.repeat(1_000_000 / piece.length));
    await request('10.0.0.1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff');
    await settle();
    expect(keys.size).toBeGreaterThan(2);
    for (const key of keys)
      expect(key.length, key).toBeLessThanOrEqual(boundOf('client.key-length'));
  });

  it('can make 1000 calls wait, and no more', async () => {
    const limiter = tokenBucket({ clock: new ManualClock(), limit: 1, windowMs: 60_000, burst: 1 });
    let refused = 0;
    for (let i = 0; i < 5000; i++) limiter.acquire({ maxWaitMs: 1e9 }).catch(() => refused++);
    await settle();
    const { queued } = limiter.stats();
    expect(queued).toBe(boundOf('client.queue'));
    expect(refused).toBe(5000 - 1 - queued);
    limiter[Symbol.dispose]();
    await settle();
  });
});
