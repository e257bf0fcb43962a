import type { Outcome } from '@temper/core';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import type { RetryOptions } from './options.ts';
import { type RetryPolicy, retry } from './retry.ts';

const unavailable = (outcome: Outcome<Response>): boolean =>
  outcome.ok ? outcome.value.status === 503 : true;

interface Run {
  readonly clock: ManualClock;
  readonly policy: RetryPolicy;
  /** The attempts whose bodies were cancelled, in order. */
  readonly cancelled: number[];
  /** An answer with a body that nobody has read. */
  answer(attempt: number, status?: number): Response;
}
function setUp(options: RetryOptions = {}): Run {
  const clock = new ManualClock();
  const cancelled: number[] = [];
  return {
    clock,
    cancelled,
    policy: retry({ jitter: 'none', clock, shouldHandle: unavailable, ...options }),
    answer: (attempt, status = 503) =>
      new Response(new ReadableStream({ cancel: () => void cancelled.push(attempt) }), { status }),
  };
}

describe('the body of a response', () => {
  it('is cancelled before the next attempt, and the last one is left to the caller', async () => {
    const { clock, policy, cancelled, answer } = setUp();
    const before: unknown[] = [];
    const call = policy.execute(({ attempt }) => {
      before.push([...cancelled]);
      return answer(attempt);
    });
    const last = await clock.runUntil(call);
    expect(before).toEqual([[], [1], [1, 2]]);
    expect(cancelled).toEqual([1, 2]);
    expect([last.bodyUsed, last.body?.locked]).toEqual([false, false]);
  });

  it('is left to the caller when the call recovers', async () => {
    const { clock, policy, cancelled, answer } = setUp();
    const call = policy.execute(({ attempt }) => answer(attempt, attempt === 1 ? 503 : 200));
    const last = await clock.runUntil(call);
    expect([cancelled, last.status, last.bodyUsed]).toEqual([[1], 200, false]);
  });

  it('is cancelled before the wait, which holds no connection', async () => {
    const { clock, policy, cancelled, answer } = setUp();
    const call = policy.execute(({ attempt }) => answer(attempt));
    await settle();
    expect([cancelled, clock.pending]).toEqual([[1], 1]);
    await clock.runUntil(call);
  });

  it('is not cancelled while onRetry reads it', async () => {
    const texts: string[] = [];
    const { clock, policy } = setUp({
      onRetry: async ({ outcome }) => {
        if (outcome.ok) texts.push(await (outcome.value as Response).text());
      },
    });
    await clock.runUntil(
      policy.execute(({ attempt }) => new Response(`${attempt}`, { status: 503 })),
    );
    await settle();
    expect(texts).toEqual(['1', '2']);
  });

  it("is cancelled when it is that of an error's response, but for the error that is thrown", async () => {
    const { clock, policy, cancelled, answer } = setUp();
    const call = policy.tryExecute(({ attempt }) => {
      throw Object.assign(new Error('HTTP 503'), { response: answer(attempt) });
    });
    const outcome = await clock.runUntil(call);
    expect(cancelled).toEqual([1, 2]);
    const { response } = (outcome as { error: { response: Response } }).error;
    expect([response.bodyUsed, response.body?.locked]).toEqual([false, false]);
  });

  it.each(['in an attempt', 'in a wait'])(
    'is cancelled when the call is aborted %s',
    async (where) => {
      const { policy, cancelled, answer } = setUp();
      const controller = new AbortController();
      const call = policy.tryExecute(
        ({ attempt }) => {
          if (where === 'in an attempt') controller.abort('stop');
          return answer(attempt);
        },
        { signal: controller.signal },
      );
      await settle();
      controller.abort('stop');
      expect(await call).toEqual({ ok: false, error: 'stop' });
      expect(cancelled).toEqual([1]);
    },
  );

  it('is left to the caller when an outer retry does not repeat the attempts', async () => {
    const { clock, policy, cancelled, answer } = setUp();
    const outer = retry({ clock, shouldHandle: unavailable });
    const call = outer.execute((parent) =>
      policy.execute(({ attempt }) => answer(attempt), { parent }),
    );
    const last = await clock.runUntil(call);
    expect([cancelled, last.bodyUsed]).toEqual([[1, 2], false]);
  });

  it('may refuse to be cancelled', async () => {
    const { clock, policy } = setUp({ shouldHandle: (o) => o.ok });
    const bodies = [
      { locked: false, cancel: () => Promise.reject(new Error('refused')) },
      {
        locked: false,
        cancel() {
          throw new Error('refused');
        },
      },
    ];
    const call = policy.execute(({ attempt }) => ({ attempt, body: bodies[attempt - 1] }));
    expect(await clock.runUntil(call)).toMatchObject({ attempt: 3 });
    await settle();
  });
});
