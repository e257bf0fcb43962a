import { retry } from '@temper/retry';
import { answer, retryFloor } from '../retry-floor.ts';
import type { Bench } from '../types.ts';

const group = 'retry among ten thousand others, after a million calls';

const others = Array.from({ length: 10_000 }, (_, index) => retry({ name: `other-${index}` }));
const policy = retry({ name: 'bench' });

async function callAll(): Promise<void> {
  for (let call = 0; call < 1_000_000; call++) await others[call % others.length]?.execute(answer);
}

/** The cost of a call does not grow with the number of policies or of calls. */
export const amongMany: readonly Bench[] = [
  { group, name: 'floor', floor: true, fn: () => retryFloor(answer) },
  { group, name: 'temper', aim: 1.15, setup: callAll, fn: () => policy.execute(answer) },
];
