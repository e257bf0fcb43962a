import { circuitBreaker } from '@temper/breaker';
import type { CallContext, CallOptions, Executor } from '@temper/core';
import { concurrency, tokenBucket } from '@temper/ratelimit';
import { adaptiveConcurrency } from '@temper/ratelimit/adaptive';
import { retry } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { cached, hedge, pipeline, timeout } from '../../src/index.ts';

// The attempts of a hedge wait and run each for itself. A call says nothing about its dependency when all of
// its attempts waited for capacity of our own at the end, and it does when one of them was under way.

type Make = (clock: ManualClock) => Executor;

/** Limits that one call uses up. */
const LIMITS: Readonly<Record<string, Make>> = {
  concurrency: (clock) => concurrency({ clock, limit: 1 }),
  'an adaptive limit': (clock) =>
    adaptiveConcurrency({ clock, initialLimit: 1, minLimit: 1, maxLimit: 1 }),
  'a token bucket': (clock) => tokenBucket({ clock, limit: 1, windowMs: 1e9 }),
};

interface End {
  readonly options?: CallOptions;
  /** Around the breaker. */
  readonly around?: Make;
  /** Between the breaker and the hedge. */
  readonly between?: Make;
}

const ENDS: Readonly<Record<string, End>> = {
  'its deadline': { options: { timeoutMs: 500 } },
  'a timeout around the breaker': { around: (clock) => timeout({ clock, timeoutMs: 500 }) },
  'a timeout inside the breaker': { between: (clock) => timeout({ clock, timeoutMs: 500 }) },
  'the timeout of an attempt': {
    between: (clock) => retry({ clock, attemptTimeoutMs: 500, maxAttempts: 1 }),
  },
};

/** How the limit of a replica comes to be around what an attempt does there. */
const WAYS: Readonly<
  Record<
    string,
    (limit: Executor, work: (call: CallContext) => unknown, call: CallContext) => unknown
  >
> = {
  'by parent': (limit, work, call) => limit.execute(work, { parent: call }),
  'by parent, with a deadline': (limit, work, call) =>
    limit.execute(work, { parent: call, timeoutMs: 60_000 }),
  'in a pipeline that joins': (limit, work, call) =>
    pipeline({}, limit).execute(work, { parent: call, cost: 1 }),
};

/** Ten calls at two replicas, of which those in `full` have no capacity left, and the others never answer. */
async function calls(
  end: End,
  limit: Make,
  way: string,
  full: readonly number[],
): Promise<{ readonly failure: number; readonly ignored: number }> {
  const clock = new ManualClock();
  const breaker = circuitBreaker({ clock, failureThreshold: 100 });
  const replicas = [1, 2].map((number) => {
    const replica = limit(clock);
    if (full.includes(number)) void replica.execute(() => new Promise(() => {}));
    return replica;
  });
  await settle();
  const policy = pipeline(
    { clock },
    ...(end.around === undefined ? [] : [end.around(clock)]),
    breaker,
    ...(end.between === undefined ? [] : [end.between(clock)]),
    hedge({ clock, delayMs: 50, maxExtraLoad: Number.POSITIVE_INFINITY }),
  );
  const asked = policy.tryExecute((call) => {
    const replica = replicas[call.hedge - 1] as Executor;
    const hang = ({ signal }: CallContext): unknown => clock.sleep(1e6, signal);
    return (WAYS[way] as (typeof WAYS)[string])(replica, hang, call);
  }, end.options);
  await clock.advance(5000);
  expect((await asked).ok).toBe(false);
  const { failure, ignored } = breaker.stats().calls;
  return { failure, ignored };
}

describe.each(Object.keys(LIMITS))('a hedged call at replicas with %s of their own', (limit) => {
  describe.each(Object.keys(ENDS))('that is ended by %s', (end) => {
    it.each(Object.keys(WAYS))('is judged by the attempts that were under way, %s', async (way) => {
      const run = (...full: number[]) => calls(ENDS[end] as End, LIMITS[limit] as Make, way, full);
      expect(await run()).toEqual({ failure: 1, ignored: 0 });
      expect(await run(1)).toEqual({ failure: 1, ignored: 0 });
      expect(await run(2)).toEqual({ failure: 1, ignored: 0 });
      expect(await run(1, 2)).toEqual({ failure: 0, ignored: 1 });
    });
  });
});

describe('attempts of a hedge that share one run', () => {
  it('wait while the run does', async () => {
    for (const full of [true, false]) {
      const clock = new ManualClock();
      const breaker = circuitBreaker({ clock });
      const one = concurrency({ clock, limit: 1 });
      if (full) void one.execute(() => new Promise(() => {}));
      const policy = pipeline(
        { clock },
        breaker,
        retry({ clock, attemptTimeoutMs: 500, maxAttempts: 1 }),
        hedge({ clock, delayMs: 50 }),
        cached({ clock, key: () => 'all', singleFlight: true }),
        one,
      );
      const asked = policy.tryExecute(({ signal }) => clock.sleep(1e6, signal));
      await clock.advance(5000);
      expect(await asked).toMatchObject({ error: { code: 'OPERATION_TIMEOUT' } });
      expect(breaker.stats().calls).toMatchObject(full ? { ignored: 1 } : { failure: 1 });
    }
  });
});

describe('a deadline that passes during an attempt', () => {
  it('counts, although the attempt before has waited for capacity of our own', async () => {
    const clock = new ManualClock();
    const breaker = circuitBreaker({ clock });
    const one = concurrency({ clock, limit: 1 });
    const held = one.tryAcquire();
    const policy = pipeline(
      { clock },
      breaker,
      retry({ clock, attemptTimeoutMs: 500, maxAttempts: 2, initialDelayMs: 1 }),
      one,
    );
    const asked = policy.tryExecute(({ signal }) => clock.sleep(1e6, signal), { timeoutMs: 900 });
    clock.schedule(() => held?.release(), 502);
    await clock.advance(5000);
    expect(await asked).toMatchObject({ error: { code: 'DEADLINE_EXCEEDED' } });
    expect(breaker.stats().calls).toMatchObject({ failure: 1, ignored: 0 });
  });
});
