import { circuitBreaker } from '@temper/breaker';
import { pipeline, timeout } from '@temper/recovery';
import { retry } from '@temper/retry';
import { bytesEachUsed } from '../memory.ts';
import { fused } from '../recovery/floor.ts';
import { cockatielPipeline } from '../recovery/peers.ts';
import { failWith, refused } from '../rejection.ts';
import { answer } from '../retry-floor.ts';
import type { Measure } from '../types.ts';

const COUNT = 2000;
const TIMEOUT_MS = 5000;
const group = 'retry + breaker + timeout after a success and a failure';

type Run = (work: () => Promise<number>) => Promise<unknown>;

/** Bytes of what `make` returns after a call that succeeds and one of which every attempt fails. */
const used = (make: (index: number) => Run) => () =>
  bytesEachUsed(COUNT, make, async (run) => {
    await run(answer);
    await run(failWith(refused)).catch(() => undefined);
  });

const standard = (name: string): Run => {
  const policy = pipeline(
    { name },
    retry({ name }),
    circuitBreaker({ name }),
    timeout({ name, timeoutMs: TIMEOUT_MS }),
  );
  return (work) => policy.execute(work);
};

function peer(): Run {
  const policy = cockatielPipeline(TIMEOUT_MS, false);
  return (work) => policy.execute(work);
}

export const usedStacks: readonly Measure[] = [
  { group, name: 'floor', unit: 'bytes each', measure: used(() => fused(TIMEOUT_MS)) },
  {
    group,
    name: 'temper',
    unit: 'bytes each',
    aim: 1,
    against: 'cockatiel',
    measure: used((index) => standard(`used-${index}`)),
  },
  {
    group,
    name: 'temper, of one name',
    unit: 'bytes each',
    aim: 1,
    against: 'cockatiel',
    measure: used(() => standard('used')),
  },
  { group, name: 'cockatiel', unit: 'bytes each', measure: used(peer) },
];
