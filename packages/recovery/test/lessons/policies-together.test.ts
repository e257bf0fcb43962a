// What the issues of other libraries teach about policies that work together. They are those of
// connor4312/cockatiel, App-vNext/Polly, resilience4j/resilience4j, failsafe-go/failsafe-go, nodeshift/opossum and
// thomhurst/Kevlar.
import { getEventListeners } from 'node:events';
import { circuitBreaker } from '@temper/breaker';
import { concurrency } from '@temper/ratelimit';
import { retry } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { fallback, hedge, pipeline, timeout } from '../../src/index.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const transient = (): Error => Object.assign(new Error('reset'), { code: 'ECONNRESET' });

/** What `process` reports until the end of the test. */
function reports(event: 'warning' | 'unhandledRejection'): unknown[] {
  const seen: unknown[] = [];
  const note = (what: unknown): void => void seen.push(what);
  process.on(event as 'warning', note);
  onTestFinished(() => void process.off(event as 'warning', note));
  return seen;
}

describe('a signal of the caller', () => {
  it('cockatiel#69: has no listener left after many calls through nested policies, and there is no warning', async () => {
    const warnings = reports('warning');
    const policy = pipeline(
      {},
      retry({ clock }),
      circuitBreaker({ clock }),
      timeout({ clock, timeoutMs: 2_000 }),
    );
    const { signal } = new AbortController();
    for (let i = 0; i < 30; i++) await policy.execute(async () => i, { signal });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    await settle();
    expect(warnings).toEqual([]);
  });

  it('cockatiel#81: has as many listeners at the last attempt of a retry around a timeout as at the first', async () => {
    const policy = pipeline(
      {},
      retry({ clock, maxAttempts: 16 }),
      timeout({ clock, timeoutMs: 100 }),
    );
    const { signal } = new AbortController();
    const counts: number[] = [];
    let attempts = 0;
    await clock.runUntil(
      policy.execute(
        async () => {
          counts.push(getEventListeners(signal, 'abort').length);
          if (++attempts < 16) throw transient();
        },
        { signal },
      ),
    );
    expect(new Set(counts).size).toBe(1);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('a hedge', () => {
  it('Polly#1340: is not ended by the timeout of one of its attempts', async () => {
    const policy = pipeline(
      {},
      hedge({ clock, delayMs: 50, maxAttempts: 2, shouldHandle: (end) => !end.ok }),
      timeout({ clock, timeoutMs: 100 }),
    );
    const call = policy.execute(async ({ signal, hedge: which }) => {
      await clock.sleep(which === 1 ? 10_000 : 80, signal);
      return which;
    });
    // The first attempt times out at 100 ms; the second answers at 130 ms.
    expect(await clock.runUntil(call)).toBe(2);
  });

  it('failsafe-go#141: whose budget is used up starts no other attempt, and lets the first one end', async () => {
    const empty = { deposit: () => undefined, withdraw: () => false };
    const policy = hedge({ clock, delayMs: 50, budget: empty });
    let calls = 0;
    let aborted = false;
    const call = policy.execute(async ({ signal }) => {
      calls++;
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      await clock.sleep(500);
      return 'slow';
    });
    expect(await clock.runUntil(call)).toBe('slow');
    expect([calls, aborted]).toEqual([1, false]);
  });
});

describe('a circuit breaker', () => {
  it('resilience4j#1656: does not open because a bulkhead inside it is full', async () => {
    const breaker = circuitBreaker({ clock, failureThreshold: 2 });
    const policy = pipeline({}, breaker, concurrency({ clock, limit: 1, maxQueue: 0 }));
    const gate = Promise.withResolvers<string>();
    const first = policy.execute(() => gate.promise);
    for (let i = 0; i < 10; i++) {
      expect(await policy.tryExecute(() => 'ran')).toMatchObject({
        ok: false,
        error: { code: 'RATE_LIMIT_EXCEEDED' },
      });
    }
    gate.resolve('done');
    expect(await first).toBe('done');
    expect(breaker.state).toBe('closed');
  });

  it('Polly#2181: that is open ends the retries around it, instead of waiting for them', async () => {
    const breaker = circuitBreaker({ clock, failureThreshold: 2, openDurationMs: 60_000 });
    const policy = pipeline({}, retry({ clock, maxAttempts: 10 }), breaker);
    let calls = 0;
    const end = await clock.runUntil(
      policy.tryExecute(async () => {
        calls++;
        throw transient();
      }),
    );
    expect(end.ok).toBe(false);
    expect(calls).toBe(2);
    expect(clock.monotonic()).toBeLessThan(61_000);
  });
});

describe('a timeout', () => {
  it('opossum#70: leaves no unhandled rejection when the operation fails after it', async () => {
    const unhandled = reports('unhandledRejection');
    const policy = pipeline(
      {},
      fallback({ clock, handler: () => 'instead' }),
      timeout({ clock, timeoutMs: 100 }),
    );
    const call = policy.execute(async () => {
      await clock.sleep(500);
      throw new Error('late');
    });
    expect(await clock.runUntil(call)).toBe('instead');
    await clock.advance(1_000);
    expect(unhandled).toEqual([]);
  });

  it('Polly#194: that comes after the operation has succeeded does not undo it', async () => {
    const policy = timeout({ clock, timeoutMs: 100 });
    const controller = new AbortController();
    const value = await policy.execute(async () => 'done', { signal: controller.signal });
    controller.abort('late');
    await clock.advance(1_000);
    expect(value).toBe('done');
    expect(policy.stats()).toMatchObject({ calls: { success: 1, timeout: 0 } });
  });

  it('Kevlar#506: is known to the retries inside, which do not wait for what cannot come in time', async () => {
    const error = transient();
    const policy = pipeline(
      {},
      timeout({ clock, timeoutMs: 1_000 }),
      retry({ clock, initialDelayMs: 600, backoff: 'constant', jitter: 'none' }),
    );
    const begun = clock.monotonic();
    let calls = 0;
    const end = await clock.runUntil(
      policy.tryExecute(async () => {
        calls++;
        throw error;
      }),
    );
    // The last real error, at the moment at which it is known that no wait fits any more.
    expect(end).toEqual({ ok: false, error });
    expect(calls).toBe(2);
    expect(clock.monotonic() - begun).toBe(600);
  });
});
