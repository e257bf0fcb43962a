import { retry } from '@temper/retry';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { fallback, pipeline } from '../../src/index.ts';
import { KIND_NAMES, KINDS, transient } from './catalogue.ts';

/** Policies between two retries, by what they make of an error: themselves, or an error around it. */
const BETWEEN = {
  ...KINDS,
  fallback: (clock: ManualClock) =>
    fallback({
      clock,
      handler: () => {
        throw transient('nor this');
      },
    }),
};

describe.each(KIND_NAMES)('a retry around %s around a retry', (kind) => {
  // Another attempt of a hedge is its own choice: it repeats the retries inside once.
  const expected = kind === 'hedge' ? 6 : 3;

  it('makes no more attempts, in a pipeline', async () => {
    const clock = new ManualClock();
    const options = { clock, initialDelayMs: 1, jitter: 'none' } as const;
    const [outer, inner] = [retry({ ...options, name: 'outer' }), retry(options)];
    const policy = pipeline({ clock }, outer, BETWEEN[kind](clock), inner);
    let attempts = 0;
    const outcome = policy.tryExecute(() => {
      attempts++;
      throw transient('down');
    });
    expect((await clock.runUntil(outcome)).ok).toBe(false);
    expect(attempts).toBe(expected);
    expect(outer.stats().retries).toBe(0);
  });

  it('makes no more attempts, called by hand', async () => {
    const clock = new ManualClock();
    const options = { clock, initialDelayMs: 1, jitter: 'none' } as const;
    const [outer, inner] = [retry({ ...options, name: 'outer' }), retry(options)];
    const between = BETWEEN[kind](clock);
    let attempts = 0;
    const operation = async (): Promise<never> => {
      attempts++;
      throw transient('down');
    };
    const outcome = outer.tryExecute(() => between.execute(() => inner.execute(operation)));
    expect((await clock.runUntil(outcome)).ok).toBe(false);
    expect(attempts).toBe(expected);
    expect(outer.stats().retries).toBe(0);
  });
});
