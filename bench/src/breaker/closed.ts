import { circuitBreaker } from '@temper/breaker';
import type { Outcome } from '@temper/core';
import * as cockatiel from 'cockatiel';
import CircuitBreaker from 'opossum';
import { answer } from '../retry-floor.ts';
import type { Bench } from '../types.ts';
import { breakerFloor } from './floor.ts';

const group = 'breaker closed, failures in a row';

const floor = breakerFloor();
const temper = circuitBreaker({ name: 'row' });
const wrapped = temper.wrap(answer);
const counting = circuitBreaker({ name: 'calls', window: { calls: 100 } });
const judging = circuitBreaker({
  name: 'judging',
  shouldHandle: (outcome: Outcome<number>) => outcome.ok && outcome.value === 0,
});
const consecutive = cockatiel.circuitBreaker(cockatiel.handleAll, {
  halfOpenAfter: 60_000,
  breaker: new cockatiel.ConsecutiveBreaker(5),
});
const opossum = new CircuitBreaker(answer, { timeout: false, resetTimeout: 60_000 });
const opossumByDefault = new CircuitBreaker(answer);
const closeOpossum = (): void => {
  opossum.shutdown();
  opossumByDefault.shutdown();
};

export const closedRows: readonly Bench[] = [
  { group, name: 'floor', floor: true, fn: () => floor(answer) },
  { group, name: 'temper', aim: 1.15, fn: () => temper.execute(answer) },
  { group, name: 'temper, wrapped', fn: () => wrapped() },
  { group, name: 'temper, tryExecute', fn: () => temper.tryExecute(answer) },
  { group, name: 'temper, window of 100 calls', aim: 1.3, fn: () => counting.execute(answer) },
  { group, name: 'temper, shouldHandle', fn: () => judging.execute(answer) },
  { group, name: 'cockatiel', fn: () => consecutive.execute(answer) },
  { group, name: 'opossum, without timeout', fn: () => opossum.fire() },
  { group, name: 'opossum', fn: () => opossumByDefault.fire(), teardown: closeOpossum },
];

const timeGroup = 'breaker closed, window of time';

/** The floor with a failure rate over ten buckets of one second. */
function windowFloor(): <T>(operation: () => Promise<T>) => Promise<T> {
  const BUCKETS = 10;
  const calls = new Uint32Array(BUCKETS);
  const failures = new Uint32Array(BUCKETS);
  let current = 0;
  let allCalls = 0;
  let allFailures = 0;
  let openUntil = 0;
  const count = (failed: number): void => {
    const now = Math.floor(performance.now() / 1000);
    for (; current < now; current++) {
      const next = (current + 1) % BUCKETS;
      allCalls -= calls[next] as number;
      allFailures -= failures[next] as number;
      calls[next] = 0;
      failures[next] = 0;
    }
    const bucket = now % BUCKETS;
    calls[bucket] = (calls[bucket] as number) + 1;
    failures[bucket] = (failures[bucket] as number) + failed;
    allCalls++;
    allFailures += failed;
  };
  return async (operation) => {
    if (openUntil !== 0 && performance.now() < openUntil) throw new Error('The circuit is open.');
    try {
      const value = await operation();
      count(0);
      return value;
    } catch (error) {
      count(1);
      if (allCalls >= 10 && allFailures / allCalls >= 0.5) openUntil = performance.now() + 60_000;
      throw error;
    }
  };
}

const floorWithWindow = windowFloor();
const timing = circuitBreaker({ name: 'time', window: { durationMs: 10_000 } });
const measuring = circuitBreaker({
  name: 'slow',
  window: { durationMs: 10_000 },
  slowCallDurationMs: 1000,
});
const sampling = cockatiel.circuitBreaker(cockatiel.handleAll, {
  halfOpenAfter: 60_000,
  breaker: new cockatiel.SamplingBreaker({ threshold: 0.5, duration: 10_000 }),
});

export const windowRows: readonly Bench[] = [
  { group: timeGroup, name: 'floor', floor: true, fn: () => floorWithWindow(answer) },
  { group: timeGroup, name: 'temper, window of time', aim: 1.3, fn: () => timing.execute(answer) },
  {
    group: timeGroup,
    name: 'temper, window of time and slow calls',
    fn: () => measuring.execute(answer),
  },
  { group: timeGroup, name: 'cockatiel, sampling', fn: () => sampling.execute(answer) },
];
