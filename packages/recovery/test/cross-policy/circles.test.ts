import type { CallContext, Executor } from '@temper/core';
import { allOf, concurrency, keyed } from '@temper/ratelimit';
import { adaptiveConcurrency } from '@temper/ratelimit/adaptive';
import { retry } from '@temper/retry';
import { seededRandom } from '@temper/testkit';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { cached, pipeline, timeout } from '../../src/index.ts';

/** What a join of a shared run is refused with, and a wait for permits. */
const REFUSED_JOIN = expect.objectContaining({ code: 'CALLS_ITSELF' });
const REFUSED_WAIT = expect.objectContaining({
  code: 'RATE_LIMIT_EXCEEDED',
  reason: 'calls-itself',
  retryAfterMs: Number.POSITIVE_INFINITY,
});
const REFUSED = expect.toSatisfy(
  (error: { code: string; reason?: string }) =>
    error.code === 'CALLS_ITSELF' || error.reason === 'calls-itself',
);

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

/** Something that a call holds while it runs: permits of a limiter, or the run for a key. */
type Step = (operation: (call: CallContext) => unknown, parent?: CallContext) => Promise<unknown>;

const of =
  (policy: Executor, options: { key?: string; cost?: number } = {}): Step =>
  (operation, parent) =>
    policy.execute(operation, { ...options, ...(parent === undefined ? {} : { parent }) });

/** One permit, by every limiter of one process. */
const LIMITERS: Readonly<Record<string, (clock: ManualClock) => Step>> = {
  concurrency: (clock) => of(concurrency({ clock, limit: 1 })),
  adaptiveConcurrency: (clock) =>
    of(adaptiveConcurrency({ clock, initialLimit: 1, minLimit: 1, maxLimit: 1 })),
  keyed: (clock) =>
    of(keyed({ clock, limiter: () => concurrency({ clock, limit: 1 }) }), { key: 'a' }),
  allOf: (clock) =>
    of(
      allOf({
        clock,
        limits: [1, 5].map((limit) => ({
          limiter: concurrency({ clock, limit, name: `${limit}` }),
        })),
      }),
    ),
  'a higher limit, by its cost': (clock) => of(concurrency({ clock, limit: 4 }), { cost: 3 }),
  'a limiter among other policies': (clock) =>
    of(
      pipeline(
        { clock },
        retry({ clock }),
        timeout({ clock, timeoutMs: 60_000 }),
        concurrency({ clock, limit: 1 }),
      ),
    ),
};

function setUp() {
  const clock = new ManualClock();
  const cache = cached({ clock, singleFlight: true });
  const shared = (key: string): Step => of(cache, { key });
  /** A call that takes the steps one inside the other, each after so many milliseconds. */
  const chain = (steps: readonly Step[], everyMs = 10, parent?: CallContext): Promise<unknown> => {
    const [step, ...others] = steps;
    return (step as Step)(async (call) => {
      if (everyMs > 0) await clock.sleep(everyMs);
      return others.length === 0 ? 'innermost' : chain(others, everyMs, call);
    }, parent);
  };
  return { clock, cache, shared, chain };
}

describe.each(Object.entries(LIMITERS))('a circle over a shared run and %s', (_, build) => {
  it('is found when a call that holds the permit joins the run that waits for it', async () => {
    const { clock, shared, chain } = setUp();
    const limiter = build(clock);
    const run = follow(chain([shared('a'), limiter], 5));
    const holder = follow(chain([limiter, shared('a')], 10));
    await clock.advance(9);
    expect([run.result, holder.result]).toEqual(['pending', 'pending']);
    await clock.advance(1);
    expect(holder.result).toEqual(REFUSED_JOIN);
    await clock.advance(10);
    expect(run.result).toBe('innermost');
    expect(await chain([limiter], 0)).toBe('innermost');
    expect(clock.pendingRefed).toBe(0);
  });

  it('is found when the run asks for the permit of a call that has joined it', async () => {
    const { clock, shared, chain } = setUp();
    const limiter = build(clock);
    const holder = follow(chain([limiter, shared('a')], 5));
    const run = follow(chain([shared('a'), limiter], 10));
    await clock.advance(10);
    expect([run.result, holder.result]).toEqual([REFUSED_WAIT, REFUSED_WAIT]);
    expect(await chain([limiter], 0)).toBe('innermost');
    expect(await chain([shared('a')], 0)).toBe('innermost');
  });

  it('is found when the call has started the run itself', async () => {
    const { clock, shared, chain } = setUp();
    const limiter = build(clock);
    const call = follow(chain([limiter, shared('a'), limiter]));
    await clock.advance(20);
    expect(call.result).toEqual(REFUSED_WAIT);
  });

  it.each([2, 3, 5])('is found over %d runs and as many limits', async (length) => {
    const { clock, shared, chain } = setUp();
    const limiters = Array.from({ length }, () => build(clock));
    // Each call holds a permit, then a run, and asks for the permit of the next one.
    const calls = limiters.map((limiter, i) =>
      follow(chain([limiter, shared(`${i}`), limiters[(i + 1) % length] as Step])),
    );
    await clock.advance(1000);
    const results = calls.map(({ result }) => result);
    expect(results.slice(0, -1)).toEqual(Array(length - 1).fill('innermost'));
    expect(results.at(-1)).toEqual(REFUSED_WAIT);
  });

  it('is dissolved when the call that holds the permit waits for the run no longer', async () => {
    const { clock, cache, shared, chain } = setUp();
    const limiter = build(clock);
    const controller = new AbortController();
    const { signal } = controller;
    const run = follow(chain([shared('a'), limiter], 20)); // asks for the permit after 20 ms
    const holder = follow(
      limiter(async (parent) => {
        const left = await cache.tryExecute(() => 'unused', { key: 'a', parent, signal });
        await clock.sleep(50);
        return left;
      }),
    );
    await clock.advance(10);
    controller.abort('left');
    await clock.advance(49);
    expect([holder.result, run.result]).toEqual(['pending', 'pending']);
    await clock.advance(50);
    expect([holder.result, run.result]).toEqual([{ ok: false, error: 'left' }, 'innermost']);
  });

  it('is dissolved when the run waits for the permit no longer', async () => {
    const { clock, shared, chain } = setUp();
    const limiter = build(clock);
    const holder = follow(chain([limiter, shared('a')], 30));
    const patience = timeout({ clock, timeoutMs: 20 });
    const run = follow(
      shared('a')(async (parent) => {
        const asked = follow(patience.execute((call) => chain([limiter], 0, call), { parent }));
        await clock.sleep(100);
        return asked.result;
      }),
    );
    await clock.advance(200);
    expect(run.result).toMatchObject({ code: 'OPERATION_TIMEOUT' });
    expect(holder.result).toBe(run.result);
  });

  it('is none for calls that take permits and runs in one order', async () => {
    const { clock, shared, chain } = setUp();
    const limiter = build(clock);
    const calls = [
      chain([limiter, shared('a')]),
      chain([limiter, shared('a'), shared('b')]),
      chain([shared('a'), shared('b')]),
      chain([limiter, shared('b')]),
    ].map(follow);
    await clock.advance(1000);
    expect(calls.map(({ result }) => result)).toEqual(Array(4).fill('innermost'));
  });

  it('is none for work that a run begins without its context and does not wait for', async () => {
    const { clock, shared, chain } = setUp();
    const limiter = build(clock);
    let begun: { result: unknown } | undefined;
    const holder = follow(chain([limiter, shared('a')]));
    const run = follow(
      shared('a')(async () => {
        begun = follow(chain([limiter]));
        await clock.sleep(50);
        return 'run';
      }),
    );
    await clock.advance(1000);
    expect([run.result, holder.result, begun?.result]).toEqual(['run', 'run', 'innermost']);
  });
});

it('a circle that runs make by themselves is found where each holds a permit as well', async () => {
  const { clock, shared, chain } = setUp();
  const limiter = of(concurrency({ clock, limit: 2 }));
  const calls = [
    follow(chain([shared('a'), limiter, shared('b')])),
    follow(chain([shared('b'), limiter, shared('a')])),
  ];
  await clock.advance(1000);
  expect(calls.map(({ result }) => result)).toEqual([REFUSED_JOIN, REFUSED_JOIN]);
});

it('without `parent`, a circle over a run and a limit ends with the deadline', async () => {
  const { clock, cache } = setUp();
  const limiter = concurrency({ clock, limit: 1 });
  const holder = follow(
    limiter.execute(
      () => cache.execute(() => limiter.execute(() => 'innermost'), { key: 'a', timeoutMs: 100 }),
      { timeoutMs: 100 },
    ),
  );
  await clock.advance(99);
  expect(holder.result).toBe('pending');
  await clock.advance(1);
  expect(holder.result).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  await settle();
  expect(limiter.stats()).toMatchObject({ inFlight: 0, queued: 0 });
});

it('calls in any order of limits and runs all end, and none is refused where all take them in one order', async () => {
  const reached = { refusedJoins: 0, refusedWaits: 0, innermost: 0 };
  for (let seed = 1; seed <= 400; seed++) {
    const random = seededRandom(seed);
    const upTo = (most: number): number => Math.floor(random() * most);
    const { clock, cache, shared, chain } = setUp();
    const limits = Array.from({ length: 3 }, () => 1 + upTo(3));
    const limiters = limits.map((limit) => concurrency({ clock, limit, maxQueue: 100 }));
    const kinds = limits.length + 3;
    const step = (kind: number): Step => {
      const limiter = limiters[kind];
      if (limiter === undefined) return shared(`${kind}`);
      return of(limiter, { cost: 1 + upTo(limits[kind] as number) });
    };
    const ordered = seed % 2 === 0;
    const calls = Array.from({ length: 10 }, () => {
      let path = Array.from({ length: 1 + upTo(4) }, () => upTo(kinds));
      if (ordered) path = [...new Set(path)].sort();
      return follow(chain(path.map(step), 1 + upTo(20)));
    });
    await clock.advance(10_000);
    for (const { result } of calls) {
      if (result === 'innermost') reached.innermost++;
      else {
        expect(result, `seed ${seed}`).toEqual(ordered ? 'innermost' : REFUSED);
        if ((result as { code: string }).code === 'CALLS_ITSELF') reached.refusedJoins++;
        else reached.refusedWaits++;
      }
    }
    for (const limiter of limiters) {
      expect(limiter.stats()).toMatchObject({ inFlight: 0, queued: 0 });
    }
    expect(await cache.execute(() => 'next', { key: '3' })).toBe('next');
    expect(clock.pending).toBe(0);
  }
  expect(reached.innermost).toBeGreaterThan(1000);
  expect(reached.refusedJoins).toBeGreaterThan(20);
  expect(reached.refusedWaits).toBeGreaterThan(100);
});
