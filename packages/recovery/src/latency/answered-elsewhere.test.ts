import { circuitBreaker } from '@temper/breaker';
import type { Executor, Operation, Policy } from '@temper/core';
import { seededRandom } from '@temper/testkit';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { cached } from '../cached/cached.ts';
import { fallback } from '../fallback/fallback.ts';
import { hedge } from '../hedge/hedge.ts';
import { pipeline } from '../pipeline/pipeline.ts';
import { timeout } from '../timeout/timeout.ts';

const observed = { quantile: 0.95, maxMs: 800 };
const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });

/** Answers in place of an operation, with and without a reserve of time for that. */
const standIns: readonly [string, (clock: ManualClock) => readonly Executor[]][] = [
  ['fallback', (clock) => [fallback({ clock, handler: () => 'other' })]],
  [
    'fallback with a reserve',
    (clock) => [fallback({ clock, handler: () => 'other', reserveMs: 50 })],
  ],
  ['cached', (clock) => [cached({ clock, key: () => 'k', maxAgeMs: 30_000 })]],
  ['cached with a reserve', (clock) => [cached({ clock, key: () => 'k', reserveMs: 50 })]],
  [
    'two fallbacks with reserves',
    (clock) => [
      fallback({ clock, handler: () => 'other', reserveMs: 20 }),
      fallback({ clock, handler: () => 'another', reserveMs: 20 }),
    ],
  ],
  [
    'fallback and cached, with reserves',
    (clock) => [
      fallback({ clock, handler: () => 'other', reserveMs: 20 }),
      cached({ clock, key: () => 'k', reserveMs: 20 }),
    ],
  ],
  [
    'fallback in a shared run',
    (clock) => [
      cached({ clock, key: () => 'k', singleFlight: true, maxAgeMs: 0 }),
      fallback({ clock, handler: () => 'other' }),
    ],
  ],
];

/** Calls every 50 ms; the dependency answers after 30 ms, and is down from second 5 to second 15. */
async function liveThrough(
  outage: 'refuses' | 'hangs',
  around: (clock: ManualClock) => Executor,
  inside: (clock: ManualClock) => readonly Executor[],
): Promise<{ lastOwn: number; shortestMs: number }> {
  const clock = new ManualClock();
  const outer = around(clock);
  const breaker = circuitBreaker({ clock, openDurationMs: 1000 });
  const policy = pipeline({ clock }, outer, ...inside(clock), breaker);
  const start = clock.monotonic();
  const operation: Operation<string> = async ({ signal }) => {
    const at = clock.monotonic() - start;
    if (at < 5000 || at >= 15_000) return clock.sleep(30, signal).then(() => `own at ${at}`);
    if (outage === 'refuses') throw refused;
    return clock.sleep(60_000, signal).then(() => 'never');
  };
  let shortestMs = Number.POSITIVE_INFINITY;
  const outcomes: Promise<{ ok: boolean; value?: unknown }>[] = [];
  for (let i = 0; i < 800; i++) {
    outcomes.push(policy.tryExecute(operation, { timeoutMs: 1500 }));
    await clock.advance(50);
    const stats = (outer as Policy).stats() as { timeoutMs?: number; delayMs?: number };
    shortestMs = Math.min(shortestMs, stats.timeoutMs ?? stats.delayMs ?? 0);
  }
  await clock.advance(60_000);
  const late = (await Promise.all(outcomes)).slice(-200);
  const own = late.filter((one) => one.ok && String(one.value).startsWith('own at 3'));
  return { lastOwn: own.length, shortestMs };
}

describe.each(['refuses', 'hangs'] as const)(
  'after an outage in which the dependency %s',
  (outage) => {
    it.each(standIns)(
      'a timeout that follows the latencies lets the operation answer again behind %s',
      async (_, inside) => {
        const around = (clock: ManualClock) => timeout({ clock, timeoutMs: observed });
        const { lastOwn, shortestMs } = await liveThrough(outage, around, inside);
        expect(lastOwn).toBeGreaterThan(150);
        expect(shortestMs).toBeGreaterThan(25);
      },
    );

    it.each(standIns)(
      'a hedge does not take the answers of %s for quick ones',
      async (_, inside) => {
        const around = (clock: ManualClock) => hedge({ clock, delayMs: observed });
        const { lastOwn, shortestMs } = await liveThrough(outage, around, inside);
        expect(lastOwn).toBeGreaterThan(150);
        expect(shortestMs).toBeGreaterThan(25);
      },
    );
  },
);

it.each(standIns)(
  'a timeout that follows the latencies leaves the operation the time that it takes, behind %s',
  async (_, inside) => {
    const clock = new ManualClock();
    const random = seededRandom(1);
    const outer = timeout({ clock, timeoutMs: observed });
    const policy = pipeline({ clock }, outer, ...inside(clock));
    const answers: Promise<unknown>[] = [];
    const latencyMs = (): number => 50 + 30 * random();
    const operation: Operation<string> = ({ signal }) =>
      clock.sleep(latencyMs(), signal).then(() => 'own');
    for (let i = 0; i < 2000; i++) {
      answers.push(policy.tryExecute(operation));
      await clock.advance(200);
    }
    const own = (await Promise.all(answers)).filter(
      (one) => (one as { value?: unknown }).value === 'own',
    );
    expect(own.length / answers.length).toBeGreaterThan(0.8);
  },
);
