import { ManualClock, settle } from '@temper/testkit/clock';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { circuitBreaker } from '../circuit-breaker.ts';
import type { CircuitBreaker } from '../contract.ts';
import type { CircuitBreakerOptions } from '../options.ts';
import type { SharedCircuitOptions } from './options.ts';
import { sharedCircuit } from './shared-circuit.ts';
import type { BreakerStore, FleetState, TrialGrant } from './store.ts';

const fail = (): Promise<never> => Promise.reject(new Error('boom'));

let clock: ManualClock;
let grant: PromiseWithResolvers<TrialGrant>;
let ended: string[];
beforeEach(() => {
  clock = new ManualClock();
  grant = Promise.withResolvers();
  ended = [];
});

const unknown: FleetState = {
  generation: 0,
  state: 'closed',
  remainingMs: 0,
  nodes: 1,
  openNodes: 0,
};
const leased: TrialGrant = { verdict: 'leased', lease: 'x', retryAfterMs: 0, fleet: unknown };
const alone: TrialGrant = { verdict: 'alone', lease: undefined, retryAfterMs: 0, fleet: unknown };

/** A store that grants leases when the test says so. */
const store: BreakerStore = {
  report: async () => unknown,
  takeTrial: () => grant.promise,
  endTrial: async ({ lease, verdict }) => {
    ended.push(`${lease} ${verdict}`);
    return unknown;
  },
};

async function halfOpen(
  options: CircuitBreakerOptions = {},
  shared: Partial<SharedCircuitOptions> = {},
): Promise<CircuitBreaker> {
  const breaker = circuitBreaker({
    clock,
    ...options,
    shared: sharedCircuit({ store, timeoutMs: 5000, ...shared }),
  });
  for (let i = 0; i < 10 && breaker.state === 'closed'; i++) await breaker.tryExecute(fail);
  clock.jump(60_000);
  await settle();
  expect(breaker.state).toBe('half-open');
  return breaker;
}

describe('the time that the store takes to grant a trial', () => {
  it('does not make the trial slow', async () => {
    const breaker = await halfOpen({ window: { calls: 5 }, slowCallDurationMs: 100 });
    const trial = breaker.execute(async () => 'ok');
    await clock.advance(2000);
    grant.resolve(leased);
    await trial;
    expect(breaker.stats()).toMatchObject({
      state: 'half-open',
      calls: { success: 1, slow: 0 },
      trials: { successes: 1 },
    });
  });

  it('is not part of halfOpenMaxDurationMs', async () => {
    const breaker = await halfOpen({ halfOpenMaxDurationMs: 1000 });
    const trial = breaker.execute(() => clock.sleep(900));
    await clock.advance(2000);
    expect(breaker.stats()).toMatchObject({ state: 'half-open', trials: { running: 1 } });
    grant.resolve(leased);
    await clock.advance(900);
    await trial;
    expect(breaker.stats()).toMatchObject({ state: 'half-open', trials: { successes: 1 } });
    await settle();
    expect(ended).toEqual(['x success']);
  });

  it('counts for the lease only: a trial still has all of its own', async () => {
    const breaker = await halfOpen({ halfOpenMaxDurationMs: 1000 });
    void breaker.execute(() => new Promise(() => undefined));
    await clock.advance(2000);
    grant.resolve(leased);
    await settle();
    clock.jump(999);
    expect(breaker.state).toBe('half-open');
    clock.jump(1);
    expect(breaker.state).toBe('open');
    await settle();
    expect(ended).toEqual(['x failure']);
  });

  it('leaves rejected calls a finite time to come back', async () => {
    const breaker = await halfOpen({ halfOpenMaxDurationMs: 1000 });
    void breaker.execute(fail).catch(() => undefined);
    const outcome = await breaker.tryExecute(fail);
    expect(outcome).toMatchObject({
      error: {
        retryAfterMs: 1000,
        message: expect.stringContaining("'breaker' is half-open; its trial calls end within 1000"),
      },
    });
  });

  it('does not outlast the outage of a store that hangs: the circuit closes by its own trials', async () => {
    const options = { window: { calls: 5 }, slowCallDurationMs: 100, halfOpenMaxDurationMs: 200 };
    const breaker = await halfOpen(options, { timeoutMs: 250 });
    for (let i = 0; i < 2; i++) {
      await clock.runUntil(breaker.execute(() => clock.sleep(30)));
    }
    expect(breaker.stats()).toMatchObject({ state: 'closed', calls: { slow: 0, success: 2 } });
  });
});

describe('while a trial waits for the store', () => {
  const events: readonly [string, (breaker: CircuitBreaker) => unknown, string, boolean][] = [
    ['isolate()', (breaker) => breaker.isolate(), 'isolated', false],
    ['forceOpen()', (breaker) => breaker.forceOpen(), 'open', false],
    ['reset()', (breaker) => breaker.reset(), 'closed', true],
    [
      'another mode',
      (breaker) => {
        breaker.mode = 'disabled';
      },
      'closed',
      true,
    ],
    ['restore()', (breaker) => breaker.restore(circuitBreaker().snapshot()), 'closed', true],
    [
      'leaving half-open and coming back',
      (breaker) => {
        breaker.forceOpen(0);
        return breaker.state;
      },
      'half-open',
      true,
    ],
  ];
  const grants: readonly [string, TrialGrant, string[]][] = [
    ['leased', leased, ['x ignored']],
    ['alone', alone, []],
  ];

  const cases = events.flatMap(([what, act, state, runs]) =>
    grants.map(([verdict, answer, returned]) => {
      return { what, act, state, runs, verdict, answer, returned };
    }),
  );

  it.each(cases)(
    '$what decides about the call, and a grant ($verdict) is given back',
    async ({ act, state, runs, answer, returned }) => {
      const breaker = await halfOpen();
      const operation = vi.fn(async () => 'ok');
      const outcome = breaker.tryExecute(operation);
      await settle();
      act(breaker);
      expect(breaker.state).toBe(state);
      const first = grant;
      grant = Promise.withResolvers();
      first.resolve(answer);
      await settle();
      // Where it is half-open again, the call has asked again.
      if (state === 'half-open') grant.resolve(alone);
      expect((await outcome).ok).toBe(runs);
      expect(operation).toHaveBeenCalledTimes(runs ? 1 : 0);
      await settle();
      expect(ended).toEqual(returned);
      expect(breaker.stats().trials.running).toBe(0);
    },
  );

  it('an opening of a sibling in the answer itself keeps the call away', async () => {
    const breaker = await halfOpen();
    const operation = vi.fn(async () => 'ok');
    const outcome = breaker.tryExecute(operation);
    await settle();
    const fleet = { ...unknown, generation: 3, state: 'open', remainingMs: 700 } as const;
    grant.resolve({ ...leased, fleet });
    expect(await outcome).toMatchObject({ error: { code: 'CIRCUIT_OPEN', state: 'open' } });
    expect(operation).not.toHaveBeenCalled();
    await settle();
    expect(ended).toEqual(['x ignored']);
  });

  it.each(['before the grant', 'in the moment of the grant'])(
    'an abort %s ends the call, and the lease is given back',
    async (when) => {
      const breaker = await halfOpen();
      const controller = new AbortController();
      const reason = new Error('user left');
      const operation = vi.fn(async () => 'ok');
      const call = breaker.execute(operation, { signal: controller.signal });
      const rejected = expect(call).rejects.toBe(reason);
      await settle();
      if (when === 'before the grant') {
        controller.abort(reason);
        await rejected;
        grant.resolve(leased);
      } else {
        grant.resolve(leased);
        controller.abort(reason);
        await rejected;
      }
      await settle();
      expect(operation).not.toHaveBeenCalled();
      expect(ended).toEqual(['x ignored']);
      expect(breaker.stats()).toMatchObject({ state: 'half-open', trials: { running: 0 } });
    },
  );

  it('an abort from before the call asks nothing of the store', async () => {
    const breaker = await halfOpen();
    const takeTrial = vi.spyOn(store, 'takeTrial');
    const signal = AbortSignal.abort(new Error('user left'));
    await expect(breaker.execute(fail, { signal })).rejects.toBe(signal.reason);
    expect(takeTrial).not.toHaveBeenCalled();
    takeTrial.mockRestore();
  });
});
