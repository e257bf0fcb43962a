import type { Outcome } from '@temper/core';
import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { circuitBreaker } from './circuit-breaker.ts';
import type { CircuitBreaker } from './contract.ts';
import type { CircuitBreakerOptions } from './options.ts';

const boom = new Error('boom');
const ok = async (): Promise<string> => 'ok';
const fail = (): Promise<never> => Promise.reject(boom);
const hang = (): Promise<never> => new Promise(() => undefined);

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

async function halfOpen(options: CircuitBreakerOptions = {}): Promise<CircuitBreaker> {
  const threshold = options.window === undefined ? { failureThreshold: 1 } : {};
  const breaker = circuitBreaker({ name: 'payments', clock, ...threshold, ...options });
  await breaker.tryExecute(fail);
  await clock.advance(60_000);
  expect(breaker.state).toBe('half-open');
  return breaker;
}

const codeOf = (outcome: Outcome<unknown>): unknown =>
  outcome.ok ? outcome.value : (outcome.error as { code?: unknown }).code;

describe('a call that waits for its turn', () => {
  const waiting = { halfOpenMaxWaitMs: 1000, successThreshold: 2 };

  it('gets it in order of arrival: a place of a trial first, and all when the circuit closes', async () => {
    const breaker = await halfOpen(waiting);
    const trials = Array.from({ length: 5 }, () => Promise.withResolvers<string>());
    const begun: number[] = [];
    const calls = trials.map(({ promise }, i) =>
      breaker.execute(() => {
        begun.push(i);
        return promise;
      }),
    );
    await settle();
    expect(begun).toEqual([0]);
    expect(breaker.stats().waiting).toBe(4);
    trials[0]?.resolve('ok');
    await settle();
    expect(begun).toEqual([0, 1]);
    trials[1]?.resolve('ok');
    await settle();
    expect(breaker.state).toBe('closed');
    expect(begun).toEqual([0, 1, 2, 3, 4]);
    for (const { resolve } of trials) resolve('ok');
    await Promise.all(calls);
    expect(breaker.stats().waiting).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('is rejected when the circuit opens again, without running', async () => {
    const breaker = await halfOpen(waiting);
    const trial = Promise.withResolvers<string>();
    const first = breaker.tryExecute(() => trial.promise);
    const operation = vi.fn(ok);
    const others = Array.from({ length: 3 }, () => breaker.tryExecute(operation));
    trial.reject(boom);
    await first;
    for (const other of await Promise.all(others)) {
      expect(other).toMatchObject({ error: { code: 'CIRCUIT_OPEN', state: 'open' } });
    }
    expect(operation).not.toHaveBeenCalled();
    expect(breaker.stats().calls.rejected).toBe(3);
    expect(clock.pending).toBe(0);
  });

  it('is rejected after halfOpenMaxWaitMs, and not before', async () => {
    const breaker = await halfOpen(waiting);
    void breaker.execute(hang);
    const outcome = vi.fn();
    void breaker.tryExecute(ok).then(outcome);
    await clock.advance(999);
    expect(outcome).not.toHaveBeenCalled();
    await clock.advance(1);
    expect(outcome.mock.lastCall?.[0]).toMatchObject({
      error: { code: 'CIRCUIT_OPEN', state: 'half-open' },
    });
    expect(clock.pending).toBe(0);
  });

  it('learns that a trial has timed out at once', async () => {
    const breaker = await halfOpen({ ...waiting, halfOpenMaxDurationMs: 100 });
    void breaker.execute(hang);
    const outcome = vi.fn();
    void breaker.tryExecute(ok).then(outcome);
    await clock.advance(100);
    expect(outcome.mock.lastCall?.[0]).toMatchObject({ error: { state: 'open' } });
    expect(clock.pending).toBe(0);
  });

  it.each(['before it waits', 'while it waits'])('obeys an abort %s', async (when) => {
    const breaker = await halfOpen(waiting);
    const trial = Promise.withResolvers<string>();
    const first = breaker.execute(() => trial.promise);
    const controller = new AbortController();
    const reason = new Error('user left');
    if (when === 'before it waits') controller.abort(reason);
    const operation = vi.fn(ok);
    const call = breaker.execute(operation, { signal: controller.signal });
    const rejected = expect(call).rejects.toBe(reason);
    controller.abort(reason);
    await rejected;
    expect(breaker.stats().waiting).toBe(0);
    trial.resolve('ok');
    await first;
    expect(operation).not.toHaveBeenCalled();
    expect(clock.pending).toBe(0);
  });

  it('obeys its deadline', async () => {
    const breaker = await halfOpen(waiting);
    void breaker.execute(hang);
    const operation = vi.fn(ok);
    const outcome = breaker.tryExecute(operation, { timeoutMs: 300 });
    await clock.advance(300);
    expect(codeOf(await outcome)).toBe('DEADLINE_EXCEEDED');
    expect(breaker.stats().waiting).toBe(0);
    expect(operation).not.toHaveBeenCalled();
  });

  it('gives its turn to the next one when it is aborted in the moment that it comes', async () => {
    const breaker = await halfOpen(waiting);
    const controller = new AbortController();
    const reason = new Error('user left');
    const trial = Promise.withResolvers<string>();
    const first = breaker.execute(() => trial.promise);
    const second = breaker.execute(ok, { signal: controller.signal });
    const refused = expect(second).rejects.toBe(reason);
    const third = breaker.execute(ok);
    const fourth = breaker.execute(ok);
    trial.resolve('ok');
    controller.abort(reason);
    await refused;
    expect(await Promise.all([first, third, fourth])).toEqual(['ok', 'ok', 'ok']);
    expect(breaker.state).toBe('closed');
  });

  it('waits only while the circuit is half-open', async () => {
    const breaker = circuitBreaker({ clock, failureThreshold: 1, ...waiting });
    await breaker.tryExecute(fail);
    expect(await breaker.tryExecute(ok)).toMatchObject({ error: { state: 'open' } });
    const hold = breaker.isolate();
    expect(await breaker.tryExecute(ok)).toMatchObject({ error: { state: 'isolated' } });
    hold[Symbol.dispose]();
  });

  it.each<[string, (breaker: CircuitBreaker) => void, unknown]>([
    ['reset()', (breaker) => breaker.reset(), 'ok'],
    ['isolate()', (breaker) => void breaker.isolate(), 'CIRCUIT_OPEN'],
    ['forceOpen()', (breaker) => breaker.forceOpen(), 'CIRCUIT_OPEN'],
    ['another mode', (breaker) => void Object.assign(breaker, { mode: 'disabled' }), 'ok'],
    ['restore()', (breaker) => breaker.restore(circuitBreaker({ clock }).snapshot()), 'ok'],
  ])('waits no longer after %s', async (_what, act, result) => {
    const breaker = await halfOpen(waiting);
    void breaker.execute(hang);
    const calls = Array.from({ length: 3 }, () => breaker.tryExecute(ok));
    await settle();
    act(breaker);
    expect((await Promise.all(calls)).map(codeOf)).toEqual([result, result, result]);
  });

  it('is rejected at once when 1000 others wait', async () => {
    const breaker = await halfOpen(waiting);
    void breaker.execute(hang);
    const calls = Array.from({ length: 1001 }, () => breaker.tryExecute(ok));
    await calls[1000];
    expect(breaker.stats()).toMatchObject({ waiting: 1000, calls: { rejected: 1 } });
    await clock.advance(1000);
    await Promise.all(calls);
    expect(breaker.stats()).toMatchObject({ waiting: 0, calls: { rejected: 1001 } });
  });

  it('stops the others when its operation opens the circuit before it returns', async () => {
    const breaker = await halfOpen({ ...waiting, successThreshold: 1 });
    const trial = Promise.withResolvers<string>();
    const first = breaker.execute(() => trial.promise);
    const operation = vi.fn((): Promise<string> => {
      throw boom;
    });
    const others = Array.from({ length: 3 }, () => breaker.tryExecute(operation));
    trial.resolve('ok');
    await first;
    expect((await Promise.all(others)).map(codeOf)).toEqual([
      undefined,
      'CIRCUIT_OPEN',
      'CIRCUIT_OPEN',
    ]);
    expect(operation).toHaveBeenCalledOnce();
  });
});

describe('calls that wait when the circuit closes', () => {
  /** A half-open circuit with so many calls that wait behind its trial. */
  const queued = async (count: number, options: CircuitBreakerOptions = {}) => {
    const half = { halfOpenMaxWaitMs: 1000, successThreshold: 1 };
    const breaker = circuitBreaker({ clock, failureThreshold: 1000, ...half, ...options });
    breaker.forceOpen();
    await clock.advance(60_000);
    const trial = Promise.withResolvers<string>();
    void breaker.execute(() => trial.promise);
    const ends: PromiseWithResolvers<string>[] = [];
    const outcomes = Array.from({ length: count }, () =>
      breaker.tryExecute(() => {
        const end = Promise.withResolvers<string>();
        ends.push(end);
        return end.promise;
      }),
    );
    await settle();
    expect(breaker.stats().waiting).toBe(count);
    trial.resolve('ok');
    await settle();
    expect(breaker.state).toBe('closed');
    return { breaker, ends, outcomes };
  };

  const openAfterOne = { failureThreshold: 1 };

  it('start ten at a time at first, and two for each that succeeds', async () => {
    const { breaker, ends, outcomes } = await queued(200);
    const started: number[] = [];
    let ended = 0;
    while (ended < 200) {
      started.push(ends.length - ended);
      const upTo = ends.length;
      for (; ended < upTo; ended++) ends[ended]?.resolve('ok');
      await settle();
    }
    expect(started).toEqual([10, 20, 40, 80, 50]);
    expect((await Promise.all(outcomes)).every(({ ok: good }) => good)).toBe(true);
    expect(breaker.stats().waiting).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('do not become more at a time while they fail', async () => {
    const { ends, outcomes } = await queued(60);
    let ended = 0;
    while (ended < 60) {
      expect(ends.length - ended).toBeLessThanOrEqual(10);
      const upTo = ends.length;
      for (; ended < upTo; ended++) ends[ended]?.reject(boom);
      await settle();
    }
    expect((await Promise.all(outcomes)).map(codeOf)).toEqual(Array(60).fill(undefined));
    expect(clock.pending).toBe(0);
  });

  it('start when their wait is over, as the circuit is closed', async () => {
    const { ends, outcomes, breaker } = await queued(30);
    await clock.advance(999);
    expect(ends).toHaveLength(10);
    await clock.advance(1);
    expect(ends).toHaveLength(30);
    for (const end of ends) end.resolve('ok');
    await Promise.all(outcomes);
    expect(breaker.stats().waiting).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('are rejected when the circuit opens again, and begin with ten the next time', async () => {
    const { breaker, ends, outcomes } = await queued(30, openAfterOne);
    ends[0]?.reject(boom);
    await settle();
    expect(breaker.state).toBe('open');
    expect(ends).toHaveLength(10);
    expect(breaker.stats().waiting).toBe(0);
    expect((await Promise.all(outcomes.slice(10))).map(codeOf)).toEqual(
      Array(20).fill('CIRCUIT_OPEN'),
    );
    await clock.advance(60_000);
    const trial = Promise.withResolvers<string>();
    void breaker.execute(() => trial.promise);
    let began = 0;
    const later = Array.from({ length: 40 }, () =>
      breaker.tryExecute(() => {
        began++;
        return hang();
      }),
    );
    for (const end of ends.slice(1)) end.resolve('ok'); // of the ramp before
    await settle();
    trial.resolve('ok');
    await settle();
    expect(breaker.state).toBe('closed');
    expect(began).toBe(10);
    expect(later).toHaveLength(40);
  });

  it('are rejected when the circuit is isolated meanwhile', async () => {
    const { breaker, ends, outcomes } = await queued(30);
    using _held = breaker.isolate();
    expect((await Promise.all(outcomes.slice(10))).map(codeOf)).toEqual(
      Array(20).fill('CIRCUIT_OPEN'),
    );
    expect(ends).toHaveLength(10);
  });

  it('leave when they are aborted, and the others keep their places', async () => {
    const breaker = await halfOpen({ halfOpenMaxWaitMs: 1000, successThreshold: 1 });
    const trial = Promise.withResolvers<string>();
    void breaker.execute(() => trial.promise);
    const begun: number[] = [];
    const controllers = Array.from({ length: 25 }, () => new AbortController());
    const calls = controllers.map(({ signal }, i) =>
      breaker.tryExecute(
        () => {
          begun.push(i);
          return ok();
        },
        { signal },
      ),
    );
    await settle();
    for (const i of [0, 11, 24]) controllers[i]?.abort(new Error('enough'));
    trial.resolve('ok');
    await Promise.all(calls);
    const expected = Array.from({ length: 25 }, (_, i) => i).filter(
      (i) => ![0, 11, 24].includes(i),
    );
    expect(begun).toEqual(expected);
    expect(clock.pending).toBe(0);
  });

  it.each([
    ['reset', 50, 'closed'],
    ['forceOpen', 4, 'open'],
  ] as const)('may %s the circuit', async (act, expected, state) => {
    const breaker = await halfOpen({ halfOpenMaxWaitMs: 1000, successThreshold: 1 });
    const trial = Promise.withResolvers<string>();
    void breaker.execute(() => trial.promise);
    let ran = 0;
    const calls = Array.from({ length: 50 }, (_, i) =>
      breaker.tryExecute(async () => {
        ran++;
        if (i === 3) breaker[act]();
      }),
    );
    await settle();
    trial.resolve('ok');
    const outcomes = await Promise.all(calls);
    expect(ran).toBe(expected);
    expect(outcomes.filter((outcome) => outcome.ok)).toHaveLength(expected);
    expect(breaker.state).toBe(state);
    expect(breaker.stats().waiting).toBe(0);
  });
});
