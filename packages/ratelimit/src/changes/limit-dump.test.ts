import { ManualClock } from '@temper/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyed } from '../keyed/keyed.ts';
import { fixedWindow } from '../limiters/fixed-window.ts';
import { gcra } from '../limiters/gcra.ts';
import { slidingWindow } from '../limiters/sliding-window.ts';
import { tokenBucket } from '../limiters/token-bucket.ts';
import type { LimitDump } from './limit-dump.ts';

const rate = { limit: 20, windowMs: 10_000 };
const kinds = {
  'token-bucket': (clock: ManualClock, limit = 20) =>
    tokenBucket({ clock, ...rate, limit, burst: limit / 2 }),
  gcra: (clock: ManualClock, limit = 20) => gcra({ clock, ...rate, limit, burst: limit / 2 }),
  'sliding-window': (clock: ManualClock, limit = 20) => slidingWindow({ clock, ...rate, limit }),
  'fixed-window': (clock: ManualClock, limit = 20) => fixedWindow({ clock, ...rate, limit }),
};
const KINDS = Object.keys(kinds) as (keyof typeof kinds)[];
/** How long a unit can be in use under any of these rules. */
const RECOVERY_MS = 11_000;

/** Another process: its monotonic clock starts anew, and its wall clock goes on. */
function restarted(clock: ManualClock, offMs: number): ManualClock {
  return new ManualClock(clock.now() + offMs);
}

const through = (dump: LimitDump): LimitDump => JSON.parse(JSON.stringify(dump)) as LimitDump;

describe.each(KINDS)('the dump of a %s', (kind) => {
  const make = (clock: ManualClock, limit?: number) => kinds[kind](clock, limit);

  it('is restored so that nothing in use is forgotten, and nothing is in use for longer', () => {
    const steps = fc.array(
      fc.record({
        key: fc.constantFrom('a', 'b'),
        cost: fc.integer({ min: 1, max: 5 }),
        ms: fc.integer({ min: 0, max: 3000 }),
      }),
      { maxLength: 30 },
    );
    const away = fc.constantFrom(0, 500, 4000, 20_000, -5000);
    fc.assert(
      fc.property(steps, away, (script, awayMs) => {
        const clock = new ManualClock();
        const before = keyed({ template: make(clock) });
        for (const { key, cost, ms } of script) {
          clock.jump(ms);
          before.take({ key, cost });
        }
        const dump = through(before.dump());
        const clock2 = restarted(clock, awayMs);
        const after = keyed({ template: make(clock2) });
        after.restore(dump);
        clock.jump(Math.max(0, awayMs));
        for (const key of ['a', 'b']) {
          const [was, is] = [before.peek({ key }), after.peek({ key })];
          expect(is.remaining).toBeLessThanOrEqual(was.remaining);
          // The segments of a sliding window have other bounds in another process.
          if (kind !== 'sliding-window') expect(is.remaining).toBe(was.remaining);
        }
        clock2.jump(RECOVERY_MS);
        for (const key of ['a', 'b']) {
          expect(after.peek({ key }).remaining).toBe(make(clock).peek().remaining);
        }
      }),
    );
  });

  it('keeps a block, and what is left of it', () => {
    const clock = new ManualClock();
    const before = make(clock);
    before.block(5000);
    const clock2 = restarted(clock, 2000);
    const after = make(clock2);
    after.restore(through(before.dump()));
    expect(after.peek()).toMatchObject({ remaining: 0, resetMs: 3000 });
    clock2.jump(3000);
    expect(after.tryAcquire()).toBeDefined();
  });

  it('is restored under another rule: a raised limit has more, a lowered one never more than itself', () => {
    const clock = new ManualClock();
    const before = make(clock);
    before.take({ cost: 9 });
    const { remaining } = before.peek();
    const dump = through(before.dump());
    const raised = make(clock, 200);
    raised.restore(dump);
    const whole = make(clock, 200).peek().remaining;
    expect(raised.peek().remaining).toBe(whole - 9);
    const lowered = make(clock, 4);
    lowered.restore(dump);
    expect(lowered.peek().remaining).toBe(0);
    clock.jump(RECOVERY_MS);
    expect(lowered.tryAcquire()).toBeDefined();
    expect(remaining).toBeGreaterThan(0);
  });

  it('is made of the keys in use only', () => {
    const clock = new ManualClock();
    const limiter = keyed({ template: make(clock) });
    limiter.take({ key: 'a' });
    limiter.take({ key: 'b' });
    limiter.reset({ key: 'a' });
    limiter.block(10, { key: 'c' });
    expect(limiter.dump().keys.map(({ key }) => key)).toEqual(['b', 'c']);
    expect(make(clock).dump().keys).toEqual([]);
    const perKey = keyed({ clock, limiter: () => make(clock) });
    perKey.restore(limiter.dump());
    expect(perKey.dump()).toEqual(limiter.dump());
  });
});

describe('a dump that is not one', () => {
  const clock = new ManualClock();
  const key = { key: 'a', used: [[0, 1]], blockedMs: 0 };
  const dump = { version: 1, at: 0, keys: [key] };
  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['of another version', { ...dump, version: 2 }],
    ['without a time', { ...dump, at: undefined }],
    ['with a time of NaN', { ...dump, at: Number.NaN }],
    ['without keys', { ...dump, keys: {} }],
    ['with a key that is null', { ...dump, keys: [key, null] }],
    ['with an empty key', { ...dump, keys: [{ ...key, key: '' }] }],
    ['without a key', { ...dump, keys: [{ used: [], blockedMs: 0 }] }],
    ['with units below 0', { ...dump, keys: [{ ...key, used: [[0, -1]] }] }],
    ['with units without an age', { ...dump, keys: [{ ...key, used: [[]] }] }],
    ['with infinitely many units', { ...dump, keys: [{ ...key, used: [[0, Infinity]] }] }],
    ['with a block of text', { ...dump, keys: [{ ...key, blockedMs: '5' }] }],
  ])('%s is refused and changes nothing', (_, given) => {
    const limiter = keyed({ template: tokenBucket({ clock }) });
    limiter.take({ key: 'a', cost: 5 });
    expect(() => limiter.restore(given as LimitDump)).toThrow(TypeError);
    expect(limiter.peek({ key: 'a' }).remaining).toBe(5);
  });

  it('of a limiter with keys is refused by one without', () => {
    expect(() => tokenBucket({ clock }).restore(dump as never)).toThrow(/must be absent/);
  });

  it('blocks for seven days at most', () => {
    const limiter = keyed({ template: tokenBucket({ clock }) });
    limiter.restore({ version: 1, at: clock.now(), keys: [{ ...key, blockedMs: 1e15 } as never] });
    expect(limiter.peek({ key: 'a' }).resetMs).toBe(7 * 24 * 3_600_000);
  });
});
