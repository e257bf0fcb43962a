import { circuitBreaker } from '@temper/breaker';
import type { CallContext, EndedBy } from '@temper/core';
import { retry } from '@temper/retry';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import {
  cached,
  fallback,
  hedge,
  type PipelinePolicy,
  pipeline,
  timeout,
} from '../../src/index.ts';
import { build, KIND_NAMES, KINDS, type Kind, PAIRS, SENSIBLE } from './catalogue.ts';

const ORDERS: readonly (readonly Kind[])[] = [
  ...KIND_NAMES.map((kind) => [kind] as const),
  ...PAIRS,
  ...SENSIBLE,
];

/** Runs an operation that ignores its signal; returns who ended its call, as seen when it ends. */
function observeEnd(clock: ManualClock, policy: PipelinePolicy, options: object = {}) {
  const ends: (EndedBy | undefined)[] = [];
  const operation = async (call: CallContext): Promise<void> => {
    await clock.sleep(1000);
    ends.push(call.endedBy);
  };
  return { ends, outcome: policy.tryExecute(operation, options) };
}

describe.each(ORDERS.map((kinds) => [kinds.join(' > '), kinds] as const))('%s', (_, kinds) => {
  it('tells the operation that the caller has ended the call', async () => {
    const { clock, policy } = build(kinds);
    const controller = new AbortController();
    const { ends, outcome } = observeEnd(clock, policy, { signal: controller.signal });
    await clock.advance(20);
    controller.abort('left');
    await clock.advance(2000);
    await outcome;
    expect(ends).toEqual(['caller']);
  });

  it('tells the operation that the deadline has ended the call', async () => {
    const { clock, policy } = build(kinds);
    const { ends, outcome } = observeEnd(clock, policy, { timeoutMs: 100 });
    await clock.advance(2000);
    expect(await outcome).toMatchObject({ error: { code: 'DEADLINE_EXCEEDED' } });
    expect(ends).toEqual(['deadline']);
  });

  it('tells the operation that the end of a parent call has ended it', async () => {
    for (const by of ['caller', 'deadline', 'timeout'] as const) {
      const { clock, policy } = build(kinds);
      const controller = new AbortController();
      const around = by === 'timeout' ? [timeout({ clock, timeoutMs: 100 })] : [];
      const parent = pipeline({ clock }, ...around);
      const ends: unknown[] = [];
      const outcome = parent.tryExecute(
        (call) => {
          const inner = observeEnd(clock, policy, { parent: call });
          ends.push(inner.ends);
          return inner.outcome;
        },
        by === 'deadline' ? { timeoutMs: 100 } : { signal: controller.signal },
      );
      await clock.advance(100);
      if (by === 'caller') controller.abort('left');
      await clock.advance(2000);
      await outcome;
      expect(ends).toEqual([[by]]);
    }
  });
});

/** The kinds that can be inside a timeout or hedge and call the operation once. */
const INNER = KIND_NAMES.filter((kind) => kind !== 'timeout' && kind !== 'hedge');

describe.each(INNER.map((kind) => [kind] as const))('%s', (kind) => {
  it.each([0, 1, 3])(
    'tells the operation that a timeout around it has ended the call, %d pipelines deep',
    async (depth) => {
      const clock = new ManualClock();
      let inner = pipeline({ clock }, KINDS[kind](clock));
      for (let i = 0; i < depth; i++) inner = pipeline({ clock }, inner);
      const policy = pipeline({ clock }, timeout({ clock, timeoutMs: 100 }), inner);
      const { ends, outcome } = observeEnd(clock, policy);
      await clock.advance(5000);
      expect(await outcome).toMatchObject({ error: { code: 'OPERATION_TIMEOUT' } });
      expect(ends).toEqual(['timeout']);
    },
  );

  it.each([0, 1, 3])(
    'tells an attempt that it has lost a hedge around it, %d pipelines deep',
    async (depth) => {
      if (kind === 'singleFlight') return expect(kind).toBe('singleFlight'); // both attempts share one run
      const clock = new ManualClock();
      let inner = pipeline({ clock }, KINDS[kind](clock));
      for (let i = 0; i < depth; i++) inner = pipeline({ clock }, inner);
      const policy = pipeline({ clock }, hedge({ clock, delayMs: 10 }), inner);
      const ends: unknown[] = [];
      let calls = 0;
      await clock.runUntil(
        policy.execute(async (call) => {
          const number = ++calls;
          await clock.sleep(number === 1 ? 1000 : 50);
          ends.push([number, call.endedBy]);
        }),
      );
      await clock.advance(2000);
      return expect(ends).toEqual([
        [2, undefined],
        [1, 'hedge'],
      ]);
    },
  );
});

describe('a call that was ended early, with an error that hides it,', () => {
  const hidden = () => Object.assign(new Error('canceled'), { code: 'ERR_CANCELED' });
  const wrapping = (clock: ManualClock) => async (call: CallContext) => {
    try {
      await clock.sleep(1000, call.signal);
    } catch {
      throw Object.assign(hidden(), { code: 'ECONNRESET' }); // looks like a network failure
    }
  };

  it.each(['caller', 'hedge'] as const)(
    'by the %s, is not counted, retried or answered from elsewhere',
    async (by) => {
      const clock = new ManualClock();
      const breaker = circuitBreaker({ clock, failureThreshold: 1 });
      const handler = vi.fn();
      const onStale = vi.fn();
      const cache = cached({ clock, key: () => 'k', onStale });
      await cache.execute(() => 'old');
      const retries = retry({ clock, initialDelayMs: 1 });
      const inner = [fallback({ clock, handler }), cache, retries, breaker];
      const controller = new AbortController();
      const around = by === 'hedge' ? [hedge({ clock, delayMs: 10 })] : [];
      let calls = 0;
      const slow = wrapping(clock);
      const outcome = pipeline({ clock }, ...around, ...inner).tryExecute(
        (call) => (by === 'hedge' && ++calls === 2 ? clock.sleep(20) : slow(call)),
        { signal: controller.signal },
      );
      await clock.advance(50);
      if (by === 'caller') controller.abort('left');
      await clock.advance(5000);
      await outcome;
      expect(handler).not.toHaveBeenCalled();
      expect(onStale).not.toHaveBeenCalled();
      expect(retries.stats().retries).toBe(0);
      expect(breaker.stats()).toMatchObject({ state: 'closed', calls: { failure: 0, aborted: 1 } });
    },
  );
});

describe('calls that are cancelled with the error of another one', () => {
  it.each(['timeout', 'deadline', 'hedge'])(
    'are cancelled, although that was ended by a %s',
    async (by) => {
      const clock = new ManualClock();
      const first = {
        timeout: () => timeout({ clock, timeoutMs: 100 }).execute(({ signal }) => hang(signal)),
        deadline: () => retry({ clock }).execute(({ signal }) => hang(signal), { timeoutMs: 100 }),
        hedge: async () => {
          let inner: unknown;
          const lost = async (signal: AbortSignal): Promise<never> => {
            await timeout({ clock, timeoutMs: 20 })
              .execute((own) => hang(own.signal))
              .catch((error: unknown) => {
                inner = error;
              });
            return hang(signal);
          };
          await hedge({ clock, delayMs: 50 }).execute(async ({ hedge: number, signal }) =>
            number === 1 ? lost(signal) : undefined,
          );
          throw inner;
        },
      }[by] as () => Promise<unknown>;
      const hang = (signal: AbortSignal): Promise<never> =>
        clock.sleep(60_000, signal) as Promise<never>;
      const breaker = circuitBreaker({ clock, failureThreshold: 1 });
      const handler = vi.fn();
      const policy = pipeline({ clock }, fallback({ clock, handler }), breaker);
      const controller = new AbortController();
      const { signal } = controller;
      const others = Array.from({ length: 3 }, () =>
        policy.tryExecute((call) => hang(call.signal), { signal }),
      );
      const cancelling = first().catch((error: unknown) => controller.abort(error));
      await clock.advance(1000);
      await cancelling;
      for (const other of await Promise.all(others)) {
        expect(other).toEqual({ ok: false, error: signal.reason });
      }
      expect(handler).not.toHaveBeenCalled();
      expect(breaker.stats()).toMatchObject({ state: 'closed', calls: { failure: 0, aborted: 3 } });
    },
  );
});
