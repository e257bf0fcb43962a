import { diag } from '@opentelemetry/api';
import { ManualClock, settle } from '@temper/testkit/clock';
import { afterEach, describe, expect, it } from 'vitest';
import type { RetryOptions } from './options.ts';
import { retry } from './retry.ts';

const refused = (): Promise<never> =>
  Promise.reject(Object.assign(new Error('no route'), { code: 'ECONNREFUSED' }));
const setUp = (options: RetryOptions = {}) => {
  const clock = new ManualClock();
  return { clock, policy: retry({ clock, jitter: 'none', maxAttempts: 3, ...options }) };
};
afterEach(() => diag.disable());
const EVENTS = ['onRetry', 'onGiveUp'] as const;

describe.each(EVENTS)('%s', (event) => {
  it('is heard by the hook of the options and by listeners that are added later, in order', async () => {
    const heard: unknown[] = [];
    const { clock, policy } = setUp({ [event]: () => heard.push('hook') });
    policy[event]((what, call) => heard.push([what.attempt, what.operation, call.key]));
    policy[event](() => heard.push('last'));
    await clock.runUntil(policy.tryExecute(refused, { operation: 'fetch', key: 'k' }));
    const attempts = event === 'onRetry' ? [1, 2] : [3];
    expect(heard).toEqual(attempts.flatMap((n) => ['hook', [n, 'fetch', 'k'], 'last']));
  });

  it('is not heard any more by a listener that was disposed of', async () => {
    const { clock, policy } = setUp();
    const heard: string[] = [];
    const first = policy[event](() => heard.push('first'));
    const same = (): void => void heard.push('same');
    const one = policy[event](same);
    policy[event](same);
    first[Symbol.dispose]();
    one[Symbol.dispose]();
    one[Symbol.dispose]();
    await clock.runUntil(policy.tryExecute(refused));
    expect(new Set(heard)).toEqual(new Set(['same']));
    expect(heard).toHaveLength(event === 'onRetry' ? 2 : 1);
  });

  it('does not let a listener that fails change the call', async () => {
    const logged: unknown[] = [];
    const quiet = (): void => {};
    const error = (...args: unknown[]): void => void logged.push(args[0]);
    diag.setLogger({ error, warn: quiet, info: quiet, debug: quiet, verbose: quiet });
    const { clock, policy } = setUp();
    const heard: number[] = [];
    policy[event](() => {
      throw new Error('broken');
    });
    policy[event](async () => {
      throw new Error('broken later');
    });
    policy[event](({ attempt }) => heard.push(attempt));
    const outcome = await clock.runUntil(policy.tryExecute(refused));
    await settle();
    expect(outcome).toMatchObject({ error: { code: 'ECONNREFUSED' } });
    expect(heard.length).toBeGreaterThan(0);
    expect(logged).toHaveLength(2 * heard.length);
  });

  it('refuses what is no function', () => {
    const { policy } = setUp();
    expect(() => policy[event](undefined as never)).toThrow(TypeError);
  });
});

it('tells of a wait when its timer is armed, so that a listener may advance the time', async () => {
  const { clock, policy } = setUp();
  const pending: number[] = [];
  policy.onRetry(({ delayMs }) => {
    pending.push(clock.pending);
    void clock.advance(delayMs);
  });
  await policy.tryExecute(refused);
  expect(pending).toEqual([1, 1]);
});

it('tells onGiveUp what the operation failed with when its caller aborted during it', async () => {
  const { policy } = setUp();
  const controller = new AbortController();
  const heard: unknown[] = [];
  policy.onGiveUp(({ outcome, error }) => heard.push([outcome, error]));
  const own = new Error('closed half way');
  const call = policy.execute(
    async () => {
      controller.abort('left');
      throw own;
    },
    { signal: controller.signal },
  );
  await expect(call).rejects.toBe('left');
  expect(heard).toEqual([[{ ok: false, error: own }, 'left']]);
});

describe('an error that cannot be classified', () => {
  const warned: string[] = [];

  it('is reported once for each kind, of at most 20 kinds', async () => {
    const quiet = (): void => {};
    const warn = (message: string): void => void warned.push(message);
    diag.setLogger({ error: quiet, warn, info: quiet, debug: quiet, verbose: quiet });
    const { policy } = setUp();
    const kind = (name: string): Error => Object.assign(new Error('x'), { name });
    for (const name of ['Odd', 'Odd', 'Strange', 'Odd']) {
      await policy.tryExecute(() => Promise.reject(kind(name)));
    }
    expect(warned).toHaveLength(2);
    for (let i = 0; i < 100; i++) await policy.tryExecute(() => Promise.reject(kind(`Kind${i}`)));
    expect(warned).toHaveLength(20);
  });
});
