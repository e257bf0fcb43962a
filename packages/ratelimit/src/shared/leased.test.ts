import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { FaultyStore } from '../../test/faulty-store.ts';
import { MemoryRateLimitStore } from './memory-store.ts';
import type { SharedRateLimitOptions } from './options.ts';
import { sharedRateLimit } from './shared-rate-limit.ts';

let clock: ManualClock;
let store: FaultyStore;
beforeEach(() => {
  clock = new ManualClock();
  store = new FaultyStore(new MemoryRateLimitStore(clock));
});

const make = (more: Partial<SharedRateLimitOptions> = {}) =>
  sharedRateLimit({
    name: 'api',
    store,
    clock,
    nodes: 4,
    mode: 'leased',
    algorithm: 'sliding-window',
    limit: 400,
    windowMs: 60_000,
    ...more,
  } as SharedRateLimitOptions);

const requests = (): number => store.calls.filter((call) => call === 'take').length;

describe('a leased limit', () => {
  it('costs under 0.1 requests per call of a busy key, by take and by acquire', async () => {
    const a = make();
    let passed = 0;
    for (let i = 0; i < 150; i++) if ((await a.take({ key: 'hot' })).allowed) passed++;
    for (let i = 0; i < 150; i++) {
      await a.acquire({ key: 'hot' });
      passed++;
    }
    expect(passed).toBe(300);
    expect(requests()).toBeLessThanOrEqual(30);
  });

  it('asks once for calls that come at the same time', async () => {
    const a = make();
    const answers = await Promise.all(Array.from({ length: 40 }, () => a.take({ key: 'hot' })));
    expect(answers.every(({ allowed }) => allowed)).toBe(true);
    expect(requests()).toBeLessThanOrEqual(4);
  });

  it('costs no request while a key is used up, and serves it again in time', async () => {
    const a = make();
    while ((await a.take({ key: 'hot' })).allowed);
    const before = requests();
    for (let i = 0; i < 500; i++) {
      expect(await a.take({ key: 'hot' })).toMatchObject({ allowed: false });
    }
    expect(requests()).toBe(before);
    await clock.advance(66_000);
    expect(await a.take({ key: 'hot' })).toMatchObject({ allowed: true });
  });

  it('gives back what was not used, so that others can use it', async () => {
    const [a, b] = [make(), make()];
    await a.take({ key: 'hot' });
    expect(await b.peek({ key: 'hot' })).toMatchObject({ remaining: 400 - 1 - 50 });
    await clock.advance(1000);
    await settle();
    expect(await b.peek({ key: 'hot' })).toMatchObject({ remaining: 399 });
    expect(clock.pendingRefed).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it.each(['token-bucket', 'sliding-window', 'fixed-window'] as const)(
    'lets through at most half of the capacity more than the limit in any span: %s',
    async (algorithm) => {
      const rule = { limit: 400, windowMs: 60_000 };
      const burst = algorithm === 'token-bucket' ? { burst: 400 } : {};
      const fleet = [1, 2, 3, 4].map(() => make({ algorithm, ...rule, ...burst }));
      const times: number[] = [];
      for (let step = 0; step < 600; step++) {
        await clock.advance((step * 37) % 400);
        for (const one of fleet) {
          for (let i = 0; i < (step * 7) % 5; i++) {
            if ((await one.take({ key: 'hot' })).allowed) times.push(clock.monotonic());
          }
        }
      }
      expect(times.length).toBeGreaterThan(700);
      const capacity = algorithm === 'fixed-window' ? 800 : 400;
      let from = 0;
      for (const spanMs of [1000, 10_000, 60_000]) {
        from = 0;
        for (const [to, at] of times.entries()) {
          while (at - times[from]! > spanMs) from++;
          const most = capacity + (spanMs * 400) / 60_000 + 200;
          expect(to - from + 1).toBeLessThanOrEqual(most);
        }
      }
    },
  );

  it('goes on with its share when the store fails, and then with the local limit', async () => {
    const a = make({ onStoreFailure: 'closed' });
    await a.take({ key: 'hot' });
    store.fail();
    let passed = 0;
    for (;;) {
      const answer = await a.take({ key: 'hot' }).catch(() => undefined);
      if (answer === undefined) break;
      passed++;
    }
    expect(passed).toBe(50);
  });

  it('holds no share of a limit that is too small for one', async () => {
    const a = make({ limit: 7 });
    for (let i = 0; i < 7; i++) expect((await a.take({ key: 'hot' })).allowed).toBe(true);
    expect((await a.take({ key: 'hot' })).allowed).toBe(false);
    expect(requests()).toBe(8);
  });

  it('forgets its share and what was refused when the key is reset', async () => {
    const a = make();
    while ((await a.take({ key: 'hot' })).allowed);
    await a.reset({ key: 'hot' });
    expect(await a.take({ key: 'hot' })).toMatchObject({ allowed: true });
  });
});
