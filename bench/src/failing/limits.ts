import { concurrency, tokenBucket } from '@temper/ratelimit';
import * as cockatiel from 'cockatiel';
import pLimit from 'p-limit';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { atOnce, caught, rejectLater } from '../rejection.ts';
import { answer } from '../retry-floor.ts';
import type { Bench } from '../types.ts';

const REFUSED = 'rate limit around an async function, refused';
const DAY_MS = 86_400_000;

/** A token bucket of one token per day, which is used up. */
const state = { tokens: 0, at: performance.now() };
function limitFloor(work: () => Promise<number>): Promise<number> {
  const now = performance.now();
  const tokens = Math.min(1, state.tokens + (now - state.at) / DAY_MS);
  state.at = now;
  if (tokens < 1) {
    state.tokens = tokens;
    // As in rate-limiter-flexible, which needs no error for it.
    return rejectLater({ remaining: 0, retryAfterMs: (1 - tokens) * DAY_MS });
  }
  state.tokens = tokens - 1;
  return work();
}

const limited = tokenBucket({ name: 'empty', limit: 1, windowMs: DAY_MS, burst: 1, maxQueue: 0 });
const flexible = new RateLimiterMemory({ points: 1, duration: DAY_MS / 1000 });

export const refused: readonly Bench[] = [
  {
    group: REFUSED,
    name: 'floor',
    floor: true,
    setup: async () => {
      limited.tryAcquire();
      await flexible.consume('key');
    },
    fn: caught(() => limitFloor(answer)),
  },
  {
    group: REFUSED,
    name: 'temper',
    aim: 1,
    against: 'rate-limiter-flexible',
    fn: caught(() => limited.execute(answer)),
  },
  {
    group: REFUSED,
    name: 'rate-limiter-flexible',
    fn: caught(async () => {
      await flexible.consume('key');
      return answer();
    }),
  },
];

const CALLS = 1000;
const PLACES = 10;
const QUEUED = 'bulkhead: 1 000 calls at once through 10 places';

/** Minimal bulkhead: whoever ends hands its place on. */
function bulkhead(limit: number): (work: () => Promise<number>) => Promise<number> {
  let running = 0;
  let waiting: (() => void)[] = [];
  let head = 0;
  return async (work) => {
    if (running < limit) running++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting[head];
      if (next === undefined) {
        running--;
        waiting = [];
        head = 0;
      } else {
        head++;
        next();
      }
    }
  };
}

const minimal = bulkhead(PLACES);
const places = concurrency({ name: 'places', limit: PLACES, maxQueue: CALLS });
const peer = cockatiel.bulkhead(PLACES, CALLS);
const limit = pLimit(PLACES);

export const queued: readonly Bench[] = [
  { group: QUEUED, name: 'floor', floor: true, run: () => minimal(answer) },
  {
    group: QUEUED,
    name: 'temper',
    aim: 1,
    against: 'cockatiel',
    run: () => places.execute(answer),
  },
  { group: QUEUED, name: 'cockatiel', run: () => peer.execute(answer) },
  { group: QUEUED, name: 'p-limit', run: () => limit(answer) },
].map(({ run, ...row }) => ({ ...row, operations: CALLS, fn: atOnce(CALLS, run) }));
