import { circuitBreaker } from '@temper/breaker';
import * as cockatiel from 'cockatiel';
import CircuitBreaker from 'opossum';
import { caught, refusal, rejectLater } from '../rejection.ts';
import { answer } from '../retry-floor.ts';
import type { Bench } from '../types.ts';

const THROWN = 'breaker open, rejection caught';
const RESULT = 'breaker open, asked for a result';
const OPEN_MS = 1e9;
const openUntil = performance.now() + OPEN_MS;

const fail = async (): Promise<never> => {
  throw new Error('The dependency is down.');
};

const temper = circuitBreaker({ name: 'open', openDurationMs: OPEN_MS });
const consecutive = cockatiel.circuitBreaker(cockatiel.handleAll, {
  halfOpenAfter: OPEN_MS,
  breaker: new cockatiel.ConsecutiveBreaker(5),
});
const opossum = new CircuitBreaker(answer, { timeout: false, resetTimeout: 2 ** 31 - 1 });

async function open(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await Promise.allSettled([temper.execute(fail), consecutive.execute(fail)]);
  }
  opossum.open();
}

/** What users of an `Error` per rejection pay. */
const withStack = (group: string): Bench => ({
  group,
  name: 'an error with a stack',
  fn: caught(async () => {
    throw new Error('The circuit is open.');
  }),
});

export const thrown: readonly Bench[] = [
  {
    group: THROWN,
    name: 'floor',
    floor: true,
    setup: open,
    fn: caught(() => {
      const retryAfterMs = openUntil - performance.now();
      return retryAfterMs > 0
        ? rejectLater(refusal('The circuit is open.', retryAfterMs))
        : answer();
    }),
  },
  withStack(THROWN),
  {
    group: THROWN,
    name: 'temper',
    aim: 0.3,
    against: 'an error with a stack',
    fn: caught(() => temper.execute(answer)),
  },
  { group: THROWN, name: 'cockatiel', fn: caught(() => consecutive.execute(answer)) },
  {
    group: THROWN,
    name: 'opossum',
    fn: caught(() => opossum.fire()),
    teardown: () => opossum.shutdown(),
  },
];

/** No peer has a result in place of a rejection. */
export const results: readonly Bench[] = [
  {
    group: RESULT,
    name: 'floor',
    floor: true,
    fn: () => {
      const retryAfterMs = openUntil - performance.now();
      return retryAfterMs > 0 ? Promise.resolve({ ok: false, retryAfterMs }) : answer();
    },
  },
  withStack(RESULT),
  {
    group: RESULT,
    name: 'temper',
    aim: 0.06,
    against: 'an error with a stack',
    fn: () => temper.tryExecute(answer),
  },
];
