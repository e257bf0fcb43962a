import { ManualClock } from '@temper/testkit/clock';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { circuitBreaker } from './circuit-breaker.ts';
import type { CircuitBreaker } from './contract.ts';
import { CircuitOpenError } from './errors.ts';
import type { CircuitBreakerOptions } from './options.ts';

const boom = new Error('boom');
const ok = async (): Promise<string> => 'ok';
const fail = async (): Promise<never> => {
  throw boom;
};

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const make = (options: CircuitBreakerOptions = {}): CircuitBreaker =>
  circuitBreaker({ name: 'payments', clock, ...options });

async function failTimes(breaker: CircuitBreaker, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await expect(breaker.execute(fail)).rejects.toBe(boom);
}
async function openError(breaker: CircuitBreaker): Promise<CircuitOpenError> {
  const called = vi.fn(ok);
  const outcome = await breaker.tryExecute(called);
  expect(called).not.toHaveBeenCalled();
  if (outcome.ok) throw new Error('The circuit let the call through.');
  expect(outcome.error).toBeInstanceOf(CircuitOpenError);
  return outcome.error as CircuitOpenError;
}

describe('a closed circuit', () => {
  it('lets calls through and returns what they return', async () => {
    const breaker = make();
    expect(await breaker.execute(ok)).toBe('ok');
    expect(await breaker.execute(() => 7)).toBe(7);
    expect(breaker.state).toBe('closed');
  });

  it('rethrows errors unchanged, thrown at once or later', async () => {
    const breaker = make();
    await expect(breaker.execute(fail)).rejects.toBe(boom);
    await expect(
      breaker.execute(() => {
        throw boom;
      }),
    ).rejects.toBe(boom);
    await expect(breaker.execute(() => Promise.reject(undefined))).rejects.toBeUndefined();
    expect(breaker.stats().window.failures).toBe(3);
  });

  it('opens at the fifth failure in a row', async () => {
    const breaker = make();
    await failTimes(breaker, 4);
    expect(breaker.state).toBe('closed');
    await failTimes(breaker, 1);
    expect(breaker.state).toBe('open');
  });

  it('starts to count anew after a success', async () => {
    const breaker = make();
    await failTimes(breaker, 4);
    await breaker.execute(ok);
    await failTimes(breaker, 4);
    expect(breaker.state).toBe('closed');
    await failTimes(breaker, 1);
    expect(breaker.state).toBe('open');
  });

  it("passes the caller's signal to the operation", async () => {
    const controller = new AbortController();
    const signal = await make().execute((context) => context.signal, {
      signal: controller.signal,
    });
    expect(signal).toBe(controller.signal);
  });

  it('describes itself to composers', () => {
    expect(circuitBreaker()).toMatchObject({ name: 'breaker' });
    expect(circuitBreaker().describe()).toEqual({ kind: 'breaker' });
  });

  it('wraps a function with its this and arguments', async () => {
    const account = {
      balance: 5,
      add: make().wrap(function (this: { balance: number }, more: number) {
        return this.balance + more;
      }),
    };
    expect(await account.add(2)).toBe(7);
  });
});

describe('an open circuit', () => {
  it('rejects without calling the operation, and says when to call again', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    clock.jump(55_800);
    const error = await openError(breaker);
    expect(error).toMatchObject({
      name: 'CircuitOpenError',
      code: 'CIRCUIT_OPEN',
      policy: 'payments',
      state: 'open',
      retryAfterMs: 4200,
      message: "Circuit 'payments' is open; the next trial is in 4200 ms: boom",
    });
    expect(error.cause).toBe(boom);
  });

  it('rejects with equal errors from execute and tryExecute', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    const thrown = await breaker.execute(ok).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(CircuitOpenError);
    expect(thrown).toEqual(await openError(breaker));
    expect(await breaker.tryExecute(ok, { operation: 'charge' })).toMatchObject({ ok: false });
    expect(breaker.stats().calls.rejected).toBe(3);
  });

  it('creates a new error for each rejected call', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    expect(await openError(breaker)).not.toBe(await openError(breaker));
  });

  it('reads the failure for its message once, however many calls are rejected', async () => {
    let reads = 0;
    const costly = Object.defineProperty(new Error(), 'message', {
      get: () => {
        reads++;
        return 'connect ECONNREFUSED';
      },
    });
    const breaker = make({ failureThreshold: 1 });
    await breaker.execute(() => Promise.reject(costly)).catch(() => undefined);
    await openError(breaker);
    const once = reads;
    for (let i = 0; i < 100; i++) {
      const { message } = await openError(breaker);
      expect(message).toMatch(/: connect ECONNREFUSED$/);
    }
    expect(reads).toBe(once);
  });

  it('ends its message in the innermost cause, bounded and without secrets', async () => {
    const breaker = make({ failureThreshold: 1 });
    const cause = new Error('connect to https://user:secret@bank.example failed');
    const error = new Error('charge failed', { cause });
    await breaker.execute(() => Promise.reject(error)).catch(() => undefined);
    const { message } = await openError(breaker);
    expect(message).toBe(
      "Circuit 'payments' is open; the next trial is in 60000 ms: charge failed: connect to https://***@bank.example failed",
    );
  });

  it('prefers the reason of an aborted signal to a rejection of its own', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    const reason = new Error('changed my mind');
    const outcome = await breaker.tryExecute(ok, { signal: AbortSignal.abort(reason) });
    expect(outcome).toEqual({ ok: false, error: reason });
    expect(breaker.stats().calls.rejected).toBe(0);
  });

  it('leaves out the stack trace unless errorStack is set', async () => {
    const bare = make();
    await failTimes(bare, 5);
    expect((await openError(bare)).stack?.split('\n')).toHaveLength(1);
    const full = make({ errorStack: true });
    await failTimes(full, 5);
    expect((await openError(full)).stack?.split('\n').length).toBeGreaterThan(1);
  });

  it('reads half-open when its time is over, without a call or a timer', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    clock.jump(59_999);
    expect(breaker.state).toBe('open');
    clock.jump(1);
    expect(breaker.state).toBe('half-open');
    expect(clock.pending).toBe(0);
  });

  it('is not affected by jumps of the wall clock', async () => {
    const breaker = make();
    await failTimes(breaker, 5);
    clock.adjustWallClock(10 * 365 * 86_400_000);
    expect(breaker.state).toBe('open');
    clock.adjustWallClock(-20 * 365 * 86_400_000);
    clock.jump(59_999);
    expect(breaker.state).toBe('open');
    clock.jump(1);
    expect(breaker.state).toBe('half-open');
  });
});

describe('a half-open circuit', () => {
  let breaker: CircuitBreaker;
  beforeEach(async () => {
    breaker = make();
    await failTimes(breaker, 5);
    clock.jump(60_000);
  });

  it('closes after two successes', async () => {
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.state).toBe('half-open');
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.state).toBe('closed');
    await failTimes(breaker, 4);
    expect(breaker.state).toBe('closed');
  });

  it('opens again at the first failure for the whole time, and forgets its successes', async () => {
    await breaker.execute(ok);
    await failTimes(breaker, 1);
    expect(breaker.state).toBe('open');
    clock.jump(59_999);
    await openError(breaker);
    clock.jump(1);
    await breaker.execute(ok);
    expect(breaker.state).toBe('half-open');
  });

  it('rejects further calls at once, and says when the trial ends at the latest', async () => {
    const trial = Promise.withResolvers<string>();
    const running = breaker.execute(() => trial.promise);
    clock.jump(10_000);
    const error = await openError(breaker);
    expect(error).toMatchObject({ state: 'half-open', retryAfterMs: 50_000 });
    expect(error.message).toBe(
      "Circuit 'payments' is half-open; its trial calls end within 50000 ms: boom",
    );
    trial.resolve('late');
    expect(await running).toBe('late');
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.state).toBe('closed');
  });

  it('makes room for another trial after an ignored one, which changes nothing else', async () => {
    const picky = make({ shouldHandle: (outcome) => !outcome.ok && outcome.error === boom });
    await failTimes(picky, 5);
    clock.jump(60_000);
    for (let i = 0; i < 5; i++) {
      await expect(picky.execute(() => Promise.reject(new Error('404')))).rejects.toThrow('404');
    }
    expect(picky.state).toBe('half-open');
    await picky.execute(ok);
    await picky.execute(ok);
    expect(picky.state).toBe('closed');
  });

  it('makes room for another trial after an aborted one', async () => {
    const controller = new AbortController();
    const trial = breaker.execute(
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      { signal: controller.signal },
    );
    controller.abort();
    await expect(trial).rejects.toMatchObject({ name: 'AbortError' });
    expect(breaker.stats()).toMatchObject({ state: 'half-open', trials: { running: 0 } });
    await breaker.execute(ok);
    await breaker.execute(ok);
    expect(breaker.state).toBe('closed');
  });
});

describe('an open duration', () => {
  async function reopen(breaker: CircuitBreaker): Promise<number> {
    clock.jump(breaker.stats().retryAfterMs ?? 0);
    await failTimes(breaker, 1);
    return breaker.stats().retryAfterMs as number;
  }

  it('grows with each opening in a row, up to its cap', async () => {
    const breaker = make({
      openDurationMs: 1000,
      openDurationMultiplier: 2,
      maxOpenDurationMs: 5000,
    });
    await failTimes(breaker, 5);
    expect(breaker.stats().retryAfterMs).toBe(1000);
    expect(await reopen(breaker)).toBe(2000);
    expect(await reopen(breaker)).toBe(4000);
    expect(await reopen(breaker)).toBe(5000);
  });

  it('begins anew once the circuit has stayed closed as long as it was open', async () => {
    const breaker = make({ openDurationMs: 1000, openDurationMultiplier: 2 });
    const close = async (): Promise<void> => {
      clock.jump(breaker.stats().retryAfterMs ?? 0);
      await breaker.execute(ok);
      await breaker.execute(ok);
      expect(breaker.state).toBe('closed');
    };
    await failTimes(breaker, 5);
    await close();
    clock.jump(999);
    await failTimes(breaker, 5);
    expect(breaker.stats()).toMatchObject({ retryAfterMs: 2000, openings: 2 });
    await close();
    clock.jump(2000);
    await failTimes(breaker, 5);
    expect(breaker.stats()).toMatchObject({ retryAfterMs: 1000, openings: 1 });
  });

  it('begins anew after a reset by hand', async () => {
    const breaker = make({ openDurationMs: 1000, openDurationMultiplier: 2 });
    await failTimes(breaker, 5);
    breaker.reset();
    await failTimes(breaker, 5);
    expect(breaker.stats()).toMatchObject({ retryAfterMs: 1000, openings: 1 });
  });

  it('begins anew after stableAfterMs where that is given', async () => {
    const breaker = make({ openDurationMs: 1000, openDurationMultiplier: 2, stableAfterMs: 10 });
    await failTimes(breaker, 5);
    clock.jump(1000);
    await breaker.execute(ok);
    await breaker.execute(ok);
    clock.jump(10);
    await failTimes(breaker, 5);
    expect(breaker.stats().retryAfterMs).toBe(1000);
  });

  it('is computed by a function from the number of openings and the failure', async () => {
    const openDurationMs = vi.fn(() => 250);
    const breaker = make({ openDurationMs });
    await failTimes(breaker, 5);
    expect(openDurationMs).toHaveBeenCalledExactlyOnceWith({
      policy: 'payments',
      openings: 1,
      failure: boom,
      retryAfterMs: undefined,
    });
    expect(breaker.stats().retryAfterMs).toBe(250);
  });

  it('is at least what Retry-After asks for, in seconds or as a date, up to the cap', async () => {
    const asking = (retryAfter: string): Error =>
      Object.assign(new Error('503'), { status: 503, headers: { 'retry-after': retryAfter } });
    const opened = async (retryAfter: string, options: CircuitBreakerOptions = {}) => {
      const breaker = make({ failureThreshold: 1, ...options });
      await breaker.execute(() => Promise.reject(asking(retryAfter))).catch(() => undefined);
      return breaker.stats().retryAfterMs;
    };
    expect(await opened('120')).toBe(120_000);
    expect(await opened('5')).toBe(60_000);
    expect(await opened('31536000')).toBe(600_000);
    expect(await opened('120', { respectRetryAfter: false })).toBe(60_000);
    const inTwoMinutes = new Date(clock.now() + 120_000).toUTCString();
    expect(await opened(inTwoMinutes)).toBe(120_000);
  });
});
