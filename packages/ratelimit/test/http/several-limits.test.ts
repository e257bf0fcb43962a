import { ManualClock } from '@temper/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { concurrency, fixedWindow, keyed } from '../../src/index.ts';
import {
  MemoryRateLimitStore,
  type RateLimitStore,
  sharedConcurrency,
  sharedRateLimit,
} from '../../src/shared/index.ts';
import { closeServers, frameworks, type Handle } from './frameworks.ts';

afterEach(closeServers);

const still = new ManualClock();
const hello: Handle = async () => 'hello';
const windowMs = 60_000;

/** Two rates and permits, the second rate having room for one request. */
function localLimits() {
  const wide = keyed({ template: fixedWindow({ clock: still, limit: 5, windowMs }) });
  const narrow = fixedWindow({ clock: still, limit: 1, windowMs });
  const held = concurrency({ clock: still, limit: 3 });
  const left = async () => [wide.peek({ key: 'ann' }).remaining, held.peek().remaining];
  return { wide, narrow, held, left, requests: () => [] as string[] };
}

function sharedLimits() {
  const requests: string[] = [];
  const memory = new MemoryRateLimitStore(still);
  const store = new Proxy(memory, {
    get: (_, name: keyof RateLimitStore) => (request: never) => {
      requests.push(name);
      return memory[name](request);
    },
  });
  const common = { store, clock: still, nodes: 1 };
  const rate = { ...common, algorithm: 'fixed-window', windowMs } as const;
  const wide = sharedRateLimit({ ...rate, name: 'wide', limit: 5 });
  const narrow = sharedRateLimit({ ...rate, name: 'narrow', limit: 1 });
  const held = sharedConcurrency({ ...common, name: 'held', limit: 3 });
  const left = async () => [
    (await wide.peek({ key: 'ann' })).remaining,
    (await held.peek()).remaining,
  ];
  return { wide, narrow, held, left, requests: () => requests.splice(0) };
}

describe.each(frameworks)('%s', (_, start) => {
  it.each([
    ['one process', localLimits],
    ['many processes', sharedLimits],
  ])(
    'takes of none of the limits of %s when one refuses, and tells about each',
    async (_, make) => {
      const { wide, narrow, held, left, requests } = make();
      const url = await start(
        {
          limits: [
            { name: 'wide', limiter: wide, key: () => 'ann' },
            { name: 'narrow', limiter: narrow },
            { name: 'held', limiter: held },
          ],
        },
        hello,
      );
      const first = await fetch(url);
      expect(first.status).toBe(200);
      expect(first.headers.get('ratelimit')).toBe('"wide";r=4;t=60, "narrow";r=0;t=60, "held";r=2');
      await expect.poll(left).toEqual([4, 3]);
      requests();
      const refused = await fetch(url);
      expect(refused.status).toBe(503);
      expect(refused.headers.get('ratelimit')).toBe(
        '"wide";r=4;t=60, "narrow";r=0;t=60, "held";r=3',
      );
      expect(refused.headers.get('ratelimit-policy')).toContain('"held";q=3');
      expect(refused.headers.get('retry-after')).toBe('60');
      expect(await refused.json()).toMatchObject({ 'violated-policies': ['narrow'] });
      if (make === sharedLimits) expect(requests()).toEqual(['takeAll']);
      expect(await left()).toEqual([4, 3]);
      expect(narrow.stats()).toMatchObject({ allowed: 1, rejected: 1 });
      expect(wide.stats()).toMatchObject({ allowed: 1, rejected: 0 });
    },
  );

  it('gives back what limits of this process have given when a shared one refuses', async () => {
    const local = localLimits();
    const shared = sharedLimits();
    await shared.narrow.take();
    const url = await start(
      {
        limits: [
          { name: 'shared', limiter: shared.narrow },
          { name: 'all', limiter: shared.wide },
          { name: 'wide', limiter: local.wide, key: () => 'ann' },
          { name: 'held', limiter: local.held },
        ],
      },
      hello,
    );
    expect((await fetch(url)).status).toBe(503);
    expect(await local.left()).toEqual([5, 3]);
    expect((await shared.wide.peek()).remaining).toBe(5);
  });

  it('asks limits whose store is there while that of another one is away', async () => {
    const { wide } = sharedLimits();
    const away = { take: () => Promise.reject(new Error('away')) };
    const closed = sharedRateLimit({
      ...{ name: 'closed', clock: still, nodes: 1, onStoreFailure: 'closed' },
      store: Object.assign(new MemoryRateLimitStore(still), away),
    });
    const limits = [
      { name: 'closed', limiter: closed },
      { name: 'wide', limiter: wide, key: () => 'ann' },
    ];
    const url = await start({ limits, onStoreUnavailable: 'allow' }, hello);
    for (let i = 0; i < 5; i++) expect((await fetch(url)).status).toBe(200);
    expect((await fetch(url)).status).toBe(429);
    const refusing = await start({ limits }, hello);
    expect((await fetch(refusing)).status).toBe(503);
  });
});
