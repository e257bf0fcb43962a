import { circuitBreaker } from '@temper/breaker';
import * as cockatiel from 'cockatiel';
import CircuitBreaker from 'opossum';
import { answer } from '../retry-floor.ts';
import type { Bench } from '../types.ts';

const group = 'breaker open, rejection caught';

const fail = async (): Promise<never> => {
  throw new Error('The dependency is down.');
};

/** Awaits and catches a rejection, as a caller does. */
const caught = (reject: () => Promise<unknown>) => async (): Promise<unknown> => {
  try {
    return await reject();
  } catch (error) {
    return error;
  }
};

const prebuilt = new Error('The circuit is open.');
const temper = circuitBreaker({ name: 'open', openDurationMs: 1e9 });
const temperWithStack = circuitBreaker({ name: 'stack', openDurationMs: 1e9, errorStack: true });
const consecutive = cockatiel.circuitBreaker(cockatiel.handleAll, {
  halfOpenAfter: 1e9,
  breaker: new cockatiel.ConsecutiveBreaker(5),
});
const opossum = new CircuitBreaker(answer, { timeout: false, resetTimeout: 2 ** 31 - 1 });

async function open(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await Promise.allSettled([
      temper.execute(fail),
      temperWithStack.execute(fail),
      consecutive.execute(fail),
    ]);
  }
  opossum.open();
}

export const openRows: readonly Bench[] = [
  {
    group,
    name: 'floor: throw new Error',
    floor: true,
    setup: open,
    fn: caught(async () => {
      throw new Error('The circuit is open.');
    }),
  },
  {
    group,
    name: 'floor: a prebuilt error',
    fn: caught(async () => {
      throw prebuilt;
    }),
  },
  { group, name: 'floor: a result', fn: async () => ({ ok: false, error: prebuilt }) },
  {
    group,
    name: 'temper',
    aim: 0.3,
    fn: caught(() => temper.execute(answer)),
  },
  { group, name: 'temper, with a stack', fn: caught(() => temperWithStack.execute(answer)) },
  { group, name: 'temper, tryExecute', aim: 0.06, fn: () => temper.tryExecute(answer) },
  { group, name: 'cockatiel', fn: caught(() => consecutive.execute(answer)) },
  {
    group,
    name: 'opossum',
    fn: caught(() => opossum.fire()),
    teardown: () => opossum.shutdown(),
  },
];
