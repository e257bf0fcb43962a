import { ManualClock } from '@temper/testkit/clock';
import { beforeEach, describe, expect, it } from 'vitest';
import { circuitBreaker } from './circuit-breaker.ts';
import type { CircuitBreaker } from './contract.ts';
import { CircuitOpenError } from './errors.ts';
import type { CircuitBreakerOptions } from './options.ts';

const ok = async (): Promise<string> => 'ok';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

async function open(
  failure: unknown,
  options: CircuitBreakerOptions = {},
): Promise<CircuitBreaker> {
  const breaker = circuitBreaker({ name: 'bank', clock, failureThreshold: 1, ...options });
  await breaker.tryExecute(() => Promise.reject(failure));
  return breaker;
}

/** The error of a rejected call. */
async function rejection(breaker: CircuitBreaker): Promise<() => CircuitOpenError> {
  const outcome = await breaker.tryExecute(ok);
  if (outcome.ok) throw new Error('The circuit let the call through.');
  return () => outcome.error as CircuitOpenError;
}

describe('the outcome of a rejected tryExecute()', () => {
  it('is an object like any other: it can be compared, copied, spread and taken apart', async () => {
    const breaker = await open(new Error('down'));
    const outcome = await breaker.tryExecute(ok);
    const error = expect.any(CircuitOpenError);
    expect(Object.keys(outcome)).toEqual(['ok', 'error']);
    expect(outcome).toEqual({ ok: false, error });
    expect({ ...outcome }).toEqual({ ok: false, error });
    expect(Object.assign({}, outcome)).toEqual({ ok: false, error });
    expect(structuredClone(outcome)).toMatchObject({ ok: false, error: expect.any(Error) });
    expect(JSON.parse(JSON.stringify(outcome))).toMatchObject({
      ok: false,
      error: { code: 'CIRCUIT_OPEN', retryAfterMs: 60_000 },
    });
    const { ok: succeeded, error: taken } = outcome as { ok: boolean; error: unknown };
    expect([succeeded, taken]).toEqual([false, error]);
  });

  it('has one error, however often it is read, and another call has another one', async () => {
    const breaker = await open(new Error('down'));
    const [first, second] = [await rejection(breaker), await rejection(breaker)];
    expect(first()).toBe(first());
    expect(first()).not.toBe(second());
  });

  it('tells of the moment of the rejection, also when it is read later', async () => {
    const breaker = await open(new Error('first'));
    clock.jump(1000);
    const early = await rejection(breaker);
    clock.jump(59_000);
    await breaker.tryExecute(() => Promise.reject(new Error('second')));
    const late = await rejection(breaker);
    expect(late().message).toBe("Circuit 'bank' is open; the next trial is in 60000 ms: second");
    expect(early()).toMatchObject({
      state: 'open',
      retryAfterMs: 59_000,
      message: "Circuit 'bank' is open; the next trial is in 59000 ms: first",
    });
    breaker.reset();
    expect((await rejection(await open(new Error('third'))))().message).toMatch(/third$/);
  });

  it.each([
    ['without options', undefined],
    ['with a signal', { signal: new AbortController().signal }],
    ['with a timeout', { timeoutMs: 1000 }],
  ])('is the same %s', async (_how, options) => {
    const breaker = await open(new Error('down'));
    const outcome = await breaker.tryExecute(ok, options);
    expect(outcome).toMatchObject({
      ok: false,
      error: {
        code: 'CIRCUIT_OPEN',
        message: "Circuit 'bank' is open; the next trial is in 60000 ms: down",
      },
    });
    expect(breaker.stats().calls.rejected).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it('has the stack of the call, and not of who reads it, with errorStack', async () => {
    const breaker = await open(new Error('down'), { errorStack: true });
    const rejected = await (function callOfTheUser() {
      return rejection(breaker);
    })();
    expect(rejected().stack).toContain('callOfTheUser');
  });
});
