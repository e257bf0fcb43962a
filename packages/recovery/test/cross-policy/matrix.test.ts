import { getEventListeners } from 'node:events';
import type { CallContext, CallOptions, EndedBy, Executor, Outcome } from '@temper/core';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { hedge, pipeline, timeout } from '../../src/index.ts';
import { expectNothingLeft, KIND_NAMES, KINDS, type Kind, transient } from './catalogue.ts';

// Each kind of policy, with each way to make a call, each thing that an operation does, and each way in which
// the call ends.

/** What an operation does; `by` has ended its call, in case that ends before it does. */
const WORK: Readonly<Record<string, (call: CallContext, clock: ManualClock) => unknown>> = {
  'returns at once': () => 'value',
  'returns a value that looks like a refusal': () => ({ refused: true, code: 'CIRCUIT_OPEN' }),
  'throws at once': () => {
    throw transient('own');
  },
  'throws what looks like a refusal': () => {
    throw Object.assign(new Error('own'), { refused: true, code: 'CIRCUIT_OPEN', policy: 'p' });
  },
  'throws a primitive': () => {
    throw 'own';
  },
  'heeds its signal': (call, clock) => clock.sleep(5000, call.signal),
  'hides the end of its call': async (call, clock) => {
    await clock.sleep(5000, call.signal).catch(() => {});
    throw transient('own');
  },
  'returns although it was ended': async (call, clock) => {
    await clock.sleep(5000, call.signal).catch(() => {});
    return 'late';
  },
  'ignores its signal': (_call, clock) => clock.sleep(5000),
};

interface Call {
  readonly clock: ManualClock;
  readonly policy: Executor;
  readonly operation: (call: CallContext) => unknown;
  readonly options: CallOptions;
}

/** How a call is made. */
const WAYS: Readonly<Record<string, (call: Call) => Promise<unknown>>> = {
  plain: ({ policy, operation, options }) => policy.execute(operation, options),
  labelled: ({ policy, operation, options }) =>
    policy.execute(operation, { ...options, cost: 2, priority: 'critical', key: 'tenant' }),
  joined: ({ clock, policy, operation, options }) =>
    pipeline({ clock }).execute((parent) => policy.execute(operation, { parent }), options),
  'joined with labels and limits of its own': ({ clock, policy, operation, options }) =>
    pipeline({ clock }).execute(
      (parent) => policy.execute(operation, { ...options, parent, cost: 2, key: 'tenant' }),
      { key: 'outer' },
    ),
  iterated: async ({ policy, operation, options }) => {
    const items = (await policy.execute(async function* (call) {
      yield await operation(call);
      yield 'last';
    }, options)) as AsyncIterable<unknown>;
    let first: unknown;
    for await (const item of items) first ??= [item];
    return (first as [unknown])[0];
  },
  'iterated, and left': async ({ policy, operation, options }) => {
    const items = (await policy.execute(async function* (call) {
      yield await operation(call);
      await new Promise(() => {});
    }, options)) as AsyncIterable<unknown>;
    for await (const item of items) return item;
    return undefined;
  },
};

/** How the call ends, apart from its operation, 100 ms after its beginning. */
const ENDS: Readonly<
  Record<string, { readonly by?: EndedBy; readonly around?: (clock: ManualClock) => Executor }>
> = {
  nothing: {},
  'its caller': { by: 'caller' },
  'its deadline': { by: 'deadline' },
  'a timeout around it': {
    by: 'timeout',
    around: (clock) => timeout({ clock, timeoutMs: 100 }),
  },
  'another attempt': { by: 'hedge', around: (clock) => hedge({ clock, delayMs: 60 }) },
};

interface Run {
  readonly outcome: Outcome<unknown> | undefined;
  /** Who had ended each call of the operation when it settled. */
  readonly endedBy: readonly (EndedBy | undefined)[];
}

async function run(kind: Kind, end: string, way: string, work: string): Promise<Run> {
  const clock = new ManualClock();
  const inner = KINDS[kind](clock);
  const { by, around } = ENDS[end] as (typeof ENDS)[string];
  const policy = around === undefined ? inner : pipeline({ clock }, around(clock), inner);
  const controller = new AbortController();
  const { signal } = controller;
  const endedBy: (EndedBy | undefined)[] = [];
  const operation = async (call: CallContext): Promise<unknown> => {
    try {
      if (by === 'hedge' && call.hedge > 1) {
        await clock.sleep(40);
        return 'second';
      }
      return await (WORK[work] as (typeof WORK)[string])(call, clock);
    } finally {
      endedBy.push(call.endedBy);
    }
  };
  const options = by === 'deadline' ? { signal, timeoutMs: 100 } : { signal };
  const outcomes: Outcome<unknown>[] = [];
  const made = (WAYS[way] as (typeof WAYS)[string])({ clock, policy, operation, options });
  made.then(
    (value) => outcomes.push({ ok: true, value }),
    (error: unknown) => outcomes.push({ ok: false, error }),
  );
  if (by === 'caller') clock.schedule(() => controller.abort('left'), 100);
  await clock.advance(100);
  await clock.advance(60_000);
  expect(outcomes).toHaveLength(1);
  await expectNothingLeft(clock);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  // What the call held has been given back.
  const { inFlight = 0, queued = 0 } = (
    inner as unknown as { stats(): { inFlight?: number; queued?: number } }
  ).stats();
  expect({ inFlight, queued }).toEqual({ inFlight: 0, queued: 0 });
  return { outcome: outcomes[0], endedBy };
}

/** Whether work would go on beyond the end of the call. */
const isLong = (work: string): boolean => !/ at once|looks like|primitive/.test(work);

describe.each(KIND_NAMES)('a call under %s', (kind) => {
  // The order of two timeouts, of which the inner one is longer, is refused.
  const ends = Object.keys(ENDS).filter((end) => ENDS[end]?.by !== 'timeout' || kind !== 'timeout');
  describe.each(ends)('ended by %s', (end) => {
    it.each(Object.keys(WAYS))('ends once and leaves nothing behind, %s', async (way) => {
      for (const work of Object.keys(WORK)) {
        const { outcome, endedBy } = await run(kind, end, way, work);
        const { by } = ENDS[end] as (typeof ENDS)[string];
        if (by === undefined || !isLong(work)) continue;
        const what = `${kind}, ${end}, ${way}, ${work}`;
        // The flight of several attempts is one run, which no attempt ends.
        if (kind === 'singleFlight' && by === 'hedge') continue;
        // A timeout of its own comes after the end around it, and before that of a later attempt.
        expect([what, endedBy[0] ?? 'nothing']).toEqual([what, expect.stringMatching(/\w/)]);
        if (by === 'hedge') expect(endedBy).toContain('hedge');
        else if (work !== 'ignores its signal') expect([what, endedBy]).toEqual([what, [by]]);
        if (outcome?.ok === true) expect(['late', 'second', undefined]).toContain(outcome.value);
        // An operation that ignores its signal is waited for: what it fails with, or a timeout of its own, is
        // what the caller gets.
        else if (by === 'caller' && !/hides|ignores/.test(work)) {
          expect([what, outcome?.error]).toEqual([what, 'left']);
        }
      }
    });
  });
});
