import { circuitBreaker } from '@temper/breaker';
import { tokenBucket } from '@temper/ratelimit';
import { retry } from '@temper/retry';
import { describe, expect, it } from 'vitest';
import { cached, fallback, hedge, pipeline, timeout } from '../../src/index.ts';
import { watchedSignal } from './catalogue.ts';

describe('a million calls on one long-lived signal', () => {
  it('leave no listener on it, although every operation reads its own', async () => {
    const standard = pipeline({}, retry(), circuitBreaker(), timeout({ timeoutMs: 60_000 }));
    const everything = pipeline(
      {},
      fallback({ handler: () => 0 }),
      cached({ key: () => 'all' }),
      tokenBucket({ limit: 1e9, windowMs: 1000, burst: 1e9 }),
      standard,
      hedge({ delayMs: 60_000 }),
    );
    const watched = watchedSignal();
    const { signal } = watched;
    const read = async (context: { readonly signal: AbortSignal }): Promise<boolean> =>
      context.signal.aborted;
    let most = 0;
    for (let batch = 0; batch < 10_000; batch++) {
      const policy = batch % 10 === 0 ? everything : standard;
      await Promise.all(Array.from({ length: 100 }, () => policy.execute(read, { signal })));
      most = Math.max(most, watched.listeners());
    }
    expect(most).toBe(0);
    watched.abort('at last');
    await expect(standard.execute(read, { signal })).rejects.toBe('at last');
  }, 120_000);
});
