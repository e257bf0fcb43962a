import { types } from 'node:util';
import { ManualClock, settle } from '@temper/testkit/clock';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { cached, chaos, fallback, hedge, pipeline, timeout } from '../../src/index.ts';
import { KIND_NAMES, KINDS } from './catalogue.ts';
import { ERROR, FOREIGN_PROMISES, type ForeignPromise, VALUE } from './foreign-promises.ts';

const unhandled = vi.fn();
const uncaught = vi.fn();
beforeAll(() => {
  process.on('unhandledRejection', unhandled);
  process.on('uncaughtException', uncaught);
});
afterAll(async () => {
  await settle();
  process.off('unhandledRejection', unhandled);
  process.off('uncaughtException', uncaught);
  expect(unhandled).not.toHaveBeenCalled();
  expect(uncaught).not.toHaveBeenCalled();
});

/** Whether a promise is a native one, which nobody else has changed. */
const isOwn = (value: unknown): boolean =>
  types.isPromise(value) && !types.isProxy(value) && Reflect.ownKeys(value).length === 0;

const LATE_MS = 20;
const LIMIT_MS = 500;

/** Every policy; none of them answers for `ERROR`. */
const POLICIES = {
  timeout: (clock: ManualClock) => timeout({ clock, timeoutMs: 100 }),
  hedge: (clock: ManualClock) => hedge({ clock, delayMs: 200 }),
  fallback: (clock: ManualClock) =>
    fallback({ clock, handler: () => 'second best', shouldHandle: () => false }),
  cached: (clock: ManualClock) => cached({ clock, key: () => 'k' }),
  singleFlight: (clock: ManualClock) => cached({ clock, key: () => 'k', singleFlight: true }),
  chaos: (clock: ManualClock) => chaos({ clock }),
  pipeline: (clock: ManualClock) => pipeline({ clock }),
  retry: KINDS.retry,
  breaker: KINDS.breaker,
  tokenBucket: KINDS.tokenBucket,
  gcra: KINDS.gcra,
  slidingWindow: KINDS.slidingWindow,
  concurrency: KINDS.concurrency,
  adaptive: KINDS.adaptive,
  'a long pipeline': (clock: ManualClock) =>
    pipeline(
      { clock },
      KINDS.tokenBucket(clock),
      KINDS.retry(clock),
      KINDS.concurrency(clock),
      KINDS.breaker(clock),
      KINDS.adaptive(clock),
    ),
  'foreign policy': (clock: ManualClock) =>
    pipeline({ clock }, { execute: (operation) => operation(undefined as never) as never }),
};

/** Runs a call to its end, and returns every way in which it settled. */
async function settlings(clock: ManualClock, call: Promise<unknown>): Promise<readonly unknown[]> {
  const seen: unknown[] = [];
  void call.then(
    (value) => seen.push(value),
    (error: unknown) => seen.push(error),
  );
  await clock.advance(10 * LIMIT_MS);
  await settle();
  expect(clock.pendingRefed).toBe(0);
  return seen;
}

function create({ create: make }: ForeignPromise, clock: ManualClock): PromiseLike<string> {
  return make((callback) => void clock.schedule(callback, LATE_MS));
}

function expected({ settles, what }: ForeignPromise): unknown {
  if (settles === 'value' || settles === 'late') return VALUE;
  if (settles === 'pending') return expect.objectContaining({ code: 'DEADLINE_EXCEEDED' });
  return what.includes('proxy') ? expect.any(TypeError) : ERROR;
}

describe.each(Object.entries(POLICIES))('%s around an operation whose promise', (kind, build) => {
  it.each(FOREIGN_PROMISES.map((each) => [each.what, each] as const))(
    '%s settles once and leaves nothing behind',
    async (_, promise) => {
      const clock = new ManualClock();
      const policy = build(clock);
      const operation = vi.fn(() => create(promise, clock));
      const call = policy.execute(operation, { timeoutMs: LIMIT_MS });
      expect(isOwn(call)).toBe(true);
      const times = kind === 'timeout' && promise.settles === 'pending';
      const end = times
        ? expect.objectContaining({ code: 'OPERATION_TIMEOUT' })
        : expected(promise);
      expect(await settlings(clock, call)).toEqual([end]);
      const pendingHedge = kind === 'hedge' && promise.settles === 'pending';
      expect(operation).toHaveBeenCalledTimes(pendingHedge ? 2 : 1);
      if (kind === 'timeout') {
        expect(policy.stats()).toMatchObject({ calls: { timeout: times ? 1 : 0 } });
      }
    },
  );
});

describe.each(KIND_NAMES)('%s, without options,', (kind) => {
  it.each(FOREIGN_PROMISES.map((each) => [each.what, each] as const))(
    'returns a promise of its own when that of the operation %s',
    async (_, promise) => {
      const clock = new ManualClock();
      for (const inner of [[], [KINDS.gcra(clock)]]) {
        const policy = pipeline({ clock }, KINDS[kind](clock), ...(kind === 'gcra' ? [] : inner));
        const wrapped = policy.wrap(() => create(promise, clock));
        for (const call of [policy.execute(() => create(promise, clock)), wrapped()]) {
          expect(isOwn(call)).toBe(true);
          Promise.prototype.catch.call(call, () => {});
        }
      }
      const alone = KINDS[kind](clock).execute(() => create(promise, clock));
      expect(isOwn(alone)).toBe(true);
      Promise.prototype.catch.call(alone, () => {});
      await clock.advance(10 * LIMIT_MS);
    },
  );
});

describe('hedge whose second attempt returns a promise that', () => {
  it.each(FOREIGN_PROMISES.map((each) => [each.what, each] as const))(
    '%s settles once and leaves nothing behind',
    async (_, promise) => {
      const clock = new ManualClock();
      const policy = hedge({ clock, delayMs: 10 });
      let calls = 0;
      const operation = () =>
        ++calls === 1 ? clock.sleep(100).then(() => 'first') : create(promise, clock);
      const call = policy.execute(operation, { timeoutMs: LIMIT_MS });
      const first = promise.settles === 'pending';
      expect(await settlings(clock, call)).toEqual([first ? 'first' : expected(promise)]);
    },
  );
});

describe('hedge whose first attempt is too late with a promise that', () => {
  it.each(FOREIGN_PROMISES.map((each) => [each.what, each] as const))(
    '%s returns the second, and discards at most one value',
    async (_, promise) => {
      const clock = new ManualClock();
      const onDiscard = vi.fn();
      const policy = hedge({ clock, delayMs: 10, onDiscard });
      let calls = 0;
      const operation = async (): Promise<string> => {
        if (++calls === 2) return 'second';
        await clock.sleep(100);
        return create(promise, clock);
      };
      expect(await settlings(clock, policy.execute(operation))).toEqual(['second']);
      const discards = promise.settles === 'value' || promise.settles === 'late';
      expect(onDiscard.mock.calls).toEqual(discards ? [[VALUE]] : []);
    },
  );
});

describe('fallback whose handler returns a promise that', () => {
  it.each(FOREIGN_PROMISES.map((each) => [each.what, each] as const))(
    '%s settles once and leaves nothing behind',
    async (_, promise) => {
      const clock = new ManualClock();
      const policy = fallback({ clock, handler: () => create(promise, clock) });
      const call = policy.execute(() => Promise.reject(new Error('down')), {
        timeoutMs: LIMIT_MS,
      });
      const end =
        promise.settles === 'error'
          ? expect.objectContaining({ code: 'FALLBACK_FAILED', fallbackError: expected(promise) })
          : expected(promise);
      expect(await settlings(clock, call)).toEqual([end]);
    },
  );
});

describe('cached whose operation returned a promise that', () => {
  it.each(FOREIGN_PROMISES.map((each) => [each.what, each] as const))(
    '%s keeps its value, or nothing',
    async (_, promise) => {
      const clock = new ManualClock();
      const policy = cached({ clock, key: () => 'k' });
      await settlings(
        clock,
        policy.execute(() => create(promise, clock), { timeoutMs: LIMIT_MS }),
      );
      const kept = promise.settles === 'value' || promise.settles === 'late';
      const next = await policy.tryExecute(() => Promise.reject(new Error('down')));
      expect(next.ok && next.value).toBe(kept ? VALUE : false);
    },
  );
});
