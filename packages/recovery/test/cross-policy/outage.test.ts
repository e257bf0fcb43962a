import { circuitBreaker } from '@temper/breaker';
import type { Executor } from '@temper/core';
import { concurrency, tokenBucket } from '@temper/ratelimit';
import { retry } from '@temper/retry';
import { seededRandom } from '@temper/testkit';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { hedge, pipeline, timeout } from '../../src/index.ts';

const STEP_MS = 50;

/** The share of calls that succeed before, during and after an outage, one call each 50 ms. */
async function goodput(
  clock: ManualClock,
  policy: Executor,
  dependency: {
    readonly latencyMs: () => number;
    readonly outage: (signal: AbortSignal) => unknown;
  },
) {
  let down = false;
  const operation = async ({ signal }: { signal: AbortSignal }): Promise<unknown> => {
    if (down) return dependency.outage(signal);
    await clock.sleep(dependency.latencyMs(), signal);
    return 'answer';
  };
  const phase = async (seconds: number): Promise<number> => {
    const calls: Promise<number>[] = [];
    const run = async (): Promise<number> => {
      try {
        await policy.execute(operation);
        return 1;
      } catch {
        return 0;
      }
    };
    for (let ms = 0; ms < seconds * 1000; ms += STEP_MS) {
      calls.push(run());
      await clock.advance(STEP_MS);
    }
    await clock.advance(5000); // until the last ones have ended
    const ended = await Promise.all(calls);
    return ended.reduce((sum, ok) => sum + ok, 0) / ended.length;
  };
  const before = await phase(20);
  down = true;
  const during = await phase(20);
  down = false;
  const settling = await phase(10);
  const after = await phase(60);
  return { before, during, settling, after };
}

const refuse = (clock: ManualClock) => async (signal: AbortSignal) => {
  await clock.sleep(5, signal);
  throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
};
const hang = (clock: ManualClock) => (signal: AbortSignal) => clock.sleep(600_000, signal);

const PIPELINES: Readonly<Record<string, (clock: ManualClock) => Executor>> = {
  'hedge > breaker': (clock) =>
    pipeline(
      { clock },
      hedge({ clock, delayMs: 50 }),
      circuitBreaker({ clock, openDurationMs: 5000 }),
    ),
  'hedge > breaker > timeout': (clock) =>
    pipeline(
      { clock },
      hedge({ clock, delayMs: 50 }),
      circuitBreaker({ clock, openDurationMs: 5000 }),
      timeout({ clock, timeoutMs: 1000 }),
    ),
  'breaker > limit > timeout': (clock) =>
    pipeline(
      { clock },
      circuitBreaker({ clock, openDurationMs: 5000 }),
      concurrency({ clock, limit: 50 }),
      tokenBucket({ clock, limit: 100, windowMs: 1000 }),
      timeout({ clock, timeoutMs: 1000 }),
    ),
  'timeout > retry > hedge > breaker': (clock) =>
    pipeline(
      { clock },
      timeout({ clock, timeoutMs: 3000 }),
      retry({ clock, random: seededRandom(1) }),
      hedge({ clock, delayMs: 50 }),
      circuitBreaker({ clock, openDurationMs: 5000 }),
    ),
  'timeout that follows the latencies': (clock) =>
    timeout({ clock, timeoutMs: { quantile: 0.99, factor: 2, maxMs: 1000 } }),
};

describe.each(Object.entries(PIPELINES))('%s', (kind, build) => {
  it.each([
    ['refuses at once, healthy at 30 ms', 30, refuse],
    ['refuses at once, healthy at 80 ms', 80, refuse],
    ['hangs, healthy at 80 ms', 80, hang],
  ])('recovers from an outage of 20 s of a dependency that %s', async (_, latencyMs, outage) => {
    if (outage === hang && !kind.includes('timeout')) return expect(outage).toBe(hang);
    const clock = new ManualClock();
    const random = seededRandom(3);
    const { before, during, settling, after } = await goodput(clock, build(clock), {
      latencyMs: () => latencyMs * (0.95 + 0.1 * random()),
      outage: outage(clock),
    });
    expect(before).toBeGreaterThan(0.99);
    expect(during).toBeLessThan(0.05);
    expect(settling).toBeGreaterThan(0.4);
    return expect(after).toBeGreaterThan(0.99);
  });
});

describe('a timeout that follows the latencies', () => {
  it('recovers when the latency triples for good', async () => {
    const clock = new ManualClock();
    const random = seededRandom(3);
    const policy = timeout({ clock, timeoutMs: { quantile: 0.95, maxMs: 1000 } });
    let latencyMs = 21;
    const dependency = {
      latencyMs: () => latencyMs + random(),
      outage: refuse(clock),
    };
    await goodput(clock, policy, dependency);
    latencyMs = 70;
    const { after } = await goodput(clock, policy, dependency);
    expect(after).toBeGreaterThan(0.94);
  });
});
