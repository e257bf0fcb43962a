import { getEventListeners } from 'node:events';
import { DeadlineExceededError } from '@temper/core';
import { Call, type CallScope, retryDetails } from '@temper/core/policy';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import type { RetryOptions } from './options.ts';
import { type RetryPolicy, retry } from './retry.ts';

const transient = (): Error => Object.assign(new Error('no route'), { code: 'ECONNREFUSED' });
const REASON = { why: 'ended early' };

/** A call that one party can end, and what has to be released afterwards. */
interface Ending {
  readonly call: Call;
  end(): void;
  /** Listeners left on the caller's signal. */
  listeners(): number;
}

function bySignal(reason: unknown): Ending {
  const controller = new AbortController();
  return {
    call: new Call(1, undefined, undefined, controller.signal),
    end: () => controller.abort(reason),
    listeners: () => getEventListeners(controller.signal, 'abort').length,
  };
}

function byScope(by: Parameters<CallScope['end']>[0]): Ending {
  const caller = new AbortController();
  const call = new Call(1, undefined, undefined, caller.signal).scope();
  return {
    call,
    end: () => call.end(by, REASON),
    listeners: () => {
      call.release();
      return getEventListeners(caller.signal, 'abort').length;
    },
  };
}

const PARTIES: readonly (readonly [string, () => Ending])[] = [
  ['the caller', () => bySignal(REASON)],
  ['a deadline', () => byScope('deadline')],
  ['a timeout', () => byScope('timeout')],
  ['a lost hedge', () => byScope('hedge')],
];

interface Run {
  readonly clock: ManualClock;
  readonly policy: RetryPolicy;
  readonly gaveUp: unknown[];
}
function setUp(options: RetryOptions = {}): Run {
  const clock = new ManualClock();
  const gaveUp: unknown[] = [];
  const onGiveUp: RetryOptions['onGiveUp'] = ({ attempt, error }) => gaveUp.push([attempt, error]);
  return { clock, gaveUp, policy: retry({ jitter: 'none', clock, onGiveUp, ...options }) };
}

const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.fail('It resolved.'),
    (error: unknown) => error,
  );

/** A callback that does something before it answers. */
const after =
  <T>(work: () => void, answer: T): (() => T) =>
  () => {
    work();
    return answer;
  };

/** What must hold after every early end. */
async function expectEnded(run: Run, ending: Ending, error: unknown, attempts: number) {
  expect(error).toBe(REASON);
  expect(retryDetails(error)).toBeUndefined();
  await settle();
  expect(run.policy.stats()).toMatchObject({
    operations: { aborted: 1, failure: 0, exhausted: 0, recovered: 0 },
    attempts,
    retries: attempts - 1,
  });
  expect(run.gaveUp).toEqual([[attempts, REASON]]);
  expect(run.clock.pendingRefed).toBe(0);
  expect(ending.listeners()).toBe(0);
}

describe.each(PARTIES)('a call that %s ends', (_, create) => {
  it.each([undefined, 5000])(
    'during its first attempt makes no other, with attemptTimeoutMs %s',
    async (attemptTimeoutMs) => {
      const run = setUp(attemptTimeoutMs === undefined ? {} : { attemptTimeoutMs });
      const ending = create();
      const call = caught(
        run.policy.execute(
          async ({ signal }) => {
            await run.clock.sleep(1000, signal).catch(() => {});
            throw transient();
          },
          { parent: ending.call },
        ),
      );
      await settle();
      ending.end();
      await expectEnded(run, ending, await call, 1);
    },
  );

  it('during a later attempt makes no other', async () => {
    const run = setUp();
    const ending = create();
    const call = caught(
      run.policy.execute(
        async ({ attempt }) => {
          if (attempt === 2) ending.end();
          throw transient();
        },
        { parent: ending.call },
      ),
    );
    await expectEnded(run, ending, await run.clock.runUntil(call), 2);
  });

  it('during a wait ends at once', async () => {
    const run = setUp();
    const ending = create();
    const call = caught(
      run.policy.execute(() => Promise.reject(transient()), { parent: ending.call }),
    );
    await settle();
    expect(run.clock.pendingRefed).toBe(1);
    ending.end();
    await expectEnded(run, ending, await call, 1);
  });

  it.each<[string, (end: () => void) => RetryOptions]>([
    ['by shouldHandle', (end) => ({ shouldHandle: after(end, true) })],
    ['by delay', (end) => ({ delay: after(end, 5) })],
    ['by onRetry, before a wait', (end) => ({ onRetry: end })],
    ['by onRetry, without a wait', (end) => ({ onRetry: end, initialDelayMs: 0 })],
    ['by the budget', (end) => ({ budget: { deposit: () => {}, withdraw: after(end, true) } })],
  ])('between two attempts makes no other: %s', async (_name, options) => {
    const ending = create();
    const run = setUp(options(ending.end));
    const call = caught(
      run.policy.execute(() => Promise.reject(transient()), { parent: ending.call }),
    );
    await expectEnded(run, ending, await run.clock.runUntil(call), 1);
  });

  it.each([
    ['keeps the answer of an operation that ignores it', 200, 200],
    ['throws the reason in place of an answer that counts as a failure', 503, REASON],
  ])('%s', async (_name, answer, expected) => {
    const run = setUp({ shouldHandle: (o) => o.ok && o.value === 503 });
    const ending = create();
    const call = run.policy.tryExecute(() => after(ending.end, answer)(), { parent: ending.call });
    const outcome = await call;
    expect(outcome.ok ? outcome.value : outcome.error).toBe(expected);
    expect(run.policy.stats()).toMatchObject({ attempts: 1, retries: 0 });
  });

  it('throws the reason when it comes in the wait after a value that counts as a failure', async () => {
    const run = setUp({ shouldHandle: (o) => o.ok });
    const ending = create();
    const call = caught(run.policy.execute(() => 503, { parent: ending.call }));
    await settle();
    ending.end();
    await expectEnded(run, ending, await call, 1);
  });
});

describe('timeoutMs', () => {
  it.each([
    ['an attempt', 50, 0],
    ['a wait', 250, 300],
  ])(
    'that passes during %s ends the call with DeadlineExceededError',
    async (_, timeoutMs, delay) => {
      const { clock, policy } = setUp({ delay: () => delay });
      const call = caught(
        policy.execute(
          async ({ signal }) => {
            await clock.sleep(100, signal);
            throw transient();
          },
          { timeoutMs },
        ),
      );
      const error = await clock.runUntil(call);
      await settle();
      if (delay === 0) {
        expect(error).toBeInstanceOf(DeadlineExceededError);
        expect(policy.stats()).toMatchObject({ operations: { aborted: 1 } });
      } else {
        // No wait that would outlast the deadline is begun.
        expect(error).toMatchObject({ code: 'ECONNREFUSED' });
        expect(retryDetails(error)).toMatchObject({ reason: 'deadline', attempts: 1 });
      }
      expect(clock.pending).toBe(0);
    },
  );
});
