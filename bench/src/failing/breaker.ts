import { circuitBreaker } from '@temper/breaker';
import * as cockatiel from 'cockatiel';
import { breakerFloor } from '../breaker/floor.ts';
import { failWith, refused } from '../rejection.ts';
import { answer } from '../retry-floor.ts';
import type { Bench } from '../types.ts';

type Run = (work: () => Promise<number>) => Promise<number>;

/** Minimal breaker with a half-open state: opens at the first failure, admits one trial at a time. */
function cycleFloor(openMs: number): Run {
  let openUntil = 0;
  let isTrialRunning = false;
  return async (work) => {
    const isTrial = openUntil !== 0;
    if (isTrial) {
      if (isTrialRunning || performance.now() < openUntil) throw new Error('The circuit is open.');
      isTrialRunning = true;
    }
    try {
      const value = await work();
      openUntil = 0;
      return value;
    } catch (error) {
      openUntil = performance.now() + openMs;
      throw error;
    } finally {
      if (isTrial) isTrialRunning = false;
    }
  };
}

const minimal = cycleFloor(0);
const temper = circuitBreaker({
  name: 'cycle',
  failureThreshold: 1,
  successThreshold: 1,
  openDurationMs: 0,
});
const cockatielBreaker = cockatiel.circuitBreaker(cockatiel.handleAll, {
  halfOpenAfter: 0,
  breaker: new cockatiel.ConsecutiveBreaker(1),
});

const fail = failWith(refused);
/** A call that fails and opens the circuit, then a trial that closes it. */
const cycle = (run: Run) => async (): Promise<void> => {
  try {
    await run(fail);
  } catch {
    // it is open now
  }
  await run(answer);
};

const CYCLE = 'breaker: a failure opens the circuit, a trial closes it';

/** opossum becomes half-open by a timer only. */
export const cycles: readonly Bench[] = [
  { group: CYCLE, name: 'floor', floor: true, fn: cycle(minimal) },
  {
    group: CYCLE,
    name: 'temper',
    aim: 1,
    against: 'cockatiel',
    fn: cycle((work) => temper.execute(work)),
  },
  { group: CYCLE, name: 'cockatiel', fn: cycle((work) => cockatielBreaker.execute(work)) },
];

const COUNT = 10_000;
const MANY = 'ten thousand breakers, called at random';

/** The same order for all rows. Source of the numbers: Numerical Recipes, a linear congruential generator. */
const order = new Uint16Array(1 << 16);
let seed = 1;
for (let i = 0; i < order.length; i++) {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  order[i] = Math.floor((seed / 2 ** 32) * COUNT);
}

/** Calls a random one of many. */
function atRandom(make: (index: number) => Run): () => Promise<number> {
  const all = Array.from({ length: COUNT }, (_, index) => make(index));
  let next = 0;
  return () => {
    next = (next + 1) & (order.length - 1);
    return (all[order[next] as number] as Run)(answer);
  };
}

export const many: readonly Bench[] = [
  { group: MANY, name: 'floor', floor: true, fn: atRandom(() => breakerFloor()) },
  {
    group: MANY,
    name: 'temper',
    aim: 1,
    against: 'cockatiel',
    fn: atRandom((index) => {
      const breaker = circuitBreaker({ name: `many-${index}` });
      return (work) => breaker.execute(work);
    }),
  },
  {
    group: MANY,
    name: 'cockatiel',
    fn: atRandom(() => {
      const breaker = cockatiel.circuitBreaker(cockatiel.handleAll, {
        halfOpenAfter: 60_000,
        breaker: new cockatiel.ConsecutiveBreaker(5),
      });
      return (work) => breaker.execute(work);
    }),
  },
];
