import type { CallContext, CallOptions, Outcome, Policy } from '@temper/core';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { hedge, pipeline, timeout } from '../../src/index.ts';
import {
  expectNothingLeft,
  KIND_NAMES,
  KINDS,
  type Kind,
  PAIRS,
  SECOND_BEST,
  SENSIBLE,
  type WatchedSignal,
  watchedSignal,
} from './catalogue.ts';

const ORDERS: readonly (readonly Kind[])[] = [
  ...KIND_NAMES.map((kind) => [kind] as const),
  ...PAIRS,
  ...SENSIBLE,
];

/** What the call carries besides its signal. */
const LABELS: readonly CallOptions[] = [
  {},
  { cost: 2, priority: 'critical', key: 'tenant' },
  { timeoutMs: 10_000 },
];

/** What ends the call, and when. */
interface Moment {
  readonly what: string;
  /** Called at the beginning of the operation. */
  readonly inOperation?: (end: () => void) => void;
  /** Called when the operation is about to return. */
  readonly atReturn?: (end: () => void) => void;
}

const MOMENTS: readonly Moment[] = [
  { what: 'at the beginning of the operation', inOperation: (end) => end() },
  { what: 'a microtask later', inOperation: (end) => queueMicrotask(end) },
  { what: 'as the operation returns', atReturn: (end) => end() },
  { what: 'a microtask after the operation has returned', atReturn: (end) => queueMicrotask(end) },
];

/** How the operation reacts to the end of its call. */
const REACTIONS: Readonly<Record<string, (call: CallContext, clock: ManualClock) => unknown>> = {
  'heeds its signal': (call, clock) => clock.sleep(20, call.signal).then(() => 'answer'),
  'ignores its signal': (_call, clock) => clock.sleep(20).then(() => 'answer'),
  'never reads its signal and returns at once': () => 'answer',
  'fails with an error of its own': async (call, clock) => {
    await clock.sleep(20, call.signal).catch(() => {});
    throw Object.assign(new Error('own'), { code: 'ECONNRESET' });
  },
};

interface Settled {
  readonly outcomes: readonly Outcome<unknown>[];
  readonly watched: WatchedSignal;
}

/** Makes a call that is ended at this moment, and follows it to its end. */
async function run(
  clock: ManualClock,
  policy: Policy,
  { inOperation, atReturn }: Moment,
  react: (call: CallContext, clock: ManualClock) => unknown,
  labels: CallOptions,
): Promise<Settled> {
  const watched = watchedSignal();
  const end = (): void => watched.abort('left');
  const outcomes: Outcome<unknown>[] = [];
  const operation = async (call: CallContext): Promise<unknown> => {
    inOperation?.(end);
    try {
      return await react(call, clock);
    } finally {
      atReturn?.(end);
    }
  };
  void policy
    .tryExecute(operation, { ...labels, signal: watched.signal })
    .then((outcome) => outcomes.push(outcome));
  await clock.advance(5000);
  return { outcomes, watched };
}

describe.each(ORDERS.map((kinds) => [kinds.join(' > '), kinds] as const))('%s', (_, kinds) => {
  const build = () => {
    const clock = new ManualClock();
    return { clock, policy: pipeline({ clock }, ...kinds.map((kind) => KINDS[kind](clock))) };
  };

  it('settles once, whenever its caller leaves, and whatever the call carries', async () => {
    let calls = 0;
    for (const moment of MOMENTS) {
      for (const react of Object.values(REACTIONS)) {
        const { clock, policy } = build();
        const labels = LABELS[calls++ % LABELS.length] as CallOptions;
        const { outcomes, watched } = await run(clock, policy, moment, react, labels);
        expect(outcomes).toHaveLength(1);
        const [outcome] = outcomes as [Outcome<unknown>];
        if (outcome.ok) expect(['answer', SECOND_BEST]).toContain(outcome.value);
        else if (outcome.error !== 'left') expect(outcome.error).toMatchObject({ message: 'own' });
        await expectNothingLeft(clock, watched);
        // Nothing that the call held is lost to the next one.
        await expect(clock.runUntil(policy.execute(() => 'next', labels))).resolves.toBe('next');
      }
    }
  });

  it('is not disturbed by a signal that aborts after the end of the call', async () => {
    const { clock, policy } = build();
    const watched = watchedSignal();
    const call = policy.execute(() => 'answer', { signal: watched.signal });
    await expect(clock.runUntil(call)).resolves.toBe('answer');
    watched.abort('left');
    await expectNothingLeft(clock, watched);
    await expect(clock.runUntil(policy.execute(() => 'next'))).resolves.toBe('next');
  });

  it('works on when its policies are disposed of before, during and after a call', async () => {
    const clock = new ManualClock();
    const policies = kinds.map((kind) => KINDS[kind](clock));
    const policy = pipeline({ clock }, ...policies);
    const dispose = (): void => {
      for (const each of policies) each[Symbol.dispose]();
      policy[Symbol.dispose]();
    };
    const slow = policy.execute(() => clock.sleep(50).then(() => 'answer'));
    await clock.advance(10);
    dispose();
    await expect(clock.runUntil(slow)).resolves.toBe('answer');
    dispose();
    await expect(clock.runUntil(policy.execute(() => 'next'))).resolves.toBe('next');
    await expectNothingLeft(clock);
  });

  it('settles once when the operation ends at the moment of the deadline', async () => {
    for (const how of ['value', 'error'] as const) {
      const { clock, policy } = build();
      const outcomes: Outcome<unknown>[] = [];
      const operation = async (): Promise<string> => {
        await clock.sleep(100);
        if (how === 'error') throw new TypeError('own');
        return 'answer';
      };
      void policy.tryExecute(operation, { timeoutMs: 100 }).then((one) => outcomes.push(one));
      await clock.advance(5000);
      expect(outcomes).toHaveLength(1);
      await expectNothingLeft(clock);
    }
  });
});

/** Kinds that make no sense inside each other are left out: see the errors of a pipeline's order. */
const INNER = KIND_NAMES.filter((kind) => kind !== 'timeout' && kind !== 'hedge');

describe.each(INNER)('%s', (kind) => {
  it('leaves nothing behind when a timeout around it or a lost hedge ends it', async () => {
    for (const around of ['timeout', 'hedge'] as const) {
      for (const react of Object.values(REACTIONS)) {
        const clock = new ManualClock();
        const outer =
          around === 'timeout' ? timeout({ clock, timeoutMs: 11 }) : hedge({ clock, delayMs: 1 });
        const policy = pipeline({ clock }, outer, KINDS[kind](clock));
        const outcomes: unknown[] = [];
        void policy.tryExecute((call) => react(call, clock)).then((one) => outcomes.push(one));
        await clock.advance(5000);
        await settle();
        expect(outcomes).toHaveLength(1);
        await expectNothingLeft(clock);
      }
    }
  });
});
