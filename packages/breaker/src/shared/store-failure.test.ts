import { ManualClock, settle } from '@temper/testkit/clock';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { circuitBreaker } from '../circuit-breaker.ts';
import type { CircuitBreaker } from '../contract.ts';
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

describe('a store that fails', () => {
  const broken = (how: () => Promise<never>): BreakerStore => ({
    report: how,
    takeTrial: how,
    endTrial: how,
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('ECONNREFUSED'))],
    [
      'throws',
      () => {
        throw new Error('not connected');
      },
    ],
  ])('that %s is reported to onStoreError, and the node decides alone', async (_how, how) => {
    const onStoreError = vi.fn();
    const breaker = node('a', {}, { store: broken(how), onStoreError });
    await trip(breaker);
    clock.jump(60_000);
    expect(await breaker.execute(ok)).toBe('ok');
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.state).toBe('closed');
    await settle();
    expect(onStoreError).toHaveBeenCalled();
    expect(onStoreError.mock.lastCall?.[0]).toBeInstanceOf(Error);
    expect(breaker.stats().shared?.storeErrors).toBe(onStoreError.mock.calls.length);
    expect(clock.pending).toBe(0);
  });

  it('that hangs delays a trial by timeoutMs at most', async () => {
    const onStoreError = vi.fn();
    const hangs = broken(() => new Promise<never>(() => undefined));
    const breaker = node('a', {}, { store: hangs, onStoreError, timeoutMs: 100 });
    await trip(breaker);
    await clock.advance(60_000);
    let done = false;
    const trial = breaker.execute(ok).then(() => {
      done = true;
    });
    await clock.advance(99);
    expect(done).toBe(false);
    await clock.advance(1);
    await trial;
    expect(breaker.stats().trials.successes).toBe(1);
    expect(onStoreError.mock.lastCall?.[0]).toMatchObject({ code: 'OPERATION_TIMEOUT' });
  });

  it('that answers late gets its lease back', async () => {
    const fleet = await openFleet();
    clock.jump(60_000);
    const grant = Promise.withResolvers<void>();
    const takeTrial = store.takeTrial.bind(store);
    vi.spyOn(store, 'takeTrial').mockImplementationOnce(async (request) => {
      await grant.promise;
      return takeTrial(request);
    });
    const first = fleet[0]?.execute(ok); // decides alone after 250 ms
    await clock.advance(250);
    expect(await first).toBe('ok');
    grant.resolve();
    await settle();
    expect(await fleet[1]?.execute(ok)).toBe('ok');
  });

  it('that loses its data leaves each node to its own open time', async () => {
    const fleet = await openFleet();
    let current: BreakerStore = store;
    const forgetful: BreakerStore = {
      report: (message) => current.report(message),
      takeTrial: (message) => current.takeTrial(message),
      endTrial: (message) => current.endTrial(message),
    };
    const late = node('late', {}, { store: forgetful });
    await hear(late);
    expect(late.state).toBe('open');
    current = new MemoryBreakerStore(clock);
    await hear(late);
    expect(late.state).toBe('open');
    expect(fleet).toHaveLength(3);
    clock.jump(60_000);
    expect(await late.execute(ok)).toBe('ok');
    expect(await late.execute(ok)).toBe('ok');
    expect(late.state).toBe('closed');
  });

  it('changes nothing when onStoreError throws', async () => {
    const breaker = node(
      'a',
      {},
      {
        store: broken(() => Promise.reject(new Error('down'))),
        onStoreError: () => {
          throw new Error('broken listener');
        },
      },
    );
    await trip(breaker);
    clock.jump(60_000);
    expect(await breaker.execute(ok)).toBe('ok');
  });
});
