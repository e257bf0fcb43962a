import type { Outcome } from '@temper/core';
import { ManualClock, seededRandom, settle } from '@temper/testkit';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { concurrency } from '../limiters/concurrency.ts';
import { rejectionRatio, shareOf } from './shedding.ts';
import { throttle } from './throttle.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const overload = Object.assign(new Error('busy'), { status: 429 });
const refuse = () => Promise.reject(overload);
const make = (more = {}) => throttle({ clock, random: seededRandom(1), ...more });

describe('shedding', () => {
  it('has the ratio of the SRE book', () => {
    expect(rejectionRatio(100, 50, 2, 1)).toBe(0);
    expect(rejectionRatio(100, 25, 2, 1)).toBeCloseTo(50 / 101);
    expect(rejectionRatio(0, 0, 2, 1)).toBe(0);
    expect(rejectionRatio(1000, 0, 2, 1)).toBeLessThan(1);
  });

  it('never sheds more than the maximum', () => {
    expect(rejectionRatio(1000, 0, 2, 0.9)).toBe(0.9);
    expect(rejectionRatio(1000, 25, 2, 0.9)).toBe(0.9);
    expect(rejectionRatio(100, 25, 2, 0.9)).toBeCloseTo(50 / 101);
    expect(rejectionRatio(1000, 0, 2, 0)).toBe(0);
  });

  it('sheds the least important calls first, and the whole share in total', () => {
    const counts = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(counts, fc.double({ min: 0, max: 1, noNaN: true }), (demand, ratio) => {
        const total = demand.reduce((sum, one) => sum + one, 0);
        const shares = demand.map((_, place) => shareOf(ratio * total, demand, place));
        const kept = shares.reduce((sum, share, place) => sum + share * demand[place]!, 0);
        expect(kept).toBeCloseTo(ratio * total, 6);
        for (let place = 1; place < 4; place++) {
          if (demand[place]! > 0 && shares[place]! > 0) {
            for (let below = 0; below < place; below++) {
              if (demand[below]! > 0) expect(shares[below]).toBeCloseTo(1, 9);
            }
          }
        }
      }),
    );
  });
});

describe('throttle', () => {
  it('lets every call pass while the backend accepts half of them', async () => {
    const policy = make();
    for (let i = 0; i < 200; i++) {
      await policy.tryExecute(() => (i % 2 === 0 ? 1 : refuse()));
    }
    expect(policy.stats()).toMatchObject({ allowed: 200, rejected: 0, accepts: 100 });
  });

  it('sheds with a RateLimitExceededError, without calling the operation', async () => {
    const seen: unknown[] = [];
    const policy = make({ onReject: (error: { reason: string }) => seen.push(error.reason) });
    let called = 0;
    const outcomes = [];
    for (let i = 0; i < 100; i++) {
      outcomes.push(
        await policy.tryExecute(() => {
          called++;
          return refuse();
        }),
      );
    }
    const { allowed, rejected, rejectionRatio: ratio } = policy.stats();
    expect(called).toBe(allowed);
    expect(allowed + rejected).toBe(100);
    expect(rejected).toBeGreaterThan(80);
    expect(ratio).toBe(0.9);
    expect(seen).toHaveLength(rejected);
    expect(outcomes.at(-1)).toMatchObject({
      ok: false,
      error: { code: 'RATE_LIMIT_EXCEEDED', reason: 'shed', retryAfterMs: undefined },
    });
  });

  it('counts errors that are not overload as accepted', async () => {
    const policy = make();
    const missing = Object.assign(new Error('no such thing'), { status: 404 });
    for (let i = 0; i < 50; i++) await policy.tryExecute(() => Promise.reject(missing));
    expect(policy.stats()).toMatchObject({ accepts: 50, rejected: 0 });
  });

  it('counts neither calls in flight nor calls that the caller cancelled', async () => {
    const policy = make();
    const controller = new AbortController();
    const under = Array.from({ length: 50 }, () =>
      policy.tryExecute(
        ({ signal }) =>
          new Promise((_, no) => signal.addEventListener('abort', () => no(signal.reason))),
        {
          signal: controller.signal,
        },
      ),
    );
    await settle();
    expect(policy.stats()).toMatchObject({ allowed: 50, rejectionRatio: 0 });
    controller.abort(new Error('enough'));
    await Promise.all(under);
    expect(policy.stats()).toMatchObject({ accepts: 0, rejectionRatio: 0 });
    expect(policy.stats().requests.critical).toBe(0);
  });

  it('sheds calls of low priority, and lets the others pass', async () => {
    const policy = make({ multiplier: 1.1 });
    let inSecond = 0;
    const got = new Map<string, number>();
    // A backend that takes 60 calls a second, and callers that want 50 of each kind.
    for (let second = 0; second < 120; second++) {
      inSecond = 0;
      for (let i = 0; i < 100; i++) {
        const priority = i % 2 === 0 ? 'critical' : 'sheddable';
        const outcome = await policy.tryExecute(() => (inSecond++ < 60 ? 1 : refuse()), {
          priority,
        });
        if (second >= 60 && outcome.ok) got.set(priority, (got.get(priority) ?? 0) + 1);
      }
      clock.jump(1000);
    }
    expect(got.get('critical')! / (60 * 50)).toBeGreaterThan(0.9);
    expect(got.get('sheddable')! / (60 * 50)).toBeLessThan(0.3);
  });

  it('does not count calls that are older than its window', async () => {
    const policy = make();
    for (let i = 0; i < 100; i++) await policy.tryExecute(refuse);
    expect(policy.stats().rejectionRatio).toBe(0.9);
    clock.jump(120_000);
    expect(policy.stats()).toMatchObject({ rejectionRatio: 0, accepts: 0 });
  });

  it('gives leases by hand, of which each counts once', () => {
    const policy = make();
    const lease = policy.tryAcquire({ priority: 'sheddable-plus' });
    lease?.release();
    lease?.overloaded();
    expect(policy.stats()).toMatchObject({ accepts: 1 });
    expect(policy.stats().requests['sheddable-plus']).toBe(1);
    expect(() => policy.tryAcquire({ priority: 'urgent' as never })).toThrow(
      /priority must be one of/,
    );
    expect(() => policy.tryAcquire('critical' as never)).toThrow(TypeError);
    expect(() => policy.tryAcquire({ importance: 1 } as never)).toThrow(TypeError);
  });

  it('learns overload from leases, and nothing from those that are ignored', () => {
    const policy = make();
    for (let i = 0; i < 10; i++) policy.tryAcquire()?.ignore();
    expect(policy.stats()).toMatchObject({ accepts: 0, rejectionRatio: 0 });
    for (let i = 0; i < 10; i++) policy.tryAcquire()?.overloaded();
    const { rejected, rejectionRatio: ratio } = policy.stats();
    expect(ratio).toBeGreaterThan(0.8);
    let shed = 0;
    for (let i = 0; i < 100; i++) if (policy.tryAcquire() === undefined) shed++;
    expect(shed).toBeGreaterThan(80);
    expect(policy.stats().rejected).toBe(rejected + shed);
  });

  it('refuses an unknown priority', async () => {
    await expect(make().execute(() => 1, { priority: 'urgent' as never })).rejects.toThrow(
      TypeError,
    );
  });

  it.each([
    [{ multiplier: 1 }, /multiplier must be a finite number > 1, got 1/],
    [{ maxRejectionRatio: 1.1 }, /maxRejectionRatio must be .*1, got 1.1/],
    [{ windowMs: 10 }, /windowMs must be a finite number >= 24, got 10/],
    [{ priority: 'critical' }, /unknown option 'priority'/],
    [{ name: '' }, /name must be a non-empty string/],
  ])('refuses %o', (options, message) => {
    expect(() => throttle(options as never)).toThrow(message);
  });

  it('takes the priority of the call that it is nested in, critical by default', async () => {
    const [outer, inner] = [make({ name: 'outer' }), make({ name: 'inner' })];
    const nested = (options = {}) =>
      outer.execute((parent) => inner.execute(() => 1, { parent }), options);
    await nested();
    await nested({ priority: 'sheddable' });
    for (const policy of [outer, inner]) {
      expect(policy.stats().requests).toEqual({
        sheddable: 1,
        'sheddable-plus': 0,
        critical: 1,
        'critical-plus': 0,
      });
    }
  });

  it('is not trained by refusals of policies inside, whatever the predicate says', async () => {
    const policy = make({ shouldHandle: () => true });
    const inside = concurrency({ limit: 1, maxQueue: 0, clock });
    using _held = inside.tryAcquire();
    for (let i = 0; i < 50; i++) {
      const outcome = await policy.tryExecute((parent) => inside.execute(() => 1, { parent }));
      expect(outcome).toMatchObject({ ok: false, error: { code: 'RATE_LIMIT_EXCEEDED' } });
    }
    expect(policy.stats()).toMatchObject({ allowed: 50, accepts: 0, rejectionRatio: 0 });
    expect(policy.stats().requests.critical).toBe(0);
  });

  it('asks shouldHandle about values too', async () => {
    const policy = make({ shouldHandle: (o: Outcome<number>) => o.ok && o.value === 503 });
    for (let i = 0; i < 20; i++) await policy.tryExecute(() => 503);
    expect(policy.stats().rejectionRatio).toBeGreaterThan(0.8);
    expect(policy.stats().accepts).toBe(0);
  });

  it.each([
    ['returns a promise', async () => false],
    ['returns a promise of true', async () => true],
    ['returns a promise that rejects', async () => Promise.reject(new Error('a bug'))],
    [
      'throws',
      () => {
        throw new Error('a bug');
      },
    ],
  ])('counts outcomes as accepted when shouldHandle %s', async (_, shouldHandle) => {
    const policy = make({ shouldHandle });
    for (let i = 0; i < 50; i++) await policy.tryExecute(refuse);
    await settle();
    expect(policy.stats()).toMatchObject({ accepts: 50, rejected: 0 });
  });

  it('sheds with the same error when onReject throws or rejects', async () => {
    for (const onReject of [
      () => {
        throw new Error('a bug');
      },
      () => Promise.reject(new Error('a bug')),
    ]) {
      const policy = make({ onReject, random: () => 0 });
      await policy.tryExecute(refuse);
      expect(await policy.tryExecute(refuse)).toMatchObject({
        ok: false,
        error: { reason: 'shed' },
      });
      await settle();
    }
  });

  it('reports requests by priority, from the least important', () => {
    const priorities = ['sheddable', 'sheddable-plus', 'critical', 'critical-plus'];
    expect(Object.keys(make().stats().requests)).toEqual(priorities);
  });
});

describe('slow calls', () => {
  it('do not count as accepted, by execute and by hand, and waits inside are not their time', async () => {
    const clock = new ManualClock();
    const policy = throttle({ clock, slowCallDurationMs: 100 });
    const busy = concurrency({ clock, limit: 1 });
    const takes = (ms: number) => () => new Promise<void>((resolve) => clock.schedule(resolve, ms));
    const run = async (ms: number) => {
      const call = policy.execute(takes(ms));
      await clock.advance(ms);
      await call;
    };
    await run(100);
    expect(policy.stats()).toMatchObject({ accepts: 1 });
    await run(101);
    expect(policy.stats()).toMatchObject({ accepts: 1, requests: { critical: 2 } });
    const quick = policy.tryAcquire();
    const slow = policy.tryAcquire();
    quick?.release();
    await clock.advance(101);
    slow?.release();
    expect(policy.stats()).toMatchObject({ accepts: 2, requests: { critical: 4 } });
    const held = await busy.acquire();
    const waiting = policy.execute((parent) => busy.execute(() => 1, { parent }));
    await clock.advance(500);
    held.release();
    await waiting;
    expect(policy.stats()).toMatchObject({ accepts: 3, requests: { critical: 5 } });
  });

  it.each([0, -1, Number.NaN])('refuse a duration of %s', (slowCallDurationMs) => {
    expect(() => throttle({ slowCallDurationMs })).toThrow(RangeError);
  });
});
