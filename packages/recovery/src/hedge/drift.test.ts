import { ManualClock, seededRandom } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { hedge } from './hedge.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Log-normal around a median: one call of twenty takes 1.6 times as long. */
function around(medianMs: number, random: () => number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return medianMs * Math.exp(0.3 * normal);
}

interface Drift {
  /** The median latency, in milliseconds. */
  readonly median: (atMs: number, random: () => number) => number;
  readonly forMs: number;
  /** Most that the delay may be away from the true 95th percentile at the end, as a factor. */
  readonly within: number;
}

const DRIFTS: Readonly<Record<string, Drift>> = {
  'doubles within an hour': {
    median: (at) => 50 * 2 ** Math.min(1, at / HOUR),
    forMs: 1.5 * HOUR,
    within: 1.35,
  },
  'halves within an hour': {
    median: (at) => 100 * 0.5 ** Math.min(1, at / HOUR),
    forMs: 1.5 * HOUR,
    within: 1.35,
  },
  'rises and falls in waves of three hours': {
    median: (at) => 60 * (1 + 0.5 * Math.sin((2 * Math.PI * at) / (3 * HOUR))),
    forMs: 3 * HOUR,
    within: 1.35,
  },
  'has two modes, of which the slow one grows': {
    median: (at, random) => (random() < 0.02 + 0.1 * Math.min(1, at / HOUR) ? 400 : 40),
    forMs: 1.5 * HOUR,
    within: 1.6,
  },
};

const QUANTILE = 0.95;
const EVERY_MS = 250;

/** The 95th percentile of the latencies of one attempt at a moment, from draws. */
function trueQuantile({ median }: Drift, atMs: number, random: () => number): number {
  const draws = Array.from({ length: 4000 }, () => around(median(atMs, random), random));
  return draws.sort((a, b) => a - b)[QUANTILE * draws.length] as number;
}

/** Four calls a second, in virtual time. */
async function run(drift: Drift, seed: number) {
  const clock = new ManualClock();
  const random = seededRandom(seed);
  const policy = hedge({ clock, delayMs: { quantile: QUANTILE, maxMs: 2000 } });
  let calls = 0;
  let attempts = 0;
  const pending: Promise<unknown>[] = [];
  const shares: number[] = [];
  let atHour = { calls: 0, attempts: 0 };
  for (let at = 0; at < drift.forMs; at += EVERY_MS) {
    calls++;
    pending.push(
      policy.execute(async ({ signal }) => {
        attempts++;
        await clock.sleep(around(drift.median(at, random), random), signal);
      }),
    );
    await clock.advance(EVERY_MS);
    if (calls - atHour.calls >= 1000) {
      shares.push((attempts - atHour.attempts) / (calls - atHour.calls) - 1);
      atHour = { calls, attempts };
    }
  }
  const expectedMs = trueQuantile(drift, drift.forMs, random);
  const delayMs = policy.stats().delayMs as number;
  await clock.advance(MINUTE);
  await Promise.all(pending);
  return { added: attempts / calls - 1, worst: Math.max(...shares), delayMs, expectedMs };
}

describe.each(Object.entries(DRIFTS))('a hedge whose dependency %s', (_, drift) => {
  it.each([1, 2])('adds at most a tenth, and its delay follows, seed %d', async (seed) => {
    const { added, worst, delayMs, expectedMs } = await run(drift, seed);
    expect(added).toBeLessThanOrEqual(0.1);
    // Ten attempts at once beside the tenth, in a thousand calls.
    expect(worst).toBeLessThanOrEqual(0.11);
    expect(delayMs).toBeGreaterThan(expectedMs / drift.within);
    expect(delayMs).toBeLessThan(expectedMs * drift.within);
  });
});
