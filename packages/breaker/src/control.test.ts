import { ManualClock } from '@temper/testkit/clock';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { circuitBreaker } from './circuit-breaker.ts';
import type { CircuitBreaker } from './contract.ts';
import { CircuitOpenError } from './errors.ts';
import type { StateChange } from './events.ts';
import type { CircuitBreakerOptions } from './options.ts';

const boom = new Error('boom');
const ok = async (): Promise<string> => 'ok';
const fail = async (): Promise<never> => {
  throw boom;
};

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const make = (options: CircuitBreakerOptions = {}): CircuitBreaker =>
  circuitBreaker({ name: 'payments', clock, ...options });

async function failTimes(breaker: CircuitBreaker, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await expect(breaker.execute(fail)).rejects.toBe(boom);
}
async function openError(breaker: CircuitBreaker): Promise<CircuitOpenError> {
  const called = vi.fn(ok);
  const outcome = await breaker.tryExecute(called);
  expect(called).not.toHaveBeenCalled();
  if (outcome.ok) throw new Error('The circuit let the call through.');
  expect(outcome.error).toBeInstanceOf(CircuitOpenError);
  return outcome.error as CircuitOpenError;
}

describe('manual control', () => {
  it('isolates the circuit until every holder has released it', async () => {
    const breaker = make();
    const first = breaker.isolate();
    const second = breaker.isolate();
    expect(await openError(breaker)).toMatchObject({
      state: 'isolated',
      retryAfterMs: undefined,
      message:
        "Circuit 'payments' is isolated; calls are rejected until the isolation is released.",
    });
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect(breaker.state).toBe('isolated');
    breaker.reset();
    expect(breaker.state).toBe('isolated');
    second[Symbol.dispose]();
    expect(breaker.state).toBe('closed');
    expect(await breaker.execute(ok)).toBe('ok');
  });

  it('closes and empties its window on reset', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    breaker.reset();
    expect(breaker.state).toBe('closed');
    await failTimes(breaker, 4);
    breaker.reset();
    await failTimes(breaker, 4);
    expect(breaker.state).toBe('closed');
  });

  it('counts but never opens in metrics-only mode', async () => {
    const breaker = make({ mode: 'metrics-only', window: { calls: 10 } });
    await failTimes(breaker, 10);
    expect(breaker.stats()).toMatchObject({ state: 'closed', window: { failures: 10 } });
    breaker.mode = 'enabled';
    expect(breaker.stats().window.failures).toBe(0);
    await failTimes(breaker, 10);
    expect(breaker.state).toBe('open');
  });

  it('lets calls pass uncounted when disabled', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    breaker.mode = 'disabled';
    expect(breaker.state).toBe('closed');
    await failTimes(breaker, 10);
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.stats()).toMatchObject({
      state: 'closed',
      mode: 'disabled',
      calls: { failure: 5, success: 0 },
    });
  });

  it('can be isolated while disabled', async () => {
    const breaker = make({ mode: 'disabled' });
    const hold = breaker.isolate();
    await openError(breaker);
    await expect(breaker.execute(ok)).rejects.toMatchObject({ state: 'isolated' });
    hold[Symbol.dispose]();
    expect(await breaker.execute(ok)).toBe('ok');
  });

  it('refuses unknown modes', () => {
    const breaker = make();
    expect(() => {
      breaker.mode = 'off' as never;
    }).toThrow(
      "circuitBreaker: mode must be one of 'enabled', 'metrics-only', 'disabled', got 'off'.",
    );
    expect(breaker.mode).toBe('enabled');
  });
});

describe('events', () => {
  it('report every change with its reason, in order', async () => {
    const heard: StateChange[] = [];
    const breaker = make({ onStateChange: (change) => heard.push(change) });
    await failTimes(breaker, 5);
    const openedAt = clock.now();
    clock.jump(60_000);
    await failTimes(breaker, 1);
    clock.jump(60_000);
    await breaker.execute(ok);
    await breaker.execute(ok);
    const hold = breaker.isolate();
    hold[Symbol.dispose]();
    expect(heard.map(({ from, to, reason }) => [from, to, reason])).toEqual([
      ['closed', 'open', 'failures'],
      ['open', 'half-open', 'elapsed'],
      ['half-open', 'open', 'trial-failed'],
      ['open', 'half-open', 'elapsed'],
      ['half-open', 'closed', 'trials-succeeded'],
      ['closed', 'isolated', 'isolated'],
      ['isolated', 'closed', 'released'],
    ]);
    expect(heard[0]).toEqual({
      policy: 'payments',
      from: 'closed',
      to: 'open',
      reason: 'failures',
      at: openedAt,
      openMs: 60_000,
      failure: boom,
    });
  });

  it('reach the other listeners when one throws, and not those that were removed', async () => {
    const deaf = vi.fn();
    const breaker = make({
      onStateChange: () => {
        throw new Error('broken listener');
      },
    });
    breaker.onStateChange(deaf)[Symbol.dispose]();
    const heard = vi.fn(() => expect(breaker.state).toBe('open'));
    breaker.onStateChange(heard);
    await failTimes(breaker, 5);
    expect(deaf).not.toHaveBeenCalled();
    expect(heard).toHaveBeenCalledOnce();
  });
});

describe('a listener that calls the breaker', () => {
  it('receives changes in the same order as all others', async () => {
    const heard: string[][] = [[], []];
    const note =
      (index: number) =>
      ({ from, to }: StateChange): void =>
        void heard[index]?.push(`${from} > ${to}`);
    const breaker = make();
    breaker.onStateChange(note(0));
    breaker.onStateChange(({ to }) => {
      if (to === 'open') breaker.reset();
    });
    breaker.onStateChange(note(1));
    await failTimes(breaker, 5);
    expect(breaker.state).toBe('closed');
    expect(heard).toEqual([
      ['closed > open', 'open > closed'],
      ['closed > open', 'open > closed'],
    ]);
  });

  it.each<[string, (breaker: CircuitBreaker) => unknown, string]>([
    ['isolate()', (breaker) => breaker.isolate(), 'isolated'],
    ['reset()', (breaker) => breaker.reset(), 'closed'],
    ['a change of mode', (breaker) => Object.assign(breaker, { mode: 'disabled' }), 'closed'],
    ['execute()', (breaker) => breaker.execute(ok).catch(() => undefined), 'open'],
    ['restore()', (breaker) => breaker.restore(make().snapshot()), 'closed'],
  ])('may call %s', async (_what, act, state) => {
    const breaker = make();
    breaker.onStateChange(({ to }) => void (to === 'open' && act(breaker)));
    await failTimes(breaker, 5);
    expect(breaker.state).toBe(state);
  });

  it('is logged when it rejects, and changes nothing', async () => {
    const breaker = make({ onStateChange: () => Promise.reject(new Error('broken listener')) });
    await failTimes(breaker, 5);
    expect(breaker.state).toBe('open');
  });
});

describe('openDurationMs', () => {
  it('may change the circuit, which takes precedence', async () => {
    const breaker = make({
      openDurationMs: () => {
        breaker.isolate();
        return 5;
      },
    });
    await failTimes(breaker, 5);
    expect(breaker.state).toBe('isolated');
  });

  it('may look at the breaker, also when a trial has timed out', async () => {
    const seen: string[] = [];
    const breaker = make({
      halfOpenMaxDurationMs: 1000,
      openDurationMs: () => {
        seen.push(breaker.state);
        return 60_000;
      },
    });
    await failTimes(breaker, 5);
    clock.jump(60_000);
    void breaker.execute(() => new Promise(() => undefined));
    clock.jump(1000);
    expect(breaker.state).toBe('open');
    expect(seen).toEqual(['closed', 'half-open']);
  });
});

describe('statistics', () => {
  it('contain counts and the present state', async () => {
    const breaker = make({ failureThreshold: 2 });
    expect(breaker.stats()).toEqual({
      state: 'closed',
      mode: 'enabled',
      calls: { success: 0, failure: 0, slow: 0, ignored: 0, aborted: 0, rejected: 0 },
      window: { calls: 0, failures: 0, slow: 0 },
      openings: 0,
      trials: { running: 0, successes: 0, failures: 0 },
      waiting: 0,
      retryAfterMs: undefined,
      lastFailureAt: undefined,
      changedAt: undefined,
      shared: undefined,
    });
    await breaker.execute(ok);
    await failTimes(breaker, 2);
    const failedAt = clock.now();
    await openError(breaker);
    clock.jump(1000);
    expect(breaker.stats()).toMatchObject({
      state: 'open',
      calls: { success: 1, failure: 2, rejected: 1 },
      window: { calls: 2, failures: 2 },
      openings: 1,
      retryAfterMs: 59_000,
      lastFailureAt: failedAt,
      changedAt: failedAt,
    });
    clock.jump(59_000);
    await breaker.execute(ok);
    expect(breaker.stats()).toMatchObject({
      state: 'half-open',
      trials: { running: 0, successes: 1 },
    });
    expect(structuredClone(breaker.stats())).toEqual(breaker.stats());
  });

  it('are kept apart for breakers of the same name', async () => {
    const one = make();
    const other = make();
    await one.execute(ok);
    expect(other.stats().calls.success).toBe(0);
  });
});

describe('time', () => {
  it('is not read by an unobserved call through a closed circuit', async () => {
    let reads = 0;
    const counting = {
      ...clock,
      monotonic: () => {
        reads++;
        return clock.monotonic();
      },
    };
    const row = make({ clock: counting });
    const calls = make({ clock: counting, window: { calls: 10 } });
    const time = make({ clock: counting, window: { durationMs: 1000 } });
    const slow = make({ clock: counting, window: { calls: 10 }, slowCallDurationMs: 10 });
    const readsOf = async (breaker: CircuitBreaker): Promise<number> => {
      reads = 0;
      await breaker.execute(ok);
      return reads;
    };
    const judging = make({ clock: counting, shouldHandle: () => false });
    expect(await readsOf(row)).toBe(0);
    expect(await readsOf(judging)).toBe(0);
    expect(await readsOf(calls)).toBe(0);
    expect(await readsOf(time)).toBe(1);
    expect(await readsOf(slow)).toBe(2);
  });
});
