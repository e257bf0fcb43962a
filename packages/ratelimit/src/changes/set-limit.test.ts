import { ManualClock, settle } from '@temper/testkit';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { fixedWindow } from '../limiters/fixed-window.ts';
import { gcra } from '../limiters/gcra.ts';
import { slidingWindow } from '../limiters/sliding-window.ts';
import { tokenBucket } from '../limiters/token-bucket.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const WINDOW = 1000;
const BURST = 5;
const rate = { limit: 10, windowMs: WINDOW };
const buckets = {
  tokenBucket: () => tokenBucket({ clock, ...rate, burst: BURST }),
  gcra: () => gcra({ clock, ...rate, burst: BURST }),
};
const windows = {
  slidingWindow: () => slidingWindow({ clock, ...rate }),
  fixedWindow: () => fixedWindow({ clock, ...rate }),
};
const kinds = { ...buckets, ...windows };
const named = <T extends object>(of: T): (keyof T)[] => Object.keys(of) as (keyof T)[];

const step = fc.oneof(
  fc.record({ do: fc.constant('take'), n: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constant('pass'), n: fc.constantFrom(1, 50, 130, 500, 1000, 3000) }),
  fc.record({ do: fc.constant('limit'), n: fc.constantFrom(1, 4, 10, 40) }),
);

describe.each(named(kinds))('setLimit of %s', (kind) => {
  it('changes the limit, keeps what is in use, and shows in peek', () => {
    const limiter = kinds[kind]();
    for (let i = 0; i < 4; i++) limiter.take();
    const { remaining } = limiter.peek();
    limiter.setLimit(20);
    const more = kind in buckets ? remaining : remaining + 10;
    expect(limiter.peek()).toMatchObject({ limit: 20, windowMs: WINDOW, remaining: more });
    limiter.setLimit(10);
    expect(limiter.peek()).toMatchObject({ limit: 10, remaining });
  });

  it('lets calls that wait follow', async () => {
    const limiter = kinds[kind]();
    while (limiter.tryAcquire() !== undefined);
    let passed = false;
    const call = limiter.acquire().then(() => {
      passed = true;
    });
    await settle();
    expect(passed).toBe(false);
    limiter.setLimit(1000);
    await clock.advance(kind in buckets ? 1 : 0);
    await call;
    expect(passed).toBe(true);
  });

  it('refuses calls that wait for more than can now be had', async () => {
    const limiter = kinds[kind]();
    while (limiter.tryAcquire() !== undefined);
    const large = limiter.acquire({ cost: 5 });
    const outcome = kind in buckets ? expect(large).resolves : expect(large).rejects;
    const said = outcome.toMatchObject(kind in buckets ? { cost: 5 } : { reason: 'cost' });
    await settle();
    limiter.setLimit(4);
    await clock.advance(10 * WINDOW);
    await said;
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5', undefined])('refuses %s', (limit) => {
    const limiter = kinds[kind]();
    expect(() => limiter.setLimit(limit as number)).toThrow(/limit must be/);
    expect(limiter.peek()).toMatchObject({ limit: 10 });
  });
});

it('leaves the boundaries of a fixed window where they are, although nothing is in use', () => {
  const limiter = fixedWindow({ clock, ...rate });
  clock.jump(500);
  limiter.setLimit(1);
  clock.jump(500);
  expect(limiter.take()).toMatchObject({ allowed: true, resetMs: WINDOW });
  clock.jump(500);
  expect(limiter.take()).toMatchObject({ allowed: false, retryAfterMs: 500 });
});

it.each(named(windows))('never lets more pass in a window than its largest limit: %s', (kind) => {
  const reach = new Reach('allowed', 'refused', 'lowered while in use');
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      clock = new ManualClock();
      const limiter = windows[kind]();
      const start = clock.monotonic();
      let passed: [at: number, units: number][] = [];
      let limits: [until: number, limit: number][] = [[Number.POSITIVE_INFINITY, 10]];
      for (const { do: what, n } of steps) {
        const now = clock.monotonic();
        if (what === 'pass') clock.jump(n);
        else if (what === 'limit') {
          reach.count('lowered while in use', passed.length > 0 && n < limiter.peek().limit);
          limiter.setLimit(n);
          limits.at(-1)![0] = now;
          limits.push([Number.POSITIVE_INFINITY, n]);
        } else if (n <= limiter.peek().limit && limiter.tryAcquire({ cost: n })) {
          passed.push([now, n]);
          reach.count('allowed');
        } else {
          reach.count('refused');
        }
        const from =
          kind === 'fixedWindow'
            ? start + Math.floor((now - start) / WINDOW) * WINDOW
            : now - WINDOW + 1e-6;
        passed = passed.filter(([at]) => at >= from);
        limits = limits.filter(([until]) => until >= from);
        const units = passed.reduce((sum, [, one]) => sum + one, 0);
        expect(units).toBeLessThanOrEqual(Math.max(...limits.map(([, limit]) => limit)));
      }
    }),
  );
  reach.expectAll(20);
});

it.each(named(buckets))(
  'never lets more pass than came back at the limits of the time: %s',
  (kind) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        clock = new ManualClock();
        const limiter = buckets[kind]();
        let limit = 10;
        let most = BURST;
        for (const { do: what, n } of steps) {
          if (what === 'pass') {
            clock.jump(n);
            most = Math.min(BURST, most + (n * limit) / WINDOW);
          } else if (what === 'limit') {
            limit = n;
            limiter.setLimit(n);
          } else if (limiter.tryAcquire({ cost: n })) most -= n;
          expect(most).toBeGreaterThan(-1e-3);
          expect(limiter.peek().remaining).toBe(Math.floor(most + 1e-6));
        }
      }),
    );
  },
);
