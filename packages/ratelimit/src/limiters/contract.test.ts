import { inspect } from 'node:util';
import { isRefusal } from '@temper/core';
import { Call } from '@temper/core/policy';
import { ManualClock } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { adaptiveConcurrency } from '../adaptive/adaptive-concurrency.ts';
import { keyed } from '../keyed/keyed.ts';
import type { Limiter } from '../limiter.ts';
import { concurrency } from './concurrency.ts';
import { fixedWindow } from './fixed-window.ts';
import { gcra } from './gcra.ts';
import { slidingWindow } from './sliding-window.ts';
import { tokenBucket } from './token-bucket.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

/** Limiters that allow two units at once. */
const limiters: [string, (more?: object) => Limiter][] = [
  ['tokenBucket', (more) => tokenBucket({ clock, burst: 2, ...more })],
  ['gcra', (more) => gcra({ clock, burst: 2, ...more })],
  ['slidingWindow', (more) => slidingWindow({ clock, limit: 2, ...more })],
  ['fixedWindow', (more) => fixedWindow({ clock, limit: 2, ...more })],
  ['concurrency', (more) => concurrency({ clock, limit: 2, ...more })],
  [
    'adaptiveConcurrency',
    (more) =>
      adaptiveConcurrency({ clock, algorithm: 'aimd', initialLimit: 2, maxLimit: 2, ...more }),
  ],
  ['one key', (more) => keyed({ template: tokenBucket({ clock, burst: 2, ...more }) }).for('key')],
];

describe.each(limiters)('%s as a limiter', (_, make) => {
  it('returns a lease, or undefined, from tryAcquire', () => {
    const limiter = make();
    expect(limiter.tryAcquire()).toMatchObject({ cost: 1 });
    expect(limiter.tryAcquire({ cost: 2 })).toBeUndefined();
    expect(limiter.tryAcquire({ cost: 1, priority: 'sheddable', key: 'key' })).toBeDefined();
    expect(limiter.tryAcquire()).toBeUndefined();
    expect(limiter.stats()).toMatchObject({ allowed: 2, rejected: 2 });
  });

  it('returns from take what tryAcquire decides, with the state of the limit', () => {
    const limiter = make();
    const yes = limiter.take({ cost: 2 });
    expect(yes).toMatchObject({ allowed: true, remaining: 0, retryAfterMs: 0, lease: { cost: 2 } });
    const no = limiter.take();
    expect(no).toMatchObject({ allowed: false, remaining: 0, lease: undefined });
    expect(no.limit).toBe(limiter.peek().limit);
    expect(no.windowMs).toBe(limiter.peek().windowMs);
  });

  it('takes nothing with peek', () => {
    const limiter = make();
    for (let i = 0; i < 5; i++) expect(limiter.peek()).toMatchObject({ remaining: 2, resetMs: 0 });
    expect(limiter.stats()).toMatchObject({ allowed: 0, rejected: 0 });
  });

  it.each([
    ['a positional cost', 2],
    ['a positional key', 'key'],
    ['null', null],
    ['a misspelt option', { costs: 1 }],
    ['an option of the old name', { deadlineMs: 5 }],
    ['a cost that is no number', { cost: '1' }],
    ['a cost of null', { cost: null }],
    ['an empty key', { key: '' }],
    ['an unknown priority', { priority: 'urgent' }],
    ['a signal that is none', { signal: {} }],
    ['a wait that is no number', { maxWaitMs: '5' }],
  ])('refuses %s with a TypeError at every entry', async (_name, options) => {
    const limiter = make();
    expect(() => limiter.tryAcquire(options as never)).toThrow(TypeError);
    expect(() => limiter.take(options as never)).toThrow(TypeError);
    await expect(limiter.acquire(options as never)).rejects.toThrow(TypeError);
    expect(limiter.stats()).toMatchObject({ allowed: 0, rejected: 0 });
    expect(limiter.peek().remaining).toBe(2);
  });

  it.each([
    { cost: 0 },
    { cost: -1 },
    { cost: Number.NaN },
    { cost: Number.POSITIVE_INFINITY },
    { maxWaitMs: -1 },
    { maxWaitMs: Number.NaN },
  ])('refuses %o with a RangeError at every entry', async (options) => {
    const limiter = make();
    expect(() => limiter.tryAcquire(options)).toThrow(RangeError);
    expect(() => limiter.take(options)).toThrow(RangeError);
    await expect(limiter.acquire(options)).rejects.toThrow(RangeError);
    expect(limiter.peek().remaining).toBe(2);
  });

  it.each([{ cost: 1 }, { key: '' }, null, 'key'])('refuses %o in peek', (options) => {
    expect(() => make().peek(options as never)).toThrow(TypeError);
  });

  it('takes the cost of a call from its options, and through a parent call', async () => {
    const limiter = make({ maxQueue: 0 });
    await limiter.execute(
      (call) => {
        expect(call.cost).toBe(2);
        expect(limiter.peek().remaining).toBe(0);
      },
      { cost: 2 },
    );
    const inner = make({ maxQueue: 0 });
    const parent = new Call(1, undefined, {
      operation: undefined,
      attributes: undefined,
      cost: 2,
      priority: 'critical',
      key: 'key',
    });
    await inner.execute(
      (call) => {
        expect(call).toMatchObject({ cost: 2, priority: 'critical' });
        expect(inner.peek().remaining).toBe(0);
      },
      { parent },
    );
  });

  it('rejects a call that may not wait once its caller has the promise, with one refusal told', async () => {
    const told: unknown[] = [];
    const onReject = (error: unknown) => told.push(error);
    const limiter = make({ maxQueue: 0, onReject });
    limiter.tryAcquire({ cost: 2 });
    for (const options of [undefined, { cost: 2 }]) {
      const refused = limiter.execute(() => 1, options);
      // Node reports a promise that is rejected before anybody follows it.
      expect(inspect(refused)).toContain('pending');
      await expect(refused).rejects.toMatchObject({ reason: 'limit' });
    }
    expect(told).toHaveLength(2);
    expect(limiter.stats()).toMatchObject({ rejected: 2, aborted: 0 });
  });

  it('refuses with errors that count as refusals', async () => {
    const limiter = make({ maxQueue: 0 });
    const lease = limiter.tryAcquire({ cost: 2 });
    const refused = { code: 'RATE_LIMIT_EXCEEDED', refused: true };
    await expect(limiter.acquire()).rejects.toMatchObject({ ...refused, reason: 'limit' });
    const outcome = await limiter.tryExecute(() => 1);
    expect(!outcome.ok && isRefusal(outcome.error)).toBe(true);
    expect(() => limiter.tryAcquire({ cost: 3 })).toThrow(
      expect.objectContaining({ ...refused, reason: 'cost', retryAfterMs: Infinity }),
    );
    await expect(limiter.execute(() => 1, { cost: 3 })).rejects.toMatchObject({
      ...refused,
      reason: 'cost',
    });
    lease?.release();
  });

  it('ends a wait when the call ends, and does not call the operation', async () => {
    const limiter = make();
    const lease = limiter.tryAcquire({ cost: 2 });
    const controller = new AbortController();
    let ran = false;
    const call = limiter.execute(
      () => {
        ran = true;
      },
      { signal: controller.signal },
    );
    controller.abort('gone');
    await expect(call).rejects.toBe('gone');
    expect(ran).toBe(false);
    expect(limiter.stats()).toMatchObject({ aborted: 1 });
    lease?.release();
  });

  it('counts a wait as aborted even if the caller aborts with the refusal of another limiter', async () => {
    const rejections: unknown[] = [];
    const limiter = make({ onReject: (error: unknown) => rejections.push(error) });
    const lease = limiter.tryAcquire({ cost: 2 });
    const other = tokenBucket({ clock, burst: 1, maxQueue: 0 });
    other.tryAcquire();
    const refusal = await other.acquire().catch((error: unknown) => error);
    const controller = new AbortController();
    const waiting = limiter.acquire({ signal: controller.signal });
    controller.abort(refusal);
    await expect(waiting).rejects.toBe(refusal);
    expect(limiter.stats()).toMatchObject({ aborted: 1, rejected: 0 });
    expect(rejections).toEqual([]);
    lease?.release();
  });

  it('does not begin when the signal is aborted already', async () => {
    const limiter = make();
    const signal = AbortSignal.abort('gone');
    await expect(limiter.acquire({ signal })).rejects.toBe('gone');
    await expect(limiter.execute(() => 1, { signal })).rejects.toBe('gone');
    expect(limiter.peek().remaining).toBe(2);
  });

  it('describes itself as a rate limit', () => {
    expect((make() as Limiter & { describe(): object }).describe()).toEqual({ kind: 'ratelimit' });
  });
});

describe('the statistics', () => {
  it('of a sliding and a fixed window are those of a window', () => {
    for (const make of [slidingWindow, fixedWindow]) {
      const limiter = make({ clock, limit: 5, windowMs: 1000 });
      limiter.tryAcquire({ cost: 2 });
      expect(limiter.stats()).toEqual({
        limit: 5,
        remaining: 3,
        windowMs: 1000,
        requestsInWindow: 1,
        queued: 0,
        allowed: 1,
        delayed: 0,
        rejected: 0,
        aborted: 0,
      });
    }
  });

  it('of a token bucket and gcra are those of a bucket', () => {
    for (const make of [tokenBucket, gcra]) {
      const limiter = make({ clock, limit: 10, windowMs: 1000, burst: 5 });
      limiter.tryAcquire({ cost: 2 });
      expect(limiter.stats()).toMatchObject({ availableTokens: 3, maxTokens: 5, refillRate: 10 });
      expect(limiter.stats()).not.toHaveProperty('remaining');
    }
  });
});
