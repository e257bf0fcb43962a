// What the issues of other libraries teach about retries. They are those of App-vNext/Polly,
// Polly-Contrib/Polly.Contrib.WaitAndRetry, sindresorhus/p-retry, vercel/async-retry, sindresorhus/ky,
// sindresorhus/got, nodejs/undici, vercel/ai, tim-kos/node-retry, connor4312/cockatiel,
// resilience4j/resilience4j, failsafe-go/failsafe-go, vercel/fetch-retry and renovatebot/renovate.
import { getEventListeners } from 'node:events';
import { ManualClock } from '@temper/testkit/clock';
import { expectDiagnostics } from '@temper/testkit/repository/diagnostics';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  type RetryEvent,
  type RetryOptions,
  type RetryPolicy,
  retry,
  retryBudget,
  retryDetails,
} from '../../src/index.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const transient = (more: object = {}): Error =>
  Object.assign(new Error('reset'), { code: 'ECONNRESET', ...more });

/** A policy without jitter, and the waits that it has begun. */
function make(options: RetryOptions = {}): { policy: RetryPolicy; waits: number[] } {
  const waits: number[] = [];
  const policy = retry({
    clock,
    jitter: 'none',
    onRetry: ({ delayMs }) => void waits.push(delayMs),
    ...options,
  });
  return { policy, waits };
}

/** Runs an operation that fails so many times. @returns how often it was called */
async function failing(policy: RetryPolicy, times: number, error = transient): Promise<number> {
  let calls = 0;
  await clock.runUntil(
    policy.tryExecute(async () => {
      if (calls++ < times) throw error();
    }),
  );
  return calls;
}

describe('the wait between attempts', () => {
  it('Polly#1866: stays at its maximum when the exponential has overflowed', async () => {
    const { policy, waits } = make({
      maxAttempts: 1200,
      maxDelayMs: 300_000,
      initialDelayMs: 2_000,
    });
    expect(await failing(policy, 1199)).toBe(1200);
    expect(new Set(waits.slice(10))).toEqual(new Set([300_000]));
  });

  it('Polly#2164: is never negative, after 1024 attempts neither', async () => {
    for (const backoff of ['exponential', 'linear', 'constant'] as const) {
      const { policy, waits } = make({ maxAttempts: 1100, backoff, maxDelayMs: 1e6 });
      await failing(policy, 1099);
      expect(waits).toHaveLength(1099);
      for (const ms of waits) expect(ms).toBeGreaterThan(0);
    }
  });

  it('WaitAndRetry#24: is never negative with decorrelated jitter and many attempts', async () => {
    for (const random of [() => 0, () => 0.999_999]) {
      const { policy, waits } = make({ maxAttempts: 1100, jitter: 'decorrelated', random });
      await failing(policy, 1099);
      for (const ms of waits) {
        expect(ms).toBeGreaterThanOrEqual(100);
        expect(ms).toBeLessThanOrEqual(30_000);
      }
    }
  });

  it('Polly#2160: follows the exponential, but for the one attempt whose response asks for more', async () => {
    const { policy, waits } = make({ maxAttempts: 8, maxDelayMs: 10_000 });
    let calls = 0;
    await failing(policy, 7, () => transient(++calls === 2 ? { retryAfterMs: 5_000 } : {}));
    expect(waits).toEqual([100, 5_000, 400, 800, 1600, 3200, 6400]);
  });

  it('async-retry#65: is randomised by default', async () => {
    const drawn = async (random: () => number): Promise<number[]> => {
      const waits: number[] = [];
      const onRetry = ({ delayMs }: { delayMs: number }): void => void waits.push(delayMs);
      await failing(retry({ clock, random, onRetry }), 2);
      return waits;
    };
    expect(await drawn(() => 0)).not.toEqual(await drawn(() => 0.9));
  });

  it('ky#604: of 0 means at once, and not never', async () => {
    const { policy, waits } = make({ delay: () => 0 });
    expect(await failing(policy, 2)).toBe(3);
    expect(waits).toEqual([0, 0]);
    const none = make({ initialDelayMs: 0 });
    expect(await failing(none.policy, 2)).toBe(3);
  });

  it('vercel/ai#7656: ends at once when the caller aborts', async () => {
    const { policy } = make({ initialDelayMs: 30_000 });
    const controller = new AbortController();
    const call = policy.tryExecute(() => Promise.reject(transient()), {
      signal: controller.signal,
    });
    await clock.advance(10);
    controller.abort('stop');
    expect(await call).toEqual({ ok: false, error: 'stop' });
    expect(clock.pending).toBe(0);
  });
});

describe('Retry-After', () => {
  it.each([
    ['seconds', '2', 2_000],
    ['a date', () => new Date(clock.now() + 3_000).toUTCString(), 3_000],
  ])('ky#45: in %s is waited for', async (_, value, ms) => {
    const field = typeof value === 'string' ? value : value();
    const { policy, waits } = make();
    await failing(policy, 1, () => transient({ status: 503, headers: { 'retry-after': field } }));
    // A date has no milliseconds.
    expect(waits[0]).toBeGreaterThan(ms - 1_000);
    expect(waits[0]).toBeLessThanOrEqual(ms);
  });

  it('got#2468: of 0 s does not end the retries', async () => {
    const { policy, waits } = make();
    expect(
      await failing(policy, 2, () => transient({ status: 503, headers: { 'retry-after': '0' } })),
    ).toBe(3);
    expect(waits).toEqual([100, 200]);
  });

  it('undici#5519: that is no date and no number leaves the backoff as it is', async () => {
    const { policy, waits } = make();
    await failing(policy, 2, () => transient({ status: 503, headers: { 'retry-after': 'later' } }));
    expect(waits).toEqual([100, 200]);
  });

  it('undici#5682: is not looked at when the option says so', async () => {
    const { policy, waits } = make({ respectRetryAfter: false });
    await failing(policy, 2, () => transient({ status: 503, headers: { 'retry-after': '60' } }));
    expect(waits).toEqual([100, 200]);
  });

  it('got#1068: can be read by a delay of the caller, from the outcome', async () => {
    const delay = ({ outcome }: RetryEvent): number =>
      outcome.ok
        ? 0
        : 1000 * Number((outcome.error as { headers: { after: string } }).headers.after);
    const { policy, waits } = make({ delay });
    await failing(policy, 1, () => transient({ headers: { after: '7' } }));
    expect(waits).toEqual([7_000]);
  });

  it('renovate#25859: of more than may be waited for ends the retries, and is not cut short', async () => {
    const { policy } = make({ maxRetryAfterMs: 60_000 });
    const calls = await failing(policy, 2, () =>
      transient({ status: 503, headers: { 'retry-after': '61' } }),
    );
    expect(calls).toBe(1);
  });
});

describe('when attempts run out', () => {
  it('undici#3837: the last value is returned, and no error in place of it', async () => {
    const { policy } = make({ shouldHandle: (end) => end.ok && end.value === 500 });
    expect(await clock.runUntil(policy.execute(async () => 500))).toBe(500);
  });

  it('undici#4080: the value of the last attempt is returned, not that of the first', async () => {
    const { policy } = make({ shouldHandle: (end) => end.ok });
    expect(await clock.runUntil(policy.execute(async ({ attempt }) => `try ${attempt}`))).toBe(
      'try 3',
    );
  });

  it('got#748: nothing is returned before the last attempt has ended', async () => {
    const { policy } = make({ shouldHandle: (end) => end.ok });
    let calls = 0;
    let returned = false;
    const call = policy
      .execute(async () => ++calls)
      .then(() => {
        returned = true;
      });
    await clock.advance(299);
    expect([calls, returned]).toEqual([2, false]);
    await clock.advance(1);
    await call;
    expect([calls, returned]).toEqual([3, true]);
  });

  it('vercel/fetch-retry#13: the error tells how many attempts were made', async () => {
    const { policy } = make({ maxAttempts: 4 });
    const end = await clock.runUntil(policy.tryExecute(() => Promise.reject(transient())));
    expect(end.ok ? undefined : retryDetails(end.error)).toMatchObject({ attempts: 4 });
  });

  it('p-retry#81: the hook was told of each attempt that was followed by another, from 1', async () => {
    const attempts: number[] = [];
    const policy = retry({
      clock,
      maxAttempts: 4,
      onRetry: ({ attempt }) => void attempts.push(attempt),
    });
    await failing(policy, 9);
    expect(attempts).toEqual([1, 2, 3]);
  });
});

describe('a retry', () => {
  it('p-retry#47: follows an attempt that has timed out', async () => {
    const { policy } = make({ attemptTimeoutMs: 1_000 });
    let calls = 0;
    const call = policy.execute(() => (++calls < 3 ? new Promise(() => {}) : 'ok'));
    expect(await clock.runUntil(call)).toBe('ok');
  });

  it('got#357: follows a timeout that the operation itself reports', async () => {
    const { policy } = make();
    expect(await failing(policy, 2, () => transient({ code: 'ETIMEDOUT' }))).toBe(3);
  });

  it('p-retry#42: does not follow a TypeError that is a mistake, and follows one that is the network', async () => {
    const { policy } = make();
    expect(await failing(policy, 2, () => new TypeError('x is not a function'))).toBe(1);
    const network = () => new TypeError('fetch failed', { cause: transient() });
    expect(await failing(policy, 2, network)).toBe(3);
  });

  it('p-retry#30: goes on when its hook throws or rejects, without an unhandled rejection', async () => {
    expectDiagnostics(/onRetry threw an error/);
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    onTestFinished(() => void process.off('unhandledRejection', note));
    for (const onRetry of [
      () => {
        throw new Error('hook');
      },
      () => Promise.reject(new Error('hook')) as unknown as undefined,
    ]) {
      expect(await failing(make({ onRetry }).policy, 2)).toBe(3);
    }
    await clock.advance(0);
    expect(unhandled).toEqual([]);
  });

  it('async-retry#69: is not made after the operation has ended the call, although it throws', async () => {
    const { policy } = make();
    const controller = new AbortController();
    let calls = 0;
    const call = policy.tryExecute(
      async () => {
        calls++;
        controller.abort('no use');
        throw transient();
      },
      { signal: controller.signal },
    );
    expect(await clock.runUntil(call)).toEqual({ ok: false, error: 'no use' });
    await clock.advance(100_000);
    expect(calls).toBe(1);
  });

  it('async-retry#59: is decided by each policy itself when one runs inside another', async () => {
    expectDiagnostics(/does not retry an error that it cannot classify/);
    const fatal = new Error('fatal inside');
    const inner = make({ maxAttempts: 5 }).policy;
    const outer = make({ maxAttempts: 3, shouldHandle: (end) => !end.ok }).policy;
    let calls = 0;
    const call = outer.tryExecute((parent) =>
      inner.execute(
        async () => {
          calls++;
          throw fatal;
        },
        { parent },
      ),
    );
    expect(await clock.runUntil(call)).toEqual({ ok: false, error: fatal });
    expect(calls).toBe(3);
  });

  it('async-retry#51: is made only when the predicate says so', async () => {
    const { policy } = make({ shouldHandle: (end) => !end.ok && 'ok' in Object(end.error) });
    expect(await failing(policy, 2, () => transient())).toBe(1);
    expect(await failing(policy, 2, () => transient({ ok: true }))).toBe(3);
  });

  it('ky#825: shares one deadline with all other attempts of its call', async () => {
    const { policy } = make({ maxAttempts: 10, attemptTimeoutMs: 900 });
    const begun = clock.monotonic();
    const call = policy.tryExecute(() => new Promise(() => {}), { timeoutMs: 2_500 });
    const end = await clock.runUntil(call);
    expect(end).toMatchObject({ ok: false });
    expect(clock.monotonic() - begun).toBeLessThanOrEqual(2_500);
  });

  it('node-retry#57: is not begun later than the longest time for all', async () => {
    const { policy } = make({ maxAttempts: 100, backoff: 'constant', maxElapsedMs: 1_000 });
    expect(await failing(policy, 99)).toBe(11);
  });

  it('cockatiel#81: leaves no listener on the signal of the caller, nor do its timeouts', async () => {
    const { policy } = make({ maxAttempts: 16, attemptTimeoutMs: 100 });
    const { signal } = new AbortController();
    const most: number[] = [];
    await clock.runUntil(
      policy.execute(
        async ({ attempt }) => {
          most.push(getEventListeners(signal, 'abort').length);
          if (attempt < 16) throw transient();
        },
        { signal },
      ),
    );
    expect(most).toHaveLength(16);
    expect(Math.max(...most)).toBe(most[0]);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('a budget of retries', () => {
  it('resilience4j#1565: bounds the retries of all calls together, whatever their policies', async () => {
    expectDiagnostics(/makes no further attempt of a call, as its budget is spent/);
    const budget = retryBudget({ clock, ratio: 0, burst: 10 });
    const { policy } = make({ maxAttempts: 5, budget });
    let calls = 0;
    for (let i = 0; i < 20; i++) calls += await failing(policy, 9);
    // 20 first attempts, and as many retries as the budget had.
    expect(calls).toBe(20 + 10);
  });

  it('failsafe-go#106: knows recent calls, so that rare ones may be retried', async () => {
    const budget = retryBudget({ clock, ratio: 0.2, burst: 0, windowMs: 60_000 });
    const { policy } = make({ budget });
    for (let i = 0; i < 12; i++) {
      await failing(policy, 0);
      clock.jump(1_000);
    }
    expect(await failing(policy, 9)).toBe(3);
    expect(await failing(policy, 9)).toBe(1);
  });
});
