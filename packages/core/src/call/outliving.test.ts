import { getEventListeners } from 'node:events';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { ThroughPolicy } from '../../test/through-policy.ts';
import type { CallContext, CallOptions } from '../contract.ts';
import { Call } from './context.ts';
import { runWithTimeout } from './timeout.ts';
import { TimeoutQueue } from './timeout-queue.ts';

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

interface Child {
  readonly context: CallContext;
  finish(): void;
  readonly outcome: Promise<unknown>;
}

/** Starts a call that joins `parent`, and runs until it is told to finish or its signal aborts. */
function join(policy: ThroughPolicy, parent: CallContext, options: CallOptions = {}): Child {
  let context: CallContext | undefined;
  let finish = (): void => {};
  const outcome = policy.tryExecute(
    (call) => {
      context = call;
      return new Promise<string>((resolve, reject) => {
        finish = () => resolve('finished');
        call.signal.addEventListener('abort', () => reject(call.signal.reason));
      });
    },
    { ...options, parent },
  );
  return { context: context as unknown as CallContext, finish: () => finish(), outcome };
}

/** Every way in which a parent gets a scope that is released when it resolves. */
const PARENTS: [
  string,
  (
    clock: ManualClock,
    signal: AbortSignal,
    work: (call: CallContext) => Promise<unknown>,
  ) => Promise<unknown>,
][] = [
  [
    'a call with a timeout',
    (clock, signal, work) => new ThroughPolicy(clock).execute(work, { signal, timeoutMs: 100 }),
  ],
  [
    'a timed attempt',
    (clock, signal, work) =>
      runWithTimeout(
        work,
        new Call(1, undefined, undefined, signal),
        new TimeoutQueue(clock, 100),
        () => new Error('too long'),
      ),
  ],
  [
    'an attempt within a call with a timeout',
    (clock, signal, work) =>
      new ThroughPolicy(clock).execute((call) => work((call as Call).forAttempt(2)), {
        signal,
        timeoutMs: 100,
      }),
  ],
  [
    'a joined call with a timeout',
    (clock, signal, work) => {
      const policy = new ThroughPolicy(clock);
      return policy.execute(
        (parent) => policy.execute(work, { parent, timeoutMs: 100, key: 'k' }),
        { signal },
      );
    },
  ],
];
const OPTIONS: [string, CallOptions][] = [
  ['without options', {}],
  ['with a label', { key: 'child' }],
  ['with a timeout', { timeoutMs: 60_000 }],
  ['with a signal', { signal: new AbortController().signal }],
];

describe.each(PARENTS)('a call that joined %s and outlives it', (_, run) => {
  async function setUp(options: CallOptions) {
    const clock = new ManualClock();
    const controller = new AbortController();
    const policy = new ThroughPolicy(clock);
    let child: Child | undefined;
    let parent: CallContext | undefined;
    await run(clock, controller.signal, async (call) => {
      parent = call;
      void call.signal;
      child = join(policy, call, options);
    });
    return {
      clock,
      controller,
      policy,
      child: child as unknown as Child,
      parent: parent as unknown as CallContext,
    };
  }

  it.each(OPTIONS)('stays bound to its deadline, %s', async (_, options) => {
    const { clock, controller, child } = await setUp(options);
    await clock.advance(99);
    expect(child.context.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(child.context.signal.aborted).toBe(true);
    expect(['deadline', 'timeout']).toContain(child.context.endedBy);
    expect(await child.outcome).toMatchObject({ ok: false, error: child.context.signal.reason });
    expect(clock.pendingRefed).toBe(0);
    expect(listeners(controller.signal)).toBe(0);
  });

  it.each(OPTIONS)("stays bound to its caller's signal, %s", async (_, options) => {
    const { clock, controller, child } = await setUp(options);
    controller.abort('left');
    expect(child.context.signal.reason).toBe('left');
    expect(child.context.endedBy).toBe('caller');
    expect(await child.outcome).toEqual({ ok: false, error: 'left' });
    expect(clock.pendingRefed).toBe(0);
    expect(listeners(controller.signal)).toBe(0);
  });

  it.each(OPTIONS)('leaves neither timer nor listener when it is over, %s', async (_, options) => {
    const { clock, controller, child } = await setUp(options);
    expect(clock.pendingRefed).toBeGreaterThan(0);
    child.finish();
    expect(await child.outcome).toEqual({ ok: true, value: 'finished' });
    await settle();
    expect(clock.pendingRefed).toBe(0);
    expect(listeners(controller.signal)).toBe(0);
    controller.abort('later');
    expect(child.context.signal.aborted).toBe(false);
  });

  it('holds until the last one of several is over', async () => {
    const { clock, controller, child, policy, parent } = await setUp({});
    const second = join(policy, parent);
    const third = join(policy, second.context);
    child.finish();
    second.finish();
    await Promise.all([child.outcome, second.outcome]);
    controller.abort('left');
    expect(await third.outcome).toEqual({ ok: false, error: 'left' });
    expect(clock.pendingRefed).toBe(0);
    expect(listeners(controller.signal)).toBe(0);
  });

  it.each(OPTIONS)('is bound even if it joins when its parent is over, %s', async (_, options) => {
    for (const end of ['deadline', 'caller', 'none'] as const) {
      const { clock, controller, child, policy, parent } = await setUp({});
      child.finish();
      await child.outcome;
      await settle();
      expect(clock.pendingRefed).toBe(0);
      await clock.advance(40);
      const late = join(policy, parent, options);
      if (end === 'deadline') await clock.advance(60);
      else if (end === 'caller') controller.abort('left');
      else late.finish();
      const outcome = await late.outcome;
      if (end === 'none') expect(outcome).toMatchObject({ value: 'finished' });
      else if (end === 'caller') expect(outcome).toMatchObject({ error: 'left' });
      else expect(outcome).toMatchObject({ error: { code: 'DEADLINE_EXCEEDED' } });
      await settle();
      expect(clock.pendingRefed).toBe(0);
      expect(listeners(controller.signal)).toBe(0);
    }
  });
});
