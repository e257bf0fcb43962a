import { concurrency, fixedWindow, gcra, slidingWindow, tokenBucket } from '@temper/ratelimit';
import { TokenBucket } from 'limiter';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { Bench } from '../types.ts';

const ASK = 'token bucket, one key, asked and let through';
const REFUSED = 'token bucket, one key, asked and refused';
const EXECUTE = 'rate limit around an async function, let through';
const PERMIT = 'bulkhead around an async function, let through';

const PLENTY = 1e12;
const plenty = { limit: PLENTY, windowMs: 1000 };

/** A minimal inline token bucket. */
function bucket(depth: number, perMs: number): () => boolean {
  const state = { tokens: depth, at: performance.now() };
  return () => {
    const now = performance.now();
    const tokens = Math.min(depth, state.tokens + (now - state.at) * perMs);
    state.at = now;
    if (tokens < 1) {
      state.tokens = tokens;
      return false;
    }
    state.tokens = tokens - 1;
    return true;
  };
}

function peer(full: boolean): TokenBucket {
  const limiter = new TokenBucket({
    bucketSize: full ? PLENTY : 1,
    tokensPerInterval: full ? PLENTY : 1e-6,
    interval: 1000,
  });
  limiter.content = full ? PLENTY : 0;
  return limiter;
}

const floorFull = bucket(PLENTY, PLENTY);
const floorEmpty = bucket(1, 1e-12);
floorEmpty();
const full = tokenBucket({ ...plenty, burst: PLENTY });
const fullGcra = gcra({ ...plenty, burst: PLENTY });
const fullSliding = slidingWindow(plenty);
const fullFixed = fixedWindow(plenty);
const empty = tokenBucket({ limit: 1e-6, burst: 1, maxQueue: 0 });
empty.tryAcquire();
const limiterFull = peer(true);
const limiterEmpty = peer(false);
const flexible = new RateLimiterMemory({ points: Number.MAX_SAFE_INTEGER, duration: 3600 });
const flexibleEmpty = new RateLimiterMemory({ points: 1, duration: 3600 });

/** Synchronous acquisition. rate-limiter-flexible is asynchronous only. */
export const asked: readonly Bench[] = [
  { group: ASK, name: 'floor', floor: true, fn: floorFull },
  { group: ASK, name: 'temper', aim: 1.1, fn: () => full.tryAcquire() },
  { group: ASK, name: 'temper, gcra', fn: () => fullGcra.tryAcquire() },
  { group: ASK, name: 'temper, fixed window', fn: () => fullFixed.tryAcquire() },
  { group: ASK, name: 'temper, sliding window', fn: () => fullSliding.tryAcquire() },
  { group: ASK, name: 'limiter', fn: () => limiterFull.tryRemoveTokens(1) },
  { group: ASK, name: 'rate-limiter-flexible', fn: () => flexible.consume('key') },
];

export const refused: readonly Bench[] = [
  { group: REFUSED, name: 'floor', floor: true, fn: floorEmpty },
  { group: REFUSED, name: 'temper', aim: 1.3, fn: () => empty.tryAcquire() },
  { group: REFUSED, name: 'limiter', fn: () => limiterEmpty.tryRemoveTokens(1) },
  {
    group: REFUSED,
    name: 'rate-limiter-flexible',
    fn: () => flexibleEmpty.consume('key', 2).catch(() => undefined),
  },
];

const answer = async (): Promise<number> => 1;
const floorRun = bucket(PLENTY, PLENTY);
const runner = tokenBucket({ ...plenty, burst: PLENTY });
const limited = peer(true);

export const around: readonly Bench[] = [
  {
    group: EXECUTE,
    name: 'floor',
    floor: true,
    fn: () => (floorRun() ? answer() : Promise.reject(new Error('The limit is used up.'))),
  },
  { group: EXECUTE, name: 'temper', aim: 1.3, fn: () => runner.execute(answer) },
  {
    group: EXECUTE,
    name: 'limiter',
    fn: async () => {
      await limited.removeTokens(1);
      return answer();
    },
  },
  {
    group: EXECUTE,
    name: 'rate-limiter-flexible',
    fn: async () => {
      await flexible.consume('key');
      return answer();
    },
  },
];

let inFlight = 0;
const permits = concurrency({ limit: 100 });

export const permitted: readonly Bench[] = [
  {
    group: PERMIT,
    name: 'floor',
    floor: true,
    fn: async () => {
      if (inFlight >= 100) throw new Error('Too many at a time.');
      inFlight++;
      try {
        return await answer();
      } finally {
        inFlight--;
      }
    },
  },
  { group: PERMIT, name: 'temper', aim: 1.3, fn: () => permits.execute(answer) },
];
