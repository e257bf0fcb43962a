import type { Outcome } from '@temper/core';
import { ManualClock, seededRandom } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
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

describe('a half-open circuit judged by rate', () => {
  const rate = { halfOpenTrials: 10, halfOpenMaxFailureRate: 0.2, halfOpenMaxCalls: 10 };

  it('closes when all trials have ended and not too many failed', async () => {
    const breaker = await halfOpen(rate);
    for (let i = 0; i < 2; i++) await breaker.tryExecute(fail);
    for (let i = 0; i < 7; i++) await breaker.execute(ok);
    expect(breaker.stats()).toMatchObject({
      state: 'half-open',
      trials: { running: 0, successes: 7, failures: 2 },
    });
    await breaker.execute(ok);
    expect(breaker.state).toBe('closed');
  });

  it('opens again as soon as too many have failed, with the reason', async () => {
    const reasons: string[] = [];
    const breaker = await halfOpen({
      ...rate,
      onStateChange: ({ reason }) => reasons.push(reason),
    });
    for (let i = 0; i < 2; i++) await breaker.tryExecute(fail);
    expect(breaker.state).toBe('half-open');
    await breaker.tryExecute(fail);
    expect(breaker.stats()).toMatchObject({ state: 'open', openings: 2 });
    expect(reasons.at(-1)).toBe('trials-failed');
  });

  it('runs no more trials than it judges by, and one more for each that tells nothing', async () => {
    const breaker = await halfOpen({ ...rate, halfOpenTrials: 3, halfOpenMaxCalls: 10 });
    const trials = Array.from({ length: 4 }, () => Promise.withResolvers<string>());
    const running = trials.map(({ promise }) => breaker.tryExecute(() => promise));
    expect(codeOf((await running[3]) as Outcome<unknown>)).toBe('CIRCUIT_OPEN');
    trials[0]?.reject(Object.assign(new Error('404'), { status: 404 }));
    await running[0];
    expect(await breaker.tryExecute(ok)).toMatchObject({ ok: true });
    for (const { resolve } of trials) resolve('ok');
    await Promise.all(running);
    expect(breaker.state).toBe('closed');
  });

  it('counts a trial that does not end in time as one that failed', async () => {
    const breaker = await halfOpen({ ...rate, halfOpenMaxDurationMs: 100 });
    for (let i = 0; i < 2; i++) void breaker.execute(hang);
    await clock.advance(100);
    expect(breaker.stats()).toMatchObject({
      state: 'half-open',
      trials: { running: 0, failures: 2 },
    });
    void breaker.execute(hang);
    await clock.advance(100);
    expect(breaker.state).toBe('open');
  });

  it('keeps its counts in a snapshot', async () => {
    const breaker = await halfOpen(rate);
    await breaker.tryExecute(fail);
    await breaker.execute(ok);
    const revived = circuitBreaker({ clock, ...rate });
    revived.restore(JSON.parse(JSON.stringify(breaker.snapshot())));
    expect(revived.stats().trials).toEqual({ running: 0, successes: 1, failures: 1 });
    for (let i = 0; i < 2; i++) await revived.tryExecute(fail);
    expect(revived.state).toBe('open');
  });

  it.each([
    ['fewer trials by rate', rate, { halfOpenTrials: 2 }, [1, 3]],
    ['a smaller share of failures', { ...rate, halfOpenMaxFailureRate: 1 }, rate, [3, 3]],
    ['fewer successes in a row', { successThreshold: 5 }, { successThreshold: 2 }, [0, 3]],
    ['successes in a row instead of a rate', rate, { successThreshold: 2 }, [1, 0]],
  ] as const)(
    'makes trials again that a release with other options has judged already: %s',
    async (_, before, after, [failures, successes]) => {
      const breaker = await halfOpen(before);
      for (let i = 0; i < failures; i++) await breaker.tryExecute(fail);
      for (let i = 0; i < successes; i++) await breaker.execute(ok);
      const revived = circuitBreaker({ clock, ...after });
      revived.restore(JSON.parse(JSON.stringify(breaker.snapshot())));
      expect(revived.stats().trials).toEqual({ running: 0, successes: 0, failures: 0 });
      for (let i = 0; i < 10; i++) await revived.execute(ok);
      expect(revived.state).toBe('closed');
    },
  );

  it('tolerates half of failureRateThreshold by default, and at most a quarter', async () => {
    const tolerated = async (options: CircuitBreakerOptions): Promise<number> => {
      const breaker = circuitBreaker({ clock, halfOpenTrials: 100, ...options });
      for (let i = 0; i < 10; i++) await breaker.tryExecute(fail);
      await clock.advance(60_000);
      let failures = 0;
      for (; breaker.state === 'half-open'; failures++) await breaker.tryExecute(fail);
      return failures - 1;
    };
    const window = { calls: 10 };
    expect(await tolerated({})).toBe(25);
    expect(await tolerated({ window })).toBe(25);
    expect(await tolerated({ window, failureRateThreshold: 0.1 })).toBe(5);
    expect(await tolerated({ window, halfOpenMaxFailureRate: 0.29 })).toBe(29);
  });

  /** Openings per outage of 20 s, once the dependency fails 2 % of its calls again. */
  async function openingsPerRecovery(options: CircuitBreakerOptions): Promise<number> {
    const random = seededRandom(7);
    const outages = 200;
    let openings = 0;
    for (let i = 0; i < outages; i++) {
      let down = true;
      const breaker = circuitBreaker({
        clock,
        window: { calls: 50 },
        openDurationMs: 5000,
        ...options,
        onStateChange: ({ to, openMs }) => {
          if (to === 'open' && openMs !== undefined && !down) openings++;
        },
      });
      const operation = (): Promise<string> => (down || random() < 0.02 ? fail() : ok());
      for (let n = 0; n < 50; n++) await breaker.tryExecute(operation);
      expect(breaker.state).toBe('open');
      openings++; // that of the outage
      down = false;
      clock.jump(5000);
      while (breaker.state !== 'closed') {
        await breaker.tryExecute(operation);
        clock.jump(50);
      }
    }
    return openings / outages;
  }

  it('recovers from an outage with one opening, at 2 % of errors and 20 trials', async () => {
    expect(await openingsPerRecovery({ successThreshold: 20 })).toBeGreaterThan(1.35);
    expect(await openingsPerRecovery({ halfOpenTrials: 20 })).toBeLessThan(1.02);
  });
});
