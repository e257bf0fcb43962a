import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { adaptiveConcurrency } from './adaptive/index.ts';
import type { RateLimitExceededError } from './errors.ts';
import { clientRateLimit } from './http/index.ts';
import {
  concurrency,
  fixedWindow,
  gcra,
  keyed,
  slidingWindow,
  throttle,
  tokenBucket,
} from './index.ts';
import type { Refusing } from './refusals.ts';
import { MemoryRateLimitStore, sharedConcurrency, sharedRateLimit } from './shared/index.ts';

type Options = {
  readonly clock: ManualClock;
  readonly onReject?: (error: RateLimitExceededError) => void;
};
interface Refuser extends Refusing {
  execute(operation: () => unknown, options?: { key: string }): Promise<unknown>;
}

const down = (): never => {
  throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' });
};
const one = { limit: 1, maxQueue: 0 } as const;

/** Every limiter, used up, with the options given. */
const LIMITERS: Record<string, (options: Options) => Refuser | Promise<Refuser>> = {
  tokenBucket: (options) => used(tokenBucket({ ...one, burst: 1, ...options })),
  gcra: (options) => used(gcra({ ...one, burst: 1, ...options })),
  slidingWindow: (options) => used(slidingWindow({ ...one, ...options })),
  fixedWindow: (options) => used(fixedWindow({ ...one, ...options })),
  concurrency: (options) => used(concurrency({ ...one, ...options })),
  adaptiveConcurrency: (options) =>
    used(adaptiveConcurrency({ initialLimit: 1, maxLimit: 1, maxQueue: 0, ...options })),
  'keyed with a template': (options) =>
    used(keyed({ template: tokenBucket({ ...one, burst: 1, ...options }) })),
  'keyed with limiters': ({ clock, onReject }) =>
    used(
      keyed({ clock, limiter: () => tokenBucket({ ...one, burst: 1, clock, ...hook(onReject) }) }),
    ),
  sharedRateLimit: (options) => {
    const store = new MemoryRateLimitStore(options.clock);
    return used(sharedRateLimit({ name: 'shared', store, ...one, burst: 1, ...options }));
  },
  sharedConcurrency: (options) => {
    const store = new MemoryRateLimitStore(options.clock);
    return used(sharedConcurrency({ name: 'shared', store, ...one, ...options }));
  },
  clientRateLimit: async (options) => {
    const limiter = clientRateLimit({ maxQueue: 0, ...options });
    const headers = { 'retry-after': '60' };
    await limiter.execute(() => new Response('', { status: 429, headers }));
    return limiter;
  },
  throttle: async (options) => {
    const limiter = throttle({ random: () => 0, ...options });
    for (let i = 0; i < 10; i++) await limiter.tryExecute(down);
    return limiter;
  },
};

function hook(onReject: Options['onReject']): Pick<Options, 'onReject'> {
  return onReject === undefined ? {} : { onReject };
}

async function used<L extends Refuser & { tryAcquire(options: { key: string }): unknown }>(
  limiter: L,
): Promise<L> {
  await limiter.tryAcquire({ key: 'a' });
  return limiter;
}

describe.each(Object.keys(LIMITERS))('the refusals of %s', (kind) => {
  const create = LIMITERS[kind] as (typeof LIMITERS)[string];
  const refuse = (limiter: Refuser): Promise<unknown> =>
    limiter.execute(() => expect.fail('called'), { key: 'a' }).catch((error: unknown) => error);

  it('are heard by listeners that were added later, until they leave', async () => {
    const [option, first, second] = [vi.fn(), vi.fn(), vi.fn()];
    const limiter = await create({ clock: new ManualClock(), onReject: option });
    option.mockClear();
    const leave = limiter.onReject(first);
    limiter.onReject(second);
    const refusal = await refuse(limiter);
    for (const heard of [option, first, second]) expect(heard.mock.calls).toEqual([[refusal]]);
    leave[Symbol.dispose]();
    await refuse(limiter);
    expect([option, first, second].map(({ mock }) => mock.calls.length)).toEqual([2, 1, 2]);
  });

  it('are heard without the option, and by nobody who throws only', async () => {
    const limiter = await create({ clock: new ManualClock() });
    const heard = vi.fn();
    limiter.onReject(() => {
      throw new Error('of a listener');
    });
    limiter.onReject(heard);
    const refusal = await refuse(limiter);
    expect(refusal).toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
    expect(heard.mock.calls).toEqual([[refusal]]);
  });

  it('are not heard by what is no function', async () => {
    const limiter = await create({ clock: new ManualClock() });
    expect(() => limiter.onReject(undefined as never)).toThrow(TypeError);
  });
});

describe('keyed with limiters', () => {
  it('tells of the refusals of keys that come later, and of keys that it has no room for', async () => {
    const clock = new ManualClock();
    const limiter = keyed({
      clock,
      maxKeys: 1,
      limiter: () => concurrency({ limit: 1, maxQueue: 0, clock }),
    });
    const heard: string[] = [];
    limiter.onReject(({ reason }) => heard.push(reason));
    limiter.tryAcquire({ key: 'a' });
    for (const key of ['a', 'b']) await limiter.tryExecute(() => 1, { key });
    expect(heard).toEqual(['limit', 'keys']);
  });
});

describe('the limit of adaptiveConcurrency', () => {
  it('tells of its changes those who listen later, until they leave', async () => {
    const clock = new ManualClock();
    const limiter = adaptiveConcurrency({ clock, algorithm: 'aimd', initialLimit: 100 });
    const heard: number[] = [];
    const leave = limiter.onLimitChange(({ to }) => heard.push(to));
    await limiter.tryExecute(down);
    expect(heard).toEqual([limiter.stats().limit]);
    leave[Symbol.dispose]();
    await clock.advance(60_000);
    await limiter.tryExecute(down);
    expect(heard).toHaveLength(1);
  });
});
