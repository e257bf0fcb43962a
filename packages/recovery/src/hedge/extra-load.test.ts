import type { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { busy, make } from '../../test/hedged.ts';
import { hedge } from './hedge.ts';
import type { HedgeOptions } from './options.ts';

/** Makes so many calls of a hedge, one each 50 ms; returns how often the operation was called. */
async function demand(
  calls: number,
  options: HedgeOptions,
  operation: (clock: ManualClock) => Promise<unknown>,
): Promise<number> {
  const { clock, policy } = make(options);
  let made = 0;
  const all: Promise<unknown>[] = [];
  for (let i = 0; i < calls; i++) {
    all.push(
      policy.tryExecute(() => {
        made++;
        return operation(clock);
      }),
    );
    await clock.advance(50);
  }
  await clock.advance(60_000);
  await Promise.all(all);
  return made;
}

const fails = async (clock: ManualClock): Promise<never> => {
  await clock.sleep(5);
  throw busy();
};
const isSlow = (clock: ManualClock): Promise<void> => clock.sleep(500);

describe('the load that a hedge adds by default', () => {
  it('is a burst of ten and one each ten seconds while the dependency fails', async () => {
    const made = await demand(1000, {}, fails);
    expect(made).toBe(1000 + 10 + 4); // in less than 50 seconds
  });

  it('is a tenth of the calls while the dependency is slow', async () => {
    const made = await demand(1000, {}, isSlow);
    expect(made).toBeGreaterThan(1000 + 90);
    expect(made).toBeLessThan(1000 + 120);
  });

  it.each([3, 10, 100])('does not depend on maxAttempts, such as %d', async (maxAttempts) => {
    expect(await demand(400, { maxAttempts }, fails)).toBe(400 + 10 + 1); // in less than 20 seconds
  });

  it('is one attempt each ten seconds where calls are rare', async () => {
    const { clock, policy } = make();
    for (let i = 0; i < 100; i++) {
      await clock.runUntil(policy.tryExecute(() => fails(clock)));
      await clock.advance(20_000);
    }
    expect(policy.stats()).toMatchObject({ hedges: 100, refused: 0 });
  });

  it('can be set to another share of the calls that are answered', async () => {
    expect(await demand(400, { maxExtraLoad: 0.5 }, isSlow)).toBeGreaterThan(590);
    expect(await demand(400, { maxExtraLoad: 0.01 }, isSlow)).toBeLessThan(418);
    expect(await demand(400, { maxExtraLoad: 1e-300 }, isSlow)).toBe(411);
    expect(await demand(400, { maxExtraLoad: 1e300 }, isSlow)).toBe(800);
    expect(await demand(400, { maxExtraLoad: Number.POSITIVE_INFINITY }, fails)).toBe(800);
  });

  it('is that of the budget, where there is one', async () => {
    const budget = { deposit: () => {}, withdraw: () => true };
    expect(await demand(400, { budget, maxExtraLoad: 0.01 }, fails)).toBe(800);
  });

  it.each([0, -1, Number.NaN])('cannot be %d', (maxExtraLoad) => {
    expect(() => hedge({ maxExtraLoad })).toThrow('hedge: maxExtraLoad must be a number > 0');
  });
});

describe('the number of a hedged attempt', () => {
  it('is known to its operation, which can go elsewhere by it', async () => {
    const { clock, policy } = make({ maxAttempts: 3 });
    const replicas = ['first', 'second', 'third'];
    const asked: (string | undefined)[] = [];
    const answer = await clock.runUntil(
      policy.execute(async ({ hedge: number, signal }) => {
        const replica = replicas[number - 1];
        asked.push(replica);
        await clock.sleep(replica === 'third' ? 10 : 10_000, signal);
        return replica;
      }),
    );
    expect(answer).toBe('third');
    expect(asked).toEqual(replicas);
  });
});
