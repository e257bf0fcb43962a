import { circuitBreaker } from '@temper/breaker';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { cached } from '../../src/index.ts';
import { recover } from '../../src/plan/index.ts';
import { KIND_NAMES, KINDS, transient } from './catalogue.ts';

// Whatever method an async generator function is given to, the result is the guarded generator at once, and
// the call begins with its first `next()`.

async function* two(): AsyncGenerator<number> {
  yield 1;
  yield 2;
}

const collect = async (items: AsyncIterable<unknown>): Promise<unknown[]> => {
  const seen: unknown[] = [];
  for await (const item of items) seen.push(item);
  return seen;
};

describe('tryExecute', () => {
  it.each(KIND_NAMES)('of %s returns the generator as a value', async (kind) => {
    const clock = new ManualClock();
    const outcome = await KINDS[kind](clock).tryExecute(two);
    if (!outcome.ok) throw outcome.error;
    expect(await clock.runUntil(collect(outcome.value))).toEqual([1, 2]);
  });

  it.each([
    ['without options', undefined],
    ['with options', { operation: 'list' }],
  ])('of an open circuit does so too, and the first item is rejected, %s', async (_, options) => {
    const clock = new ManualClock();
    const breaker = circuitBreaker({ clock, openDurationMs: 1000 });
    breaker.forceOpen();
    const outcome = await breaker.tryExecute(two, options);
    expect(breaker.stats().calls.rejected).toBe(0);
    if (!outcome.ok) throw outcome.error;
    await expect(outcome.value.next()).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect(breaker.stats().calls.rejected).toBe(1);

    const later = await breaker.tryExecute(two, options);
    await clock.advance(1000);
    if (!later.ok) throw later.error;
    expect(await collect(later.value)).toEqual([1, 2]);
    expect(breaker.stats().trials.successes).toBe(1);
  });
});

describe('answer', () => {
  it('returns the generator as what the operation has given', async () => {
    const { value, source, ageMs } = await cached({ freshMs: 1000 }).answer(two, { key: 'k' });
    expect([source, ageMs]).toEqual(['call', 0]);
    expect(await collect(value)).toEqual([1, 2]);
  });
});

describe('a recovery', () => {
  it('counts an iteration when it has ended, as what it has ended with', async () => {
    const clock = new ManualClock();
    const list = recover({ operation: 'list', strategy: 'retry' }, { clock });
    const good = await list.run(two);
    expect(list.stats().executions.success).toBe(0);
    expect(await clock.runUntil(collect(good))).toEqual([1, 2]);
    expect(list.stats().executions).toMatchObject({ success: 1, failure: 0 });

    const broken = await list.run(async function* () {
      yield 1;
      throw transient('cut');
    });
    await expect(clock.runUntil(collect(broken))).rejects.toThrow('cut');
    expect(list.stats()).toMatchObject({ executions: { success: 1, failure: 1 }, inFlight: 0 });
    expect(list.history().at(-1)).toMatchObject({ outcome: 'failure', attempts: 1 });
  });

  it('makes further attempts before the first item, and answers with a fallback', async () => {
    const clock = new ManualClock();
    let attempts = 0;
    const flaky = async function* (): AsyncGenerator<number> {
      if (++attempts < 3) throw transient('reset');
      yield attempts;
    };
    const list = recover({ operation: 'list', strategy: 'retry' }, { clock });
    expect(await clock.runUntil(collect(await list.run(flaky)))).toEqual([3]);
    expect(list.stats().executions.recovered).toBe(1);

    const down = async function* (): AsyncGenerator<number> {
      yield* [];
      throw transient('down');
    };
    const plan = { operation: 'list', strategy: 'fallback', fallback: () => [7, 8] } as const;
    const answered = recover(plan, { clock });
    expect(await clock.runUntil(collect(await answered.run(down)))).toEqual([7, 8]);
    expect(answered.stats().executions.recovered).toBe(1);
  });
});
