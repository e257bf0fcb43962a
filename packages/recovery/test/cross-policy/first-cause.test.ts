import { retry } from '@temper/retry';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { cached, fallback, hedge, pipeline, timeout } from '../../src/index.ts';
import {
  build,
  expectNothingLeft,
  KIND_NAMES,
  KINDS,
  type Kind,
  PAIRS,
  SENSIBLE,
  watchedSignal,
} from './catalogue.ts';

const ORDERS: readonly (readonly Kind[])[] = [
  ...KIND_NAMES.map((kind) => [kind] as const),
  ...PAIRS,
  ...SENSIBLE,
];

/** An operation that ignores its signal, and never ends. */
const deaf = (): Promise<never> => new Promise(() => {});

/** The reasons that a caller may abort with. Any of them is the result, unchanged. */
const REASONS: readonly unknown[] = [new Error('left'), 'left', null, 0, Symbol('left'), () => {}];

describe('a call that its caller cancels while the operation ignores its signal', () => {
  it.each(ORDERS.map((kinds) => [kinds.join(' > '), kinds] as const))(
    '%s rejects with the reason of the caller when the time is up',
    async (_, kinds) => {
      for (const reason of REASONS) {
        const { clock, policy } = build(kinds);
        const watched = watchedSignal();
        const { signal } = watched;
        const call = policy.tryExecute(deaf, { signal, timeoutMs: 1000, key: 'k' });
        await clock.advance(20);
        watched.abort(reason);
        await clock.advance(3000);
        const outcome = await call;
        expect(outcome.ok).toBe(false);
        expect((outcome as { error: unknown }).error).toBe(reason);
        await expectNothingLeft(clock, watched);
      }
    },
  );

  it('has not timed out for a timeout policy', async () => {
    const clock = new ManualClock();
    const onTimeout = vi.fn();
    const policy = timeout({ clock, timeoutMs: 100, onTimeout });
    const controller = new AbortController();
    const call = policy.tryExecute(deaf, { signal: controller.signal });
    controller.abort('left');
    await clock.advance(100);
    expect(await call).toEqual({ ok: false, error: 'left' });
    expect(policy.stats().calls).toEqual({ success: 0, failure: 0, timeout: 0, aborted: 1 });
    expect(onTimeout).not.toHaveBeenCalled();
  });

  it('tells a timeout that follows the latencies nothing', async () => {
    const clock = new ManualClock();
    const policy = timeout({ clock, timeoutMs: { quantile: 0.9, minMs: 10, maxMs: 100 } });
    const controller = new AbortController();
    const calls = Array.from({ length: 50 }, () =>
      policy.tryExecute(deaf, { signal: controller.signal }),
    );
    controller.abort('left');
    await clock.advance(100);
    await Promise.all(calls);
    expect(policy.stats().cutOffShare).toBe(
      timeout({ clock, timeoutMs: { quantile: 0.9, minMs: 10, maxMs: 100 } }).stats().cutOffShare,
    );
  });

  it('rejects with its reason when the time of an attempt or of a reserve is up', async () => {
    const clock = new ManualClock();
    const old = cached({ clock, key: () => 'k', reserveMs: 20 });
    await old.execute(() => 'old');
    const policies = [
      retry({ clock, attemptTimeoutMs: 50 }),
      fallback({ clock, handler: () => 'other', reserveMs: 20 }),
      old,
    ];
    for (const policy of policies) {
      const controller = new AbortController();
      const { signal } = controller;
      let ended: number | undefined;
      const began = clock.monotonic();
      const call = policy.tryExecute(deaf, { signal, timeoutMs: 100 }).finally(() => {
        ended = clock.monotonic() - began;
      });
      controller.abort('left');
      await clock.advance(100);
      expect(await call).toEqual({ ok: false, error: 'left' });
      expect(ended).toBeLessThan(100);
    }
  });

  it('rejects with the reason of its own signal when its parent goes on', async () => {
    const clock = new ManualClock();
    const inner = KINDS.pipeline(clock);
    const controller = new AbortController();
    const { signal } = controller;
    const call = KINDS.retry(clock).execute((parent) =>
      inner.tryExecute(deaf, { parent, signal, timeoutMs: 100 }),
    );
    controller.abort('left');
    await clock.advance(100);
    expect(await call).toEqual({ ok: false, error: 'left' });
  });
});

it('an attempt that a hedge has given up has not timed out', async () => {
  const clock = new ManualClock();
  const inner = timeout({ clock, timeoutMs: 100 });
  const policy = pipeline({ clock }, hedge({ clock, delayMs: 10 }), inner);
  const answer = policy.execute(({ hedge: number }) => (number === 1 ? deaf() : 'second'));
  await clock.advance(10);
  expect(await answer).toBe('second');
  await clock.advance(1000);
  expect(inner.stats().calls).toEqual({ success: 1, failure: 0, timeout: 0, aborted: 1 });
});
