import { ManualClock, settle } from '@temper/testkit/clock';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { circuitBreaker } from '../circuit-breaker.ts';
import type { BreakerSnapshot, CircuitBreaker } from '../contract.ts';
import type { CircuitBreakerOptions } from '../options.ts';
import { MemoryBreakerStore } from './memory-store.ts';
import type { SharedCircuitOptions } from './options.ts';
import { sharedCircuit } from './shared-circuit.ts';
import type { BreakerStore } from './store.ts';

const ok = async (): Promise<string> => 'ok';
const fail = (): Promise<never> => Promise.reject(new Error('boom'));

let clock: ManualClock;
let store: MemoryBreakerStore;
beforeEach(() => {
  clock = new ManualClock();
  store = new MemoryBreakerStore(clock);
});

const node = (
  name: string,
  options: CircuitBreakerOptions = {},
  shared: Partial<SharedCircuitOptions> = {},
): CircuitBreaker =>
  circuitBreaker({
    name: 'payments',
    clock,
    ...options,
    shared: sharedCircuit({ store, node: name, ...shared }),
  });

const fleetOf = (size: number, options: CircuitBreakerOptions = {}): CircuitBreaker[] =>
  Array.from({ length: size }, (_, i) => node(`node-${i}`, options));

async function trip(breaker: CircuitBreaker): Promise<void> {
  for (let i = 0; i < 5; i++) await breaker.execute(fail).catch(() => undefined);
  await settle();
  expect(breaker.state).toBe('open');
}

/** Each breaker makes a call, so that it reports and learns the state of the fleet. */
async function hear(...breakers: CircuitBreaker[]): Promise<void> {
  clock.jump(1000);
  for (const breaker of breakers) await breaker.tryExecute(ok);
  await settle();
}

const states = (breakers: readonly CircuitBreaker[]): string[] =>
  breakers.map(({ state }) => state);

/** A fleet of three, all open because two have opened. */
async function openFleet(options: CircuitBreakerOptions = {}): Promise<CircuitBreaker[]> {
  const fleet = fleetOf(3, options);
  await hear(...fleet);
  await trip(fleet[0] as CircuitBreaker);
  await trip(fleet[1] as CircuitBreaker);
  await hear(fleet[2] as CircuitBreaker);
  expect(states(fleet)).toEqual(['open', 'open', 'open']);
  return fleet;
}

describe('a shared circuit', () => {
  it('is not opened on all nodes by one that alone sees failures (Polly#287)', async () => {
    const fleet = fleetOf(3);
    await hear(...fleet);
    await trip(fleet[0] as CircuitBreaker);
    await hear(...fleet);
    expect(states(fleet)).toEqual(['open', 'closed', 'closed']);
  });

  it('is opened on all nodes by a majority, with the reason `fleet`', async () => {
    const reasons: string[] = [];
    const fleet = fleetOf(3);
    fleet[2]?.onStateChange(({ reason }) => reasons.push(reason));
    await hear(...fleet);
    await trip(fleet[0] as CircuitBreaker);
    await trip(fleet[1] as CircuitBreaker);
    expect(fleet[2]?.state).toBe('closed');
    await hear(fleet[2] as CircuitBreaker);
    expect(fleet[2]?.state).toBe('open');
    expect(reasons).toEqual(['fleet']);
    await hear(fleet[2] as CircuitBreaker); // a node that only follows does not report open
    expect(fleet[2]?.stats().shared).toMatchObject({
      node: 'node-2',
      fleet: { state: 'open', nodes: 3, openNodes: 2 },
      storeErrors: 0,
    });
  });

  it('is reported apart from the calls: none waits for the store', async () => {
    const never: BreakerStore = {
      report: () => new Promise(() => undefined),
      takeTrial: () => new Promise(() => undefined),
      endTrial: () => new Promise(() => undefined),
    };
    const breaker = node('a', {}, { store: never });
    expect(await breaker.execute(ok)).toBe('ok');
    await trip(breaker);
    expect(await breaker.tryExecute(ok)).toMatchObject({ ok: false });
  });

  it('is reported once per interval, however many calls there are', async () => {
    const report = vi.spyOn(store, 'report');
    const breaker = node('a');
    for (let i = 0; i < 100; i++) await breaker.execute(ok);
    await settle();
    expect(report).toHaveBeenCalledTimes(1);
    clock.jump(1000);
    for (let i = 0; i < 100; i++) await breaker.execute(ok);
    await settle();
    expect(report).toHaveBeenCalledTimes(2);
    clock.jump(86_400_000);
    await settle();
    expect(report).toHaveBeenCalledTimes(2);
    expect(clock.pending).toBe(0);
  });

  it('runs one trial in the whole fleet and closes on all nodes when trials succeed', async () => {
    const fleet = await openFleet();
    clock.jump(60_000);
    expect(states(fleet)).toEqual(['half-open', 'half-open', 'half-open']);
    const trial = Promise.withResolvers<string>();
    const downstream = vi.fn(() => trial.promise);
    const calls = fleet.map((breaker) => breaker.tryExecute(downstream));
    await settle();
    expect(downstream).toHaveBeenCalledTimes(1);
    trial.resolve('ok');
    const outcomes = await Promise.all(calls);
    expect(outcomes.filter((outcome) => outcome.ok)).toHaveLength(1);
    expect(outcomes.find((outcome) => !outcome.ok)).toMatchObject({
      error: { code: 'CIRCUIT_OPEN', state: 'half-open', retryAfterMs: 1000 },
    });
    clock.jump(1000);
    expect(await fleet[2]?.execute(ok)).toBe('ok'); // the second success, on another node
    await settle();
    await hear(...fleet);
    expect(states(fleet)).toEqual(['closed', 'closed', 'closed']);
  });

  it('closes directly on a node that had all successes itself', async () => {
    const fleet = await openFleet();
    const heard: string[] = [];
    fleet[0]?.onStateChange(({ to, reason }) => heard.push(`${to} ${reason}`));
    const answer = Promise.withResolvers<void>();
    const report = store.report.bind(store);
    vi.spyOn(store, 'report').mockImplementationOnce(async (message) => {
      const state = await report(message);
      await answer.promise; // an answer from before the trials arrives after them
      return state;
    });
    clock.jump(60_000);
    await fleet[0]?.execute(ok);
    await fleet[0]?.execute(ok);
    await settle();
    answer.resolve();
    await settle();
    await hear(fleet[0] as CircuitBreaker);
    expect(heard).toEqual(['half-open elapsed', 'closed trials-succeeded']);
    expect(fleet[0]?.stats().shared?.fleet).toMatchObject({ state: 'closed', generation: 2 });
  });

  it('stays closed on the others when a node opens alone later', async () => {
    const fleet = await openFleet();
    clock.jump(60_000);
    await fleet[0]?.execute(ok);
    await fleet[0]?.execute(ok);
    await settle();
    await hear(...fleet);
    expect(states(fleet)).toEqual(['closed', 'closed', 'closed']);
    await trip(fleet[1] as CircuitBreaker);
    await hear(...fleet);
    expect(states(fleet)).toEqual(['closed', 'open', 'closed']);
  });

  it('counts a slow trial as failed', async () => {
    const fleet = await openFleet({
      window: { calls: 5 },
      minimumThroughput: 5,
      slowCallDurationMs: 100,
    });
    clock.jump(60_000);
    await fleet[2]?.execute(() => clock.jump(101));
    await settle();
    expect(fleet[2]?.stats().shared?.fleet).toMatchObject({ state: 'open', generation: 2 });
  });

  it('runs a call that was refused as a trial if the circuit has closed meanwhile', async () => {
    const fleet = await openFleet();
    clock.jump(60_000);
    const trial = Promise.withResolvers<string>();
    const leased = fleet[0]?.execute(() => trial.promise);
    await settle();
    const answer = Promise.withResolvers<void>();
    const takeTrial = store.takeTrial.bind(store);
    vi.spyOn(store, 'takeTrial').mockImplementationOnce(async (request) => {
      const grant = await takeTrial(request);
      await answer.promise;
      return grant;
    });
    const call = fleet[1]?.execute(ok);
    trial.resolve('ok');
    await leased;
    await fleet[0]?.execute(ok);
    await hear(fleet[1] as CircuitBreaker);
    expect(fleet[1]?.state).toBe('closed');
    answer.resolve();
    expect(await call).toBe('ok');
  });

  it('opens again on all nodes when a trial fails', async () => {
    const fleet = await openFleet();
    clock.jump(60_000);
    await fleet[2]?.execute(fail).catch(() => undefined);
    await settle();
    await hear(...fleet);
    expect(states(fleet)).toEqual(['open', 'open', 'open']);
    clock.jump(58_000);
    expect(states(fleet)).toEqual(['open', 'open', 'open']);
    clock.jump(1000);
    expect(states(fleet)).toEqual(['half-open', 'half-open', 'half-open']);
  });

  it('does not ask for a lease again right after a refusal', async () => {
    const fleet = await openFleet();
    clock.jump(60_000);
    void fleet[0]?.execute(() => new Promise(() => undefined));
    await settle();
    const takeTrial = vi.spyOn(store, 'takeTrial');
    for (let i = 0; i < 50; i++) await fleet[1]?.tryExecute(ok);
    expect(takeTrial).toHaveBeenCalledTimes(1);
  });

  it('does not wait for a node that crashed while holding the lease', async () => {
    const fleet = await openFleet({ halfOpenMaxDurationMs: 5000 });
    clock.jump(60_000);
    void fleet[0]?.execute(() => new Promise(() => undefined)); // and it makes no further call
    await settle();
    expect(await fleet[1]?.tryExecute(ok)).toMatchObject({ ok: false });
    clock.jump(5000);
    expect(await fleet[1]?.tryExecute(ok)).toMatchObject({ ok: true });
  });

  it('counts a leased trial that does not end in time as failed', async () => {
    const fleet = await openFleet({ halfOpenMaxDurationMs: 5000 });
    clock.jump(60_000);
    const trial = Promise.withResolvers<string>();
    const running = fleet[0]?.execute(() => trial.promise);
    await settle();
    const endTrial = vi.spyOn(store, 'endTrial');
    clock.jump(4999);
    expect(fleet[0]?.state).toBe('half-open');
    clock.jump(1);
    expect(fleet[0]?.state).toBe('open');
    await settle();
    expect(endTrial).toHaveBeenCalledTimes(1);
    expect(endTrial.mock.lastCall?.[0]).toMatchObject({ verdict: 'failure', openMs: 60_000 });
    trial.resolve('late');
    expect(await running).toBe('late');
    await settle();
    expect(endTrial).toHaveBeenCalledTimes(1);
  });

  it('returns the lease when a trial is ignored', async () => {
    const fleet = await openFleet({
      shouldHandle: (outcome) => !outcome.ok && (outcome.error as Error).message === 'boom',
    });
    clock.jump(60_000);
    await fleet[0]?.execute(() => Promise.reject(new Error('404'))).catch(() => undefined);
    await settle();
    expect(await fleet[1]?.execute(ok)).toBe('ok');
  });

  it("ends the wait for a lease at the caller's abort, and returns a late lease", async () => {
    const fleet = await openFleet();
    clock.jump(60_000);
    const grant = Promise.withResolvers<void>();
    const takeTrial = store.takeTrial.bind(store);
    vi.spyOn(store, 'takeTrial').mockImplementationOnce(async (request) => {
      await grant.promise;
      return takeTrial(request);
    });
    const controller = new AbortController();
    const called = vi.fn(ok);
    const call = fleet[0]?.execute(called, { signal: controller.signal });
    const reason = new Error('user left');
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    expect(fleet[0]?.stats().trials.running).toBe(0);
    grant.resolve();
    await settle();
    expect(called).not.toHaveBeenCalled();
    expect(await fleet[1]?.execute(ok)).toBe('ok');
  });

  describe('while a trial waits for its lease', () => {
    /** A trial of node 0 whose lease is granted when `grant` is resolved. */
    async function waiting(options: CircuitBreakerOptions = {}) {
      const fleet = await openFleet(options);
      clock.jump(60_000);
      const grant = Promise.withResolvers<void>();
      const takeTrial = store.takeTrial.bind(store);
      vi.spyOn(store, 'takeTrial').mockImplementationOnce(async (request) => {
        const answer = await takeTrial(request);
        await grant.promise;
        return answer;
      });
      const called = vi.fn(ok);
      const breaker = fleet[0] as CircuitBreaker;
      const call = breaker.tryExecute(called);
      await settle();
      return { fleet, breaker, grant, called, call };
    }

    it.each<[string, (breaker: CircuitBreaker) => unknown, boolean]>([
      ['isolated', (breaker) => breaker.isolate(), false],
      ['closed by hand', (breaker) => breaker.reset(), true],
      ['opened again', (breaker) => breaker.restore(openSnapshot(breaker)), false],
    ])(
      'the circuit may be %s: the operation is called only if it is closed',
      async (_what, change, runs) => {
        const { breaker, fleet, grant, called, call } = await waiting();
        change(breaker);
        grant.resolve();
        expect((await call).ok).toBe(runs);
        expect(called).toHaveBeenCalledTimes(runs ? 1 : 0);
        await settle();
        // The lease was returned, so that another node may try.
        expect(await fleet[1]?.execute(ok)).toBe('ok');
      },
    );

    const openSnapshot = (breaker: CircuitBreaker): BreakerSnapshot => ({
      ...breaker.snapshot(),
      state: 'open',
      remainingMs: 5000,
    });

    it("the wait does not count as part of the trial's duration", async () => {
      const { breaker, grant, call } = await waiting({
        window: { calls: 5 },
        minimumThroughput: 5,
        slowCallDurationMs: 100,
      });
      clock.jump(200);
      grant.resolve();
      expect(await call).toMatchObject({ ok: true });
      expect(breaker.stats()).toMatchObject({ calls: { slow: 0 }, trials: { successes: 1 } });
    });

    it('an abort at the moment of the grant returns the lease', async () => {
      const fleet = await openFleet();
      clock.jump(60_000);
      const controller = new AbortController();
      const takeTrial = store.takeTrial.bind(store);
      vi.spyOn(store, 'takeTrial').mockImplementationOnce(async (request) => {
        const answer = await takeTrial(request);
        controller.abort(new Error('user left'));
        return answer;
      });
      const called = vi.fn(ok);
      const call = fleet[0]?.execute(called, { signal: controller.signal });
      await expect(call).rejects.toThrow('user left');
      expect(called).not.toHaveBeenCalled();
      await settle();
      expect(fleet[0]?.stats().trials.running).toBe(0);
      expect(await fleet[1]?.execute(ok)).toBe('ok');
    });
  });

  it('does not open a breaker in metrics-only mode', async () => {
    const fleet = await openFleet();
    const watching = node('watching', { mode: 'metrics-only' });
    await hear(watching);
    await hear(watching);
    expect(watching.state).toBe('closed');
    expect(fleet[0]?.state).toBe('open');
  });

  it('opens on a node that joins during the outage', async () => {
    await openFleet();
    const late = node('late');
    await hear(late);
    expect(late.state).toBe('open');
    const tooLate = node('too late');
    clock.jump(60_000);
    await hear(tooLate);
    expect(tooLate.state).toBe('half-open');
  });
});
