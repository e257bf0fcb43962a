import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { ManualClock } from '@temper/testkit';
import { Hono } from 'hono';
import { afterEach, describe, expect, it } from 'vitest';
import { adaptiveConcurrency } from '../../src/adaptive/index.ts';
import { type HttpAnswer, type HttpLimit, honoRateLimit } from '../../src/http/index.ts';
import { type Decision, type Lease, tokenBucket } from '../../src/index.ts';
import { closeServers, frameworks, type Handle } from './frameworks.ts';

afterEach(closeServers);

const fail = (): never => {
  throw new Error('a bug');
};
const hello: Handle = async () => 'hello';
/** Nothing comes back while the machine is slow. */
const still = new ManualClock();

describe.each(frameworks)('%s', (_, start) => {
  describe('a limit that learns', () => {
    /** Records how its leases end. */
    const learning = () => {
      const ends: string[] = [];
      const limiter = adaptiveConcurrency();
      const take = (): Decision => {
        const decision = limiter.take();
        const end = (how: string) => (): void => void ends.push(how);
        const lease = {
          release: end('success'),
          ignore: end('ignored'),
          overloaded: end('overload'),
        } as Partial<Lease>;
        return { ...decision, lease: lease as Lease };
      };
      return { ends, limit: { name: 'learning', limiter: { take } } };
    };

    it('learns from a request that was served', async () => {
      const { ends, limit } = learning();
      const url = await start({ limits: [limit] }, hello);
      await (await fetch(url)).text();
      await expect.poll(() => ends).toEqual(['success']);
    });

    it.each([
      [200, 'success'],
      [204, 'success'],
      [302, 'success'],
      [404, 'success'],
      [408, 'ignored'],
      [429, 'ignored'],
      [500, 'ignored'],
      [502, 'ignored'],
      [503, 'overload'],
      [504, 'overload'],
    ])('learns from the status of a response: %d is %s', async (status, end) => {
      const { ends, limit } = learning();
      const url = await start({ limits: [limit] }, async () => [status, '']);
      expect((await fetch(url, { redirect: 'manual' })).status).toBe(status);
      await expect.poll(() => ends).toEqual([end]);
    });

    it('learns from its own verdict, and by default when that says nothing', async () => {
      const { ends, limit } = learning();
      const seen: unknown[] = [];
      const verdict: NonNullable<HttpLimit['verdict']> = ({ status }, { method, url }) => {
        seen.push([status, method, url]);
        if (status === 500) return 'overload';
        if (status === 404) return 'nonsense' as never;
        if (status === 503) throw new Error('a bug');
        return status === 204 ? 'ignored' : undefined;
      };
      let status = 0;
      const url = await start({ limits: [{ ...limit, verdict }] }, async () => [status, '']);
      for (const each of [500, 204, 404, 503, 504]) {
        status = each;
        await fetch(url);
        await expect.poll(() => seen).toContainEqual([status, 'GET', '/']);
      }
      expect(ends).toEqual(['overload', 'ignored', 'success', 'overload', 'overload']);
    });

    it('learns nothing from a request that a middleware inside refused', async () => {
      const { ends, limit } = learning();
      const limiter = tokenBucket({ clock: still, burst: 1 });
      limiter.tryAcquire();
      const url = await start({ limits: [limit] }, hello, { limits: [{ name: 'b', limiter }] });
      expect((await fetch(url)).status).toBe(503);
      await expect.poll(() => ends).toEqual(['ignored']);
    });

    it('learns nothing from a request that another limit refused', async () => {
      const { ends, limit } = learning();
      const limiter = tokenBucket({ clock: still, burst: 1 });
      limiter.tryAcquire();
      const url = await start({ limits: [limit, { name: 'b', limiter }] }, hello);
      expect((await fetch(url)).status).toBe(503);
      expect(ends).toEqual(['ignored']);
    });

    it('learns nothing when a later limit fails', async () => {
      const { ends, limit } = learning();
      const failing = { name: 'b', limiter: { take: fail } };
      const url = await start({ limits: [limit, failing] }, hello);
      expect((await fetch(url)).status).toBe(500);
      expect(ends).toEqual(['ignored']);
      // Keys and costs are asked for before anything is taken.
      const costs = { name: 'c', limiter: tokenBucket(), cost: fail };
      const other = await start({ limits: [limit, costs] }, hello);
      expect((await fetch(other)).status).toBe(500);
      expect(ends).toEqual(['ignored']);
    });

    it('learns nothing from a response that is closed early', async () => {
      const { ends, limit } = learning();
      const begun = Promise.withResolvers<void>();
      const url = await start({ limits: [limit] }, () => {
        begun.resolve();
        return new Promise(() => undefined);
      });
      const controller = new AbortController();
      const request = fetch(url, { signal: controller.signal });
      await begun.promise;
      controller.abort();
      await expect(request).rejects.toThrow();
      await expect.poll(() => ends).toEqual(['ignored']);
    });
  });
});

describe('Hono on a Node server', () => {
  it('learns from what was sent, of a response that cannot be created as an object too', async () => {
    const seen: (number | undefined)[] = [];
    const verdict = ({ status }: HttpAnswer): undefined => {
      seen.push(status);
    };
    const app = new Hono();
    const limits = [{ name: 'learning', limiter: adaptiveConcurrency(), verdict }];
    app.use(honoRateLimit({ limits, fields: 'none' }));
    // A `Response` with this status has no body; the server sends it all the same.
    app.get('/', (context) => context.text('', 204 as 200));
    const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }) as Server;
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(204);
    await expect.poll(() => seen).toEqual([204]);
    server.close();
  });
});

describe('Hono where no Node server is behind it', () => {
  it.each([
    [200, 'release'],
    [500, 'ignore'],
    [503, 'overloaded'],
  ])('learns from the status of a response: %d', async (status, end) => {
    const ends: string[] = [];
    const note = (how: string) => (): number => ends.push(how);
    const lease = {
      release: note('release'),
      overloaded: note('overloaded'),
      ignore: note('ignore'),
    };
    const limiter = { take: () => ({ ...adaptiveConcurrency().take(), lease }) as never };
    const app = new Hono();
    app.use(honoRateLimit({ limits: [{ name: 'learning', limiter }] }));
    const full = tokenBucket({ clock: still, burst: 1 });
    full.tryAcquire();
    app.use('/full', honoRateLimit({ limits: [{ name: 'full', limiter: full }] }));
    app.get('/', () => new Response(null, { status }));
    app.get('/full', () => new Response('never'));
    expect((await app.request('/')).status).toBe(status);
    expect((await app.request('/full')).status).toBe(503);
    expect(ends).toEqual([end, 'ignore']);
  });
});
