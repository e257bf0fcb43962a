import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { circuitBreaker } from './circuit-breaker.ts';
import type { CircuitBreaker } from './contract.ts';
import type { CircuitBreakerOptions } from './options.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

async function settledHeap(): Promise<number> {
  for (let i = 0; i < 2; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const COUNT = 10_000;
// Garbage collection takes long.
vi.setConfig({ testTimeout: 60_000 });

describe('ten thousand idle breakers', () => {
  it.each<[string, CircuitBreakerOptions]>([
    ['that count failures in a row', {}],
    ['with a window of calls', { window: { calls: 100 } }],
    ['with a window of time', { window: { durationMs: 60_000 }, slowCallDurationMs: 1000 }],
  ])('%s need no timer and less than 1 KB each', async (_kind, options) => {
    const clock = new ManualClock();
    const make = (): CircuitBreaker[] =>
      Array.from({ length: COUNT }, (_, i) =>
        circuitBreaker({ name: `breaker-${i}`, clock, ...options }),
      );
    make(); // what the process keeps once, whichever test is the first
    const before = await settledHeap();
    const breakers = make();
    const bytes = ((await settledHeap()) - before) / COUNT;
    expect(breakers).toHaveLength(COUNT);
    expect(bytes).toBeLessThan(1024);
    expect(clock.pending).toBe(0);
  });

  it('are garbage collected although their levels are observed', async () => {
    const clock = new ManualClock();
    const ref = ((): WeakRef<CircuitBreaker> => new WeakRef(circuitBreaker({ clock })))();
    await settledHeap();
    expect(ref.deref()).toBeUndefined();
  });

  it('leave no memory behind when many are created and dropped', async () => {
    const clock = new ManualClock();
    const moment = (): void => {
      for (let i = 0; i < 5000; i++) circuitBreaker({ clock });
    };
    moment();
    const before = await settledHeap();
    for (let i = 0; i < 8; i++) {
      moment(); // creating new ones removes the references to the old ones
      await settledHeap();
    }
    expect((await settledHeap()) - before).toBeLessThan(1_000_000);
  });
});
