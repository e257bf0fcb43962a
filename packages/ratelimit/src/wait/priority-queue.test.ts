import { PRIORITIES } from '@temper/core/policy';
import { settle } from '@temper/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adaptiveConcurrency } from '../adaptive/adaptive-concurrency.ts';
import { concurrency } from '../limiters/concurrency.ts';
import { MemoryRateLimitStore } from '../shared/memory-store.ts';
import { sharedConcurrency } from '../shared/shared-concurrency.ts';
import { priorityQueue } from './priority-queue.ts';

type Priority = (typeof PRIORITIES)[number];

/** Lets calls wait behind one that runs, and serves them one by one. @returns whose turn came when */
async function served(waiting: readonly Priority[], maxQueue = 1000): Promise<Priority[]> {
  const limiter = concurrency({ limit: 1, maxQueue, queue: priorityQueue() });
  const turns: Priority[] = [];
  const held = limiter.tryAcquire();
  const calls = waiting.map((priority) =>
    limiter
      .execute(
        async () => {
          turns.push(priority);
        },
        { priority },
      )
      .catch(() => undefined),
  );
  await settle();
  held?.release();
  await Promise.all(calls);
  return turns;
}

const times = (count: number, priority: Priority): Priority[] => Array(count).fill(priority);

describe('priorityQueue', () => {
  it('serves four calls of a priority for each one of the next below', async () => {
    const turns = await served([...times(100, 'sheddable-plus'), ...times(100, 'critical')]);
    expect(turns.slice(0, 100).filter((one) => one === 'critical').length).toBe(80);
  });

  it('lets no priority starve, whoever else waits', async () => {
    const priority = fc.constantFrom<Priority>(...PRIORITIES);
    await fc.assert(
      fc.asyncProperty(fc.array(priority, { maxLength: 300 }), async (others) => {
        const turns = await served(['sheddable', ...others]);
        expect(turns.length).toBe(others.length + 1);
        expect(turns.indexOf('sheddable')).toBeLessThan(85);
      }),
      { numRuns: 30 },
    );
  });

  it('lets a more important call take the place of a less important one in a full queue', async () => {
    const turns = await served([...times(10, 'sheddable'), ...times(5, 'critical-plus')], 10);
    expect(turns.filter((one) => one === 'critical-plus').length).toBe(5);
    expect(turns.length).toBe(10);
  });

  it('orders calls by hand and of an adaptive limit, and takes those without a priority for critical', async () => {
    const limiter = adaptiveConcurrency({
      initialLimit: 1,
      maxLimit: 1,
      queue: priorityQueue(),
    });
    const held = limiter.tryAcquire();
    const turns: string[] = [];
    const wait = async (name: string, priority?: Priority): Promise<void> => {
      const lease = await limiter.acquire(priority === undefined ? {} : { priority });
      turns.push(name);
      lease.ignore();
    };
    const all = [wait('low', 'sheddable'), wait('usual'), wait('low', 'sheddable'), wait('usual')];
    await settle();
    held?.ignore();
    await Promise.all(all);
    expect(turns.slice(0, 3).filter((one) => one === 'usual').length).toBe(2);
  });

  it('is refused by shared limiters', () => {
    const store = new MemoryRateLimitStore();
    expect(() => sharedConcurrency({ name: 'test', store, queue: priorityQueue() })).toThrow(
      'priorityQueue() is for limiters of one process',
    );
  });
});
