import { circuitBreaker } from '@temper/breaker';
import { type Clock, OperationTimeoutError } from '@temper/core';
import { bundledDefinition, createToolchain } from '@temper/parsercraft';
import { tokenBucket } from '@temper/ratelimit';
import { retry } from '@temper/retry';
import { describe, expect, it } from 'vitest';
import { problemOf } from './problem-of.ts';

const nothing = (): void => undefined;
/** Time stands still; a wait is over at once. */
const clock: Clock = {
  now: () => 0,
  monotonic: () => 0,
  sleep: async () => undefined,
  schedule: () => ({ cancel: nothing, ref: nothing, unref: nothing }),
};
const TRACE = 'f'.repeat(32);
const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.fail('It resolved.'),
    (error: unknown) => error,
  );
const bodyOf = (error: unknown) => problemOf(error)?.body(TRACE);

/** What a retry policy rejects with when each attempt fails with `error`. */
async function exhausted(error: unknown): Promise<unknown> {
  const policy = retry({ clock, jitter: 'none', shouldHandle: (outcome) => !outcome.ok });
  const fail = (): Promise<never> => Promise.reject(error);
  return rejection(policy.execute(fail));
}

describe('a problem', () => {
  it('is bad-gateway with the number of attempts after the last retry', async () => {
    const error = await exhausted(new Error('The registry is down.'));
    expect(bodyOf(error)).toMatchObject({
      status: 502,
      code: 'bad-gateway',
      detail: 'The last of 3 attempts failed, after 0 ms of retries: The registry is down.',
    });
  });

  it('is timed-out when the last attempt timed out', async () => {
    const error = await exhausted(new OperationTimeoutError('fetch_package', 2_000));
    expect(bodyOf(error)).toMatchObject({ status: 504, code: 'timed-out' });
  });

  it.each([
    ['bad-gateway', Object.assign(new Error('x'), { code: 'ECONNREFUSED' })],
    ['bad-gateway', Object.assign(new Error('x'), { status: 500 })],
    ['timed-out', new OperationTimeoutError('fetch_package', 2_000)],
  ])('is %s for an error that was not retried', (code, error) => {
    expect(bodyOf(error)).toMatchObject({ code });
    expect(bodyOf(error)?.detail).not.toContain('attempts');
  });

  it.each([new TypeError('x is not a function'), new Error('x'), 'x', undefined, null])(
    'is none for the unexpected %o',
    (error) => {
      expect(problemOf(error)).toBeUndefined();
    },
  );

  it('names the breaker that refused, and when to retry', async () => {
    const breaker = circuitBreaker({
      name: 'registry',
      clock,
      openDurationMs: 1_500,
      failureThreshold: 1,
    });
    const down = Object.assign(new Error('down'), { code: 'ECONNREFUSED' });
    await breaker.tryExecute(() => Promise.reject(down));
    const problem = problemOf(await rejection(breaker.execute(() => 'never')));
    expect(problem?.body(TRACE)).toMatchObject({
      status: 503,
      code: 'circuit-open',
      breaker: 'registry',
      retryAfterMs: 1_500,
    });
    expect(problem?.headers).toEqual({ 'retry-after': '2' });
  });

  it('names the limiter that refused, and when to retry', async () => {
    const limiter = tokenBucket({ name: 'queries', limit: 1, burst: 1, maxQueue: 0 });
    await limiter.execute(() => 'first');
    const problem = problemOf(await rejection(limiter.execute(() => 'never')));
    expect(problem?.body(TRACE)).toMatchObject({ code: 'rate-limited', limiter: 'queries' });
    expect(problem?.headers).toEqual({ 'retry-after': '60' });
  });

  it('keeps the lines of a diagnosis', () => {
    const toolchain = createToolchain(bundledDefinition('core'));
    let error: unknown;
    try {
      toolchain.toC('print(\n)\nlet = 3\nfn (\n');
    } catch (thrown) {
      error = thrown;
    }
    const { message } = error as Error;
    expect(message).toContain('\n');
    expect(bodyOf(error)).toMatchObject({ code: 'invalid-program', detail: message });
  });

  it('has a detail of at most 1000 characters, without credentials and control characters', () => {
    const escapeCode = String.fromCharCode(0x1b);
    const text = `connect to http://admin:secret@registry.example/ failed ${escapeCode}[31m${'x'.repeat(5_000)}`;
    const detail = bodyOf(Object.assign(new Error(text), { code: 'ECONNREFUSED' }))?.detail ?? '';
    expect(detail).toMatch(/^connect to \(inner\) failed/);
    expect(detail).not.toMatch(/secret|admin|registry\.example/);
    expect(detail).not.toContain(escapeCode);
    expect(detail.length).toBeLessThanOrEqual(1_000);
  });
});
