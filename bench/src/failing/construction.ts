import { circuitBreaker } from '@temper/breaker';
import { pipeline, timeout } from '@temper/recovery';
import { retry } from '@temper/retry';
import { fusedWithSharedTimer } from '../recovery/floor.ts';
import { cockatielPipeline } from '../recovery/peers.ts';
import { answer } from '../retry-floor.ts';
import type { Bench } from '../types.ts';

const TIMEOUT_MS = 5000;
const standard = () =>
  pipeline(
    { name: 'made' },
    retry({ name: 'made' }),
    circuitBreaker({ name: 'made' }),
    timeout({ name: 'made', timeoutMs: TIMEOUT_MS }),
  );

const MADE = 'retry + breaker + timeout: made';

/** Nothing is called. */
export const made: readonly Bench[] = [
  { group: MADE, name: 'floor', floor: true, fn: () => fusedWithSharedTimer(TIMEOUT_MS) },
  { group: MADE, name: 'temper', aim: 1, against: 'cockatiel', fn: standard },
  { group: MADE, name: 'cockatiel', fn: () => cockatielPipeline(TIMEOUT_MS, false) },
];

const CALLED = 'retry + breaker + timeout: made and called once';

export const madeAndCalled: readonly Bench[] = [
  {
    group: CALLED,
    name: 'floor',
    floor: true,
    fn: () => fusedWithSharedTimer(TIMEOUT_MS)(answer),
  },
  {
    group: CALLED,
    name: 'temper',
    aim: 1,
    against: 'cockatiel, abortOnReturn: false',
    fn: () => standard().execute(answer),
  },
  {
    group: CALLED,
    name: 'cockatiel, abortOnReturn: false',
    fn: () => cockatielPipeline(TIMEOUT_MS, false).execute(answer),
  },
];
