import 'reflect-metadata';
import { Controller, Get, HttpException, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ManualClock } from '@temper/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { type NestRateLimitOptions, nestRateLimitGuard } from '../../src/http/index.ts';
import { concurrency, fixedWindow, keyed } from '../../src/index.ts';

const still = new ManualClock();
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const method = (target: object, name: string) =>
  Object.getOwnPropertyDescriptor(target, name) as TypedPropertyDescriptor<unknown>;

/** An application with one route, without the decorators that would need a compiler of their own. */
function moduleOf(answer: () => unknown): new () => object {
  class Routes {
    answer(): unknown {
      return answer();
    }
  }
  Get()(Routes.prototype, 'answer', method(Routes.prototype, 'answer'));
  Controller()(Routes);
  class App {}
  Module({ controllers: [Routes] })(App);
  return App;
}

type Start = (options: NestRateLimitOptions, answer?: () => unknown) => Promise<string>;

const starting =
  (platform: () => FastifyAdapter | undefined): Start =>
  async (options, answer = () => 'hello') => {
    const adapter = platform();
    const module = moduleOf(answer);
    const app =
      adapter === undefined
        ? await NestFactory.create(module, { logger: false })
        : await NestFactory.create(module, adapter, { logger: false });
    closing.push(() => app.close());
    app.useGlobalGuards(nestRateLimitGuard(options));
    await app.listen(0, '127.0.0.1');
    return app.getUrl();
  };

const exception = (body: object | string, status: number) => new HttpException(body, status);

const perClient = (limit: number) =>
  keyed({ template: fixedWindow({ clock: still, limit, windowMs: 60_000 }) });

describe.each<[string, Start]>([
  ['Express', starting(() => undefined)],
  ['Fastify', starting(() => new FastifyAdapter())],
])('Nest on %s', (_, start) => {
  it('announces the limits, and refuses by an exception of Nest', async () => {
    const url = await start({
      limits: [{ name: 'a', limiter: perClient(1), key: 'address' }],
      exception,
    });
    const first = await fetch(url);
    expect([first.status, await first.text()]).toEqual([200, 'hello']);
    expect(first.headers.get('ratelimit')).toBe('"a";r=0;t=60');
    const refused = await fetch(url);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('60');
    expect(refused.headers.get('ratelimit')).toBe('"a";r=0;t=60');
    expect(await refused.json()).toMatchObject({ status: 429, 'violated-policies': ['a'] });
  });

  it('counts by the answer, also of an exception', async () => {
    const limiter = perClient(1);
    let failing = false;
    const url = await start(
      {
        limits: [
          { name: 'a', limiter, key: () => 'ann', countOnly: ({ status }) => status === 401 },
        ],
        exception,
      },
      () => {
        if (failing) throw new HttpException('no', 401);
        return 'hello';
      },
    );
    const left = () => limiter.peek({ key: 'ann' }).remaining;
    for (let i = 0; i < 3; i++) {
      expect((await fetch(url)).status).toBe(200);
      await expect.poll(left).toBe(1);
    }
    failing = true;
    expect((await fetch(url)).status).toBe(401);
    expect((await fetch(url)).status).toBe(429);
  });

  it('holds permits until the response is over', async () => {
    const limiter = concurrency({ limit: 1 });
    const url = await start({ limits: [{ name: 'a', limiter }], exception });
    await (await fetch(url)).text();
    await expect.poll(() => limiter.stats().inFlight).toBe(0);
    expect((await fetch(url)).status).toBe(200);
  });

  it('sends text that respond asks for', async () => {
    const url = await start({
      limits: [{ name: 'a', limiter: perClient(1), key: 'address' }],
      respond: () => ({ body: 'Slow down.', headers: { 'X-Why': 'limit' } }),
      exception,
    });
    await fetch(url);
    const refused = await fetch(url);
    expect(refused.headers.get('x-why')).toBe('limit');
    expect(await refused.json()).toMatchObject({ message: 'Slow down.' });
  });
});

describe('the guard', () => {
  it('needs to know what to throw', () => {
    const limits = [{ name: 'a', limiter: perClient(1), key: 'address' as const }];
    expect(() => nestRateLimitGuard({ limits } as never)).toThrow(/exception must be a function/);
  });

  it('lets what is not HTTP pass', async () => {
    const limits = [{ name: 'a', limiter: perClient(1), key: 'address' as const }];
    const guard = nestRateLimitGuard({ limits, exception });
    const context = {
      getType: () => 'rpc',
      switchToHttp: () => {
        throw new Error('not HTTP');
      },
    };
    for (let i = 0; i < 3; i++) expect(await guard.canActivate(context)).toBe(true);
  });
});
