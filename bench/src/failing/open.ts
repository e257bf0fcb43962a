import { circuitBreaker } from '@temper/breaker';
import { pipeline, timeout } from '@temper/recovery';
import { retry } from '@temper/retry';
import * as cockatiel from 'cockatiel';
import CircuitBreaker from 'opossum';
import { cockatielPipeline } from '../recovery/peers.ts';
import { caught, failWith, refusal, rejectLater } from '../rejection.ts';
import { answer } from '../retry-floor.ts';
import type { Bench } from '../types.ts';

const OPEN_MS = 1e9;
const openUntil = performance.now() + OPEN_MS;
const down = failWith(Object.assign(new Error('Not Found'), { status: 503 }));

const WITH_STACK = 'open circuit, rejected by an error with a stack trace';

const withStack = circuitBreaker({ name: 'stack', openDurationMs: OPEN_MS, errorStack: true });
const peer = cockatiel.circuitBreaker(cockatiel.handleAll, {
  halfOpenAfter: OPEN_MS,
  breaker: new cockatiel.ConsecutiveBreaker(5),
});
const opossum = new CircuitBreaker(answer, { timeout: false, resetTimeout: 2 ** 31 - 1 });

async function openAll(...runs: readonly ((work: () => Promise<never>) => unknown)[]) {
  for (const run of runs) {
    for (let i = 0; i < 5; i++) await Promise.allSettled([run(down)]);
  }
}

/** Equal work: each error has a stack trace. */
export const openWithStack: readonly Bench[] = [
  {
    group: WITH_STACK,
    name: 'floor',
    floor: true,
    setup: () =>
      openAll(
        (work) => withStack.execute(work),
        (work) => peer.execute(work),
      ),
    fn: caught(async () => {
      if (performance.now() < openUntil) throw new Error('The circuit is open.');
      return answer();
    }),
  },
  {
    group: WITH_STACK,
    name: 'temper, errorStack',
    aim: 1,
    against: 'opossum',
    fn: caught(() => withStack.execute(answer)),
  },
  { group: WITH_STACK, name: 'cockatiel', fn: caught(() => peer.execute(answer)) },
  {
    group: WITH_STACK,
    name: 'opossum',
    setup: () => opossum.open(),
    fn: caught(() => opossum.fire()),
    teardown: () => opossum.shutdown(),
  },
];

const INSIDE = 'open circuit inside retry + breaker + timeout';
const TIMEOUT_MS = 5000;

const inside = pipeline(
  { name: 'inside' },
  retry({ name: 'inside', maxAttempts: 1 }),
  circuitBreaker({ name: 'inside', openDurationMs: OPEN_MS }),
  timeout({ name: 'inside', timeoutMs: TIMEOUT_MS }),
);
const cockatielStack = cockatielPipeline(TIMEOUT_MS, false);
const opossumStack = new CircuitBreaker(answer, {
  timeout: TIMEOUT_MS,
  resetTimeout: 2 ** 31 - 1,
});

/** The whole pipeline in one function: an open circuit is not worth another attempt. */
function insideFloor(work: () => Promise<number>): Promise<number> {
  const retryAfterMs = openUntil - performance.now();
  return retryAfterMs > 0 ? rejectLater(refusal('The circuit is open.', retryAfterMs)) : work();
}

/** opossum has no retry. */
export const openInside: readonly Bench[] = [
  {
    group: INSIDE,
    name: 'floor',
    floor: true,
    setup: () => openAll((work) => inside.execute(work)),
    fn: caught(() => insideFloor(answer)),
  },
  {
    group: INSIDE,
    name: 'temper',
    aim: 1,
    against: 'opossum, breaker and timeout',
    fn: caught(() => inside.execute(answer)),
  },
  {
    group: INSIDE,
    name: 'cockatiel, abortOnReturn: false',
    setup: () => openAll((work) => cockatielStack.execute(work)),
    fn: caught(() => cockatielStack.execute(answer)),
  },
  {
    group: INSIDE,
    name: 'opossum, breaker and timeout',
    setup: () => opossumStack.open(),
    fn: caught(() => opossumStack.fire()),
    teardown: () => opossumStack.shutdown(),
  },
];
