import { once } from 'node:events';
import { createServer, request as httpRequest, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ManualClock } from '@temper/testkit';
import express from 'express';
import { afterEach, describe, expect, it } from 'vitest';
import { type RequestLimit, rateLimitMiddleware } from '../../src/http/index.ts';
import { fixedWindow, keyed } from '../../src/index.ts';
import { MemoryRateLimitStore, sharedRateLimit } from '../../src/shared/index.ts';
import { FaultyStore } from '../faulty-store.ts';

// Set-ups as they are common with express-rate-limit and rate-limiter-flexible, written anew with Temper.

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function listen(handler: RequestListener): Promise<number> {
  const server = createServer(handler);
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

/** A reverse proxy that appends the address it sees, as nginx does by `$proxy_add_x_forwarded_for`. */
const proxy = (port: number, seen?: (header: string | undefined) => string): Promise<number> =>
  listen((request, response) => {
    const before = request.headers['x-forwarded-for'] as string | undefined;
    const remote = seen?.(request.headers['x-client'] as string) ?? request.socket.remoteAddress!;
    const headers = {
      ...request.headers,
      'x-forwarded-for': before === undefined ? remote : `${before}, ${remote}`,
    };
    const { method, url: path } = request;
    const onward = httpRequest({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });

const clock = new ManualClock();

describe('a login limit of express-rate-limit, behind two proxies', () => {
  /** windowMs, limit, skipSuccessfulRequests, standardHeaders: 'draft-7', legacyHeaders, message, req.rateLimit. */
  const make = () => keyed({ template: fixedWindow({ clock, limit: 5, windowMs: 900_000 }) });
  const loginLimit = (limiter: ReturnType<typeof make>) =>
    rateLimitMiddleware({
      limits: [
        {
          name: 'login',
          limiter,
          key: 'address',
          countOnly: ({ status }) => status !== undefined && status >= 400,
        },
      ],
      fields: 'draft-7',
      legacyFields: true,
      requestProperty: 'rateLimit',
      respond: () => ({ body: 'Too many login attempts, please try again later.' }),
    });

  async function start(
    limiter = make(),
  ): Promise<(client: string, path: string) => Promise<Response>> {
    const app = express();
    app.set('trust proxy', 2);
    app.use(loginLimit(limiter));
    app.get('/:answer', (request, response) => {
      const { rateLimit } = request as unknown as { rateLimit: RequestLimit };
      response.status(request.params.answer === 'right' ? 200 : 401);
      response.json({ used: rateLimit.used, remaining: rateLimit.remaining, key: rateLimit.key });
    });
    const inner = await proxy(await listen(app));
    const edge = await proxy(inner, (client) => client!);
    return (client, path) =>
      fetch(`http://127.0.0.1:${edge}${path}`, {
        // What a client claims itself stands before what the proxies append.
        headers: { 'x-client': client, 'x-forwarded-for': '6.6.6.6' },
      });
  }

  it('counts the failures of each client, and no success', async () => {
    const limiter = make();
    const ask = await start(limiter);
    const statuses: number[] = [];
    let failures = 0;
    for (const path of ['/right', '/wrong', '/wrong', '/right', '/wrong', '/wrong', '/wrong']) {
      const response = await ask('203.0.113.9', path);
      await response.text();
      statuses.push(response.status);
      if (path === '/wrong') failures++;
      await expect.poll(() => limiter.peek({ key: '203.0.113.9' }).remaining).toBe(5 - failures);
    }
    expect(statuses).toEqual([200, 401, 401, 200, 401, 401, 401]);
    const refused = await ask('203.0.113.9', '/right');
    expect(refused.status).toBe(429);
    expect(await refused.text()).toBe('Too many login attempts, please try again later.');
    expect(refused.headers.get('ratelimit')).toBe('limit=5, remaining=0, reset=900');
    expect(refused.headers.get('ratelimit-policy')).toBe('5;w=900');
    expect(refused.headers.get('x-ratelimit-remaining')).toBe('0');
    expect(refused.headers.get('retry-after')).toBe('900');
  });

  it('has a limit of its own for each of sixty clients', async () => {
    const ask = await start();
    for (let i = 1; i <= 60; i++) {
      const response = await ask(`203.0.113.${i}`, '/wrong');
      expect(response.status).toBe(401);
      expect(await response.json()).toEqual({ used: 1, remaining: 4, key: `203.0.113.${i}` });
    }
  });
});

describe('a login limit of rate-limiter-flexible', () => {
  const DAY = 86_400_000;
  const name = 'login_fail';

  /** points, duration, blockDuration, insuranceLimiter. */
  function start() {
    const faults = new FaultyStore(new MemoryRateLimitStore(clock));
    const failures = sharedRateLimit({
      name,
      store: faults,
      clock,
      algorithm: 'fixed-window',
      limit: 3,
      windowMs: DAY,
      nodes: 1,
      onStoreFailure: 'local',
    });
    return { failures, faults };
  }

  it('blocks a user after three failures, for longer with each, and forgets them on success', async () => {
    const { failures } = start();
    const key = 'ann@203.0.113.9';
    const login = async (right: boolean): Promise<'in' | 'wrong' | 'blocked'> => {
      const { allowed, remaining, lease } = await failures.take({ key });
      if (!allowed) return 'blocked';
      if (right) {
        await lease?.settle?.(0);
        await failures.reset({ key });
        return 'in';
      }
      if (remaining === 0) await failures.block(3_600_000, { key });
      return 'wrong';
    };
    expect(await login(false)).toBe('wrong');
    expect(await login(true)).toBe('in');
    for (let i = 0; i < 3; i++) expect(await login(false)).toBe('wrong');
    expect(await login(true)).toBe('blocked');
    const { resetMs } = await failures.peek({ key });
    expect(resetMs).toBeGreaterThan(3_590_000);
    expect(resetMs).toBeLessThanOrEqual(3_600_000);
    expect((await failures.take({ key: 'eve@203.0.113.9' })).allowed).toBe(true);
  });

  it('takes points for other reasons, and gives some back', async () => {
    const { failures } = start();
    await failures.penalty(2, { key: 'bob' });
    expect((await failures.peek({ key: 'bob' })).remaining).toBe(1);
    await failures.reward(1, { key: 'bob' });
    expect((await failures.peek({ key: 'bob' })).remaining).toBe(2);
  });

  it('limits by itself while the store is away', async () => {
    const { failures, faults } = start();
    faults.fail();
    const answers: boolean[] = [];
    for (let i = 0; i < 4; i++) answers.push((await failures.take({ key: 'cid' })).allowed);
    expect(answers).toEqual([true, true, true, false]);
  });
});
