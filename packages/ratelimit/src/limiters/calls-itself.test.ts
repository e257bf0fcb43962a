import type { CallContext, Executor } from '@temper/core';
import { seededRandom } from '@temper/testkit';
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

  it('serves a part before a call of higher cost, which waits for what the call of the part holds', async () => {
    const { clock, limiter, inner } = setUp(3);
    const call = follow(
      limiter.execute(async (parent) => {
        await clock.sleep(10);
        return limiter.execute(inner, { parent });
      }),
    );
    const others = [3, 1].map((cost) => follow(limiter.execute(() => cost, { cost })));
    await clock.advance(10);
    expect([call, ...others].map(({ result }) => result)).toEqual(['inner', 3, 1]);
    expect(clock.pending).toBe(0);
  });

  it('serves each part as soon as there is room for it, also one behind a part of higher cost', async () => {
    const { clock, limiter } = setUp(4);
    const nested = (startMs: number, cost: number, runsMs: number) =>
      follow(
        limiter.execute(async (parent) => {
          await clock.sleep(startMs);
          return limiter.execute(() => clock.sleep(runsMs).then(() => cost), { parent, cost });
        }),
      );
    // One unit is free when the first part asks for two, and the second one for it.
    const outside = limiter.execute(() => clock.sleep(100));
    const calls = [nested(10, 2, 10), nested(20, 1, 10)];
    await clock.advance(30);
    expect(calls.map(({ result }) => result)).toEqual(['pending', 1]);
    await clock.advance(100);
    await outside;
    expect(calls.map(({ result }) => result)).toEqual([2, 1]);
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

describe('calls that hold permits of one limit and wait for those of another', () => {
  /** A call of the first limit, whose operation calls the next one after a while, and so on. */
  const chain = (
    clock: ManualClock,
    limits: readonly Executor[],
    costs: readonly number[] = [],
  ): Promise<unknown> => {
    const from = async (depth: number, parent?: CallContext): Promise<unknown> =>
      limits[depth]?.execute(
        async (call) => {
          await clock.sleep(10);
          return depth === limits.length - 1 ? 'innermost' : from(depth + 1, call);
        },
        { cost: costs[depth] ?? 1, ...(parent === undefined ? {} : { parent }) },
      );
    return from(0);
  };

  it.each([2, 3, 5])('are refused when a ring of %d waits for each other', async (length) => {
    const clock = new ManualClock();
    const ring = Array.from({ length }, (_, i) =>
      concurrency({ clock, name: `limit ${i}`, limit: 1 }),
    );
    const calls = ring.map((limit, i) =>
      follow(chain(clock, [limit, ring[(i + 1) % length] as Executor])),
    );
    await clock.advance(1000);
    const results = calls.map(({ result }) => result);
    expect(results.slice(0, -1)).toEqual(Array(length - 1).fill('innermost'));
    expect(results.at(-1)).toMatchObject(REFUSED);
    for (const limit of ring) expect(limit.stats()).toMatchObject({ inFlight: 0, queued: 0 });
  });

  it.each(Object.entries(LIMITERS))(
    'are refused when one of the limits is %s',
    async (_, build) => {
      const clock = new ManualClock();
      const [one, other] = [build(clock, 1), concurrency({ clock, limit: 1 })];
      const calls = [follow(chain(clock, [one, other])), follow(chain(clock, [other, one]))];
      await clock.advance(1000);
      expect(calls.map(({ result }) => result)).toEqual([
        'innermost',
        expect.objectContaining(REFUSED),
      ]);
    },
  );

  it('wait while a call outside of the ring can give something back', async () => {
    const clock = new ManualClock();
    const [one, other] = [concurrency({ clock, limit: 2 }), concurrency({ clock, limit: 1 })];
    const outside = one.execute(() => clock.sleep(500));
    const calls = [chain(clock, [one, other]), chain(clock, [other, one])].map(follow);
    await clock.advance(499);
    expect(calls.map(({ result }) => result)).toEqual(['pending', 'pending']);
    await clock.advance(500);
    await outside;
    expect(calls.map(({ result }) => result)).toEqual(['innermost', 'innermost']);
  });

  it('all end, whatever they call and cost; and none is refused where all take limits in one order', async () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = seededRandom(seed);
      const upTo = (most: number): number => Math.floor(random() * most);
      const clock = new ManualClock();
      const most = Array.from({ length: 4 }, () => 1 + upTo(5));
      const limits = most.map((limit) => concurrency({ clock, limit }));
      const ordered = seed % 2 === 0;
      const calls = Array.from({ length: 12 }, () => {
        let path = Array.from({ length: 1 + upTo(4) }, () => upTo(limits.length));
        if (ordered) path = [...new Set(path)].sort();
        return follow(
          chain(
            clock,
            path.map((i) => limits[i] as Executor),
            path.map((i) => 1 + upTo(most[i] as number)),
          ),
        );
      });
      await clock.advance(10_000);
      const others = calls.map(({ result }) => result).filter((result) => result !== 'innermost');
      for (const result of others) expect(result).toMatchObject(REFUSED);
      if (ordered) expect(others).toEqual([]);
      for (const limit of limits) expect(limit.stats()).toMatchObject({ inFlight: 0, queued: 0 });
    }
  });
});
