import { ManualClock, settle } from '@temper/testkit/clock';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { circuitBreaker } from './circuit-breaker.ts';
import type { CircuitBreaker } from './contract.ts';
import type { CircuitBreakerOptions } from './options.ts';

/** Each of these was a fault of another library. */

const ok = async (): Promise<string> => 'ok';
const fail = (): Promise<never> => Promise.reject(new Error('boom'));

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

async function halfOpen(options: CircuitBreakerOptions = {}): Promise<CircuitBreaker> {
  const breaker = circuitBreaker({ clock, failureThreshold: 1, ...options });
  await breaker.execute(fail).catch(() => undefined);
  clock.jump(60_000);
  expect(breaker.state).toBe('half-open');
  return breaker;
}

describe('half-open (cockatiel 4: callers wait, and all run when the trial succeeds)', () => {
  it('rejects a hundred callers at once while the trial runs, and runs none of them later', async () => {
    const breaker = await halfOpen({ successThreshold: 1 });
    const trial = Promise.withResolvers<string>();
    const running = breaker.execute(() => trial.promise);
    const downstream = vi.fn(ok);
    const others = Array.from({ length: 100 }, () => breaker.execute(downstream));
    const settled = await Promise.allSettled(others); // would hang if they waited
    expect(settled.every((one) => one.status === 'rejected')).toBe(true);
    trial.resolve('ok');
    await running;
    await settle();
    expect(breaker.state).toBe('closed');
    expect(downstream).not.toHaveBeenCalled();
  });

  it('runs no more than halfOpenMaxCalls of a burst that arrives in one tick', async () => {
    const breaker = await halfOpen({ halfOpenMaxCalls: 3 });
    const downstream = vi.fn(() => new Promise<void>(() => undefined));
    const burst = Array.from({ length: 50 }, () => breaker.tryExecute(downstream));
    await settle();
    expect(downstream).toHaveBeenCalledTimes(3);
    let rejected = 0;
    for (const one of burst) one.then((outcome) => outcome.ok || rejected++);
    await settle();
    expect(rejected).toBe(47);
  });
});

describe('a trial that never settles (opossum 10, resilience4j#935: half-open for ever)', () => {
  it('counts as failed after halfOpenMaxDurationMs, and another trial runs later', async () => {
    const changes: string[] = [];
    const breaker = await halfOpen({
      halfOpenMaxDurationMs: 5000,
      onStateChange: ({ from, to, reason }) => changes.push(`${from} ${to} ${reason}`),
    });
    changes.length = 0;
    void breaker.execute(() => new Promise(() => undefined));
    clock.jump(4999);
    expect(breaker.state).toBe('half-open');
    clock.jump(1);
    expect(breaker.state).toBe('open');
    clock.jump(60_000);
    expect(await breaker.execute(ok)).toBe('ok');
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.state).toBe('closed');
    expect(changes).toEqual([
      'half-open open trial-timed-out',
      'open half-open elapsed',
      'half-open closed trials-succeeded',
    ]);
  });

  it('opens the circuit from the moment of its timeout, not from when it was noticed', async () => {
    const breaker = await halfOpen({ halfOpenMaxDurationMs: 5000 });
    void breaker.execute(() => new Promise(() => undefined));
    clock.jump(5000 + 59_000);
    expect(breaker.state).toBe('open');
    expect(breaker.stats().retryAfterMs).toBe(1000);
    clock.jump(1000);
    expect(breaker.state).toBe('half-open');
  });

  it('has a late result that is ignored', async () => {
    const breaker = await halfOpen({ halfOpenMaxDurationMs: 5000, successThreshold: 1 });
    const trial = Promise.withResolvers<string>();
    const running = breaker.execute(() => trial.promise);
    clock.jump(65_000);
    expect(breaker.state).toBe('half-open');
    trial.resolve('very late');
    expect(await running).toBe('very late');
    expect(breaker.stats()).toMatchObject({ state: 'half-open', trials: { successes: 0 } });
  });

  it('does not exist without calls: half-open lasts until the next call', async () => {
    const breaker = await halfOpen({ halfOpenMaxDurationMs: 5000 });
    clock.jump(86_400_000);
    expect(breaker.state).toBe('half-open');
    await breaker.execute(ok);
    clock.jump(86_400_000); // a service with few calls must be able to close
    await breaker.execute(ok);
    expect(breaker.state).toBe('closed');
  });
});

describe('a result from an earlier state', () => {
  it('does not open the circuit that has closed meanwhile', async () => {
    const breaker = circuitBreaker({ clock, failureThreshold: 1, successThreshold: 1 });
    const old = Promise.withResolvers<never>();
    const slow = breaker.execute(() => old.promise);
    await breaker.execute(fail).catch(() => undefined);
    clock.jump(60_000);
    await breaker.execute(ok);
    expect(breaker.state).toBe('closed');
    old.reject(new Error('from before the outage'));
    await expect(slow).rejects.toThrow('from before the outage');
    expect(breaker.stats()).toMatchObject({ state: 'closed', window: { failures: 0 } });
    expect(breaker.stats().calls.failure).toBe(2); // it is counted in the metrics
  });

  it('does not close, or open, the circuit that is half-open meanwhile', async () => {
    const breaker = circuitBreaker({ clock, failureThreshold: 1, successThreshold: 1 });
    const good = Promise.withResolvers<string>();
    const bad = Promise.withResolvers<never>();
    const calls = [breaker.execute(() => good.promise), breaker.execute(() => bad.promise)];
    await breaker.execute(fail).catch(() => undefined);
    clock.jump(60_000);
    expect(breaker.state).toBe('half-open');
    good.resolve('ok');
    bad.reject(new Error('boom'));
    await Promise.allSettled(calls);
    expect(breaker.state).toBe('half-open');
  });

  it('does not reset the failures in a row of a later state', async () => {
    const breaker = circuitBreaker({ clock, failureThreshold: 2, successThreshold: 1 });
    const old = Promise.withResolvers<string>();
    const slow = breaker.execute(() => old.promise);
    await breaker.execute(fail).catch(() => undefined);
    await breaker.execute(fail).catch(() => undefined);
    clock.jump(60_000);
    await breaker.execute(ok);
    await breaker.execute(fail).catch(() => undefined);
    old.resolve('ok');
    await slow;
    await breaker.execute(fail).catch(() => undefined);
    expect(breaker.state).toBe('open');
  });

  it('does not count during or after isolation', async () => {
    const breaker = circuitBreaker({ clock, failureThreshold: 1 });
    const old = Promise.withResolvers<never>();
    const slow = breaker.execute(() => old.promise);
    breaker.isolate()[Symbol.dispose]();
    old.reject(new Error('boom'));
    await slow.catch(() => undefined);
    expect(breaker.state).toBe('closed');
  });
});

describe('timers (opossum#798: two per breaker; cockatiel#11: a process that does not exit)', () => {
  it('are never created, in any state', async () => {
    const breaker = circuitBreaker({ clock, window: { durationMs: 1000 }, minimumThroughput: 1 });
    expect(clock.pending).toBe(0);
    await breaker.execute(fail).catch(() => undefined);
    expect(clock.pending).toBe(0);
    clock.jump(60_000);
    void breaker.execute(() => new Promise(() => undefined));
    await breaker.tryExecute(ok);
    expect(clock.pending).toBe(0);
  });
});

describe('listeners on the caller’s signal (cockatiel#81: one more with each call)', () => {
  it('are removed after the call', async () => {
    const breaker = await halfOpen();
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    for (let i = 0; i < 5; i++) await breaker.tryExecute(ok, { signal });
    expect(added.mock.calls.length).toBe(removed.mock.calls.length);
  });
});
