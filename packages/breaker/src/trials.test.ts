import type { Outcome } from '@temper/core';
import { Call } from '@temper/core/policy';
import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { circuitBreaker } from './circuit-breaker.ts';
import type { CircuitBreaker } from './contract.ts';
import { CircuitOpenError } from './errors.ts';
import type { CircuitBreakerOptions } from './options.ts';
import { MemoryBreakerStore } from './shared/memory-store.ts';
import { sharedCircuit } from './shared/shared-circuit.ts';

const boom = new Error('boom');
const ok = async (): Promise<string> => 'ok';
const fail = (): Promise<never> => Promise.reject(boom);

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

describe('a breaker that is called from inside its own trial', () => {
  it.each<[string, CircuitBreakerOptions]>([
    ['', {}],
    [', with calls that wait', { halfOpenMaxWaitMs: 1000 }],
    [', with several trials', { halfOpenMaxCalls: 3 }],
    [', judged by rate', { halfOpenTrials: 2 }],
  ])('recovers%s', async (_how, options) => {
    const breaker = await halfOpen(options);
    const other = circuitBreaker({ clock });
    const nested = (): Promise<string> =>
      breaker.execute(async () => {
        await settle();
        return other.execute(() => breaker.execute(ok));
      });
    expect(await nested()).toBe('ok');
    expect(breaker.stats().trials.successes).toBe(1);
    expect(await nested()).toBe('ok');
    expect(breaker.state).toBe('closed');
  });

  it('counts the trial and not the call inside it', async () => {
    const breaker = await halfOpen();
    const call = breaker.execute(() => breaker.execute(fail).catch(() => 'a fallback'));
    expect(await call).toBe('a fallback');
    expect(breaker.stats()).toMatchObject({
      state: 'half-open',
      trials: { successes: 1 },
      calls: { failure: 2 },
    });
    await breaker.tryExecute(() => breaker.execute(fail));
    expect(breaker.state).toBe('open');
  });

  it('also when it takes the fleet’s lease', async () => {
    const store = new MemoryBreakerStore(clock);
    const breaker = await halfOpen({ shared: sharedCircuit({ store, minimumNodes: 1 }) });
    for (let i = 0; i < 2; i++) {
      expect(await breaker.execute(() => breaker.execute(ok))).toBe('ok');
      await settle();
    }
    expect(breaker.state).toBe('closed');
  });

  it('rejects calls from inside a trial of an earlier half-open circuit, and from outside', async () => {
    const breaker = await halfOpen({ halfOpenMaxDurationMs: 100 });
    const late = Promise.withResolvers<void>();
    const trial = breaker.tryExecute(async () => {
      await late.promise;
      return breaker.execute(ok);
    });
    expect(codeOf(await breaker.tryExecute(ok))).toBe('CIRCUIT_OPEN');
    await clock.advance(100);
    expect(breaker.state).toBe('open');
    late.resolve();
    expect(codeOf(await trial)).toBe('CIRCUIT_OPEN');
  });
});

describe('a trial that was given up', () => {
  const slow = { window: { calls: 1 }, minimumThroughput: 1, slowCallDurationMs: 100 };

  it.each([
    ['longer than slowCallDurationMs', 101, slow, 'open'],
    ['no longer than slowCallDurationMs', 100, slow, 'half-open'],
    ['for whatever time, where no call is slow', 50_000, {}, 'half-open'],
  ])('after it ran %s', async (_how, ms, options, state) => {
    for (const by of ['caller', 'hedge'] as const) {
      const breaker = await halfOpen(options);
      const scope = new Call().scope();
      const trial = breaker.tryExecute(({ signal }) => clock.sleep(1e6, signal), { parent: scope });
      await clock.advance(ms);
      scope.end(by, new Error('given up'));
      await trial;
      scope.release();
      expect(breaker.stats()).toMatchObject({ state, trials: { running: 0 } });
    }
  });

  it('is not slow when a policy inside made it wait, and refused it', async () => {
    const breaker = await halfOpen(slow);
    const refusal = new CircuitOpenError('inner', { state: 'open', retryAfterMs: 1 });
    const scope = new Call().scope();
    const trial = breaker.tryExecute(() => clock.sleep(200).then(() => Promise.reject(refusal)), {
      parent: scope,
    });
    scope.end('hedge', new Error('lost'));
    await clock.advance(200);
    expect(codeOf(await trial)).toBe('CIRCUIT_OPEN');
    scope.release();
    expect(breaker.stats()).toMatchObject({ state: 'half-open', calls: { slow: 0, aborted: 1 } });
  });
});
