import type { Executor } from '@temper/core';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { adaptiveConcurrency } from '../adaptive/index.ts';
import { concurrency, keyed } from '../index.ts';

/** Every limit of what runs at the same time in one process. */
const LIMITERS: Readonly<Record<string, (clock: ManualClock, limit: number) => Executor>> = {
  concurrency: (clock, limit) => concurrency({ clock, limit }),
  adaptiveConcurrency: (clock, limit) =>
    adaptiveConcurrency({ clock, initialLimit: limit, minLimit: limit, maxLimit: limit }),
  'an adaptive limit that may rise': (clock, limit) =>
    adaptiveConcurrency({ clock, initialLimit: limit, maxLimit: 100 }),
  'one key of keyed': (clock, limit) =>
    keyed({ clock, limiter: () => concurrency({ clock, limit }) }).for('a'),
  keyed: (clock, limit) => {
    const limiter = keyed({ clock, limiter: () => concurrency({ clock, limit }) });
    return {
      execute: (operation, options) => limiter.execute(operation, { ...options, key: 'a' }),
    };
  },
};

const REFUSED = { reason: 'calls-itself', retryAfterMs: Number.POSITIVE_INFINITY };

/** What becomes of a promise, as far as it is known. */
function follow(promise: Promise<unknown>): { result: unknown } {
  const seen: { result: unknown } = { result: 'pending' };
  promise.then(
    (value) => {
      seen.result = value;
    },
    (error: unknown) => {
      seen.result = error;
    },
  );
  return seen;
}

describe.each(Object.entries(LIMITERS))('%s', (kind, build) => {
  const setUp = (limit: number) => {
    const clock = new ManualClock();
    const limiter = build(clock, limit);
    const inner = vi.fn(() => 'inner');
    const nest = () => follow(limiter.execute((parent) => limiter.execute(inner, { parent })));
    return { clock, limiter, inner, nest };
  };

  it('refuses a part of the call that holds all of it', async () => {
    const { clock, limiter, inner, nest } = setUp(1);
    const call = nest();
    await settle();
    expect(call.result).toMatchObject(REFUSED);
    expect(String(call.result)).toContain('would wait for itself');
    expect(inner).not.toHaveBeenCalled();
    await expect(limiter.execute(() => 'next')).resolves.toBe('next');
    expect(clock.pending).toBe(0);
  });

  it('refuses the last of calls that wait for each other, so that the others go on', async () => {
    const { clock, limiter, inner } = setUp(3);
    const calls = [1, 2, 3].map(() =>
      follow(
        limiter.execute(async (parent) => {
          await clock.sleep(1);
          return limiter.execute(inner, { parent });
        }),
      ),
    );
    await clock.advance(1);
    expect(calls.map(({ result }) => result)).toEqual([
      'inner',
      'inner',
      expect.objectContaining(REFUSED),
    ]);
  });

  it('has a part wait while another call can give something back', async () => {
    const { clock, limiter, nest } = setUp(2);
    const other = limiter.execute(() => clock.sleep(100));
    const call = nest();
    await clock.advance(99);
    expect(call.result).toBe('pending');
    await clock.advance(1);
    await other;
    await settle();
    expect(call.result).toBe('inner');
  });

  it('refuses a part of higher cost than the others can give back', async () => {
    const { clock, limiter, inner } = setUp(3);
    const other = limiter.execute(() => clock.sleep(100));
    const call = follow(
      limiter.execute((parent) => limiter.execute(inner, { parent, cost: 2 }), { cost: 2 }),
    );
    await settle();
    if (kind.includes('may rise')) {
      // The limit may have risen when the other call has ended; then it is certain.
      expect(call.result).toBe('pending');
    } else {
      expect(call.result).toMatchObject(REFUSED);
    }
    await clock.advance(100);
    await other;
  });

  it('counts the waits of a part that has left no longer', async () => {
    const { clock, limiter, nest } = setUp(2);
    let first: { result: unknown } | undefined;
    const outer = limiter.execute(async (parent) => {
      const controller = new AbortController();
      const { signal } = controller;
      const blocker = limiter.execute(() => clock.sleep(50));
      first = follow(limiter.execute(() => 'first', { parent, signal }));
      await settle();
      controller.abort('left');
      await blocker;
      await clock.sleep(100);
    });
    await clock.advance(60);
    expect(first?.result).toBe('left');
    const call = nest(); // takes the place that is free; the outer call will end
    await settle();
    expect(call.result).toBe('pending');
    await clock.advance(100);
    await outer;
    expect(call.result).toBe('inner');
  });

  it('has work that a call only begins, without its context, wait for its turn', async () => {
    const { limiter } = setUp(1);
    let later: Promise<unknown> | undefined;
    await limiter.execute(() => {
      later = limiter.execute(() => 'later');
    });
    await expect(later).resolves.toBe('later');
  });

  it('has parts of calls of other limits wait', async () => {
    const { clock, limiter } = setUp(1);
    const other = build(clock, 1);
    await expect(
      limiter.execute((parent) => other.execute(() => 'inner', { parent })),
    ).resolves.toBe('inner');
  });
});

it('a limit refuses a part through other policies, attempts and timeouts', async () => {
  const clock = new ManualClock();
  const limiter = concurrency({ clock, limit: 1 });
  const between = concurrency({ clock, name: 'between', limit: 5 });
  const outcome = await limiter.tryExecute((one) =>
    between.execute((two) => limiter.execute(() => 'inner', { parent: two }), {
      parent: one,
      timeoutMs: 1000,
    }),
  );
  expect(outcome).toMatchObject({ ok: false, error: REFUSED });
  expect(limiter.stats()).toMatchObject({ inFlight: 0, queued: 0, rejected: 1 });
  expect(clock.pendingRefed).toBe(0);
});
