import { getEventListeners } from 'node:events';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { ThroughPolicy } from '../../test/through-policy.ts';
import type { CallContext, CallOptions } from '../contract.ts';
import { DeadlineExceededError } from '../errors.ts';
import { Call } from './context.ts';

const LABELS = {
  operation: 'fetch',
  attributes: { tenant: 'a', region: 'eu' },
  cost: 3,
  priority: 'critical',
  key: 'a',
} as const;

function setUp(): { clock: ManualClock; outer: ThroughPolicy; inner: ThroughPolicy } {
  const clock = new ManualClock();
  return { clock, outer: new ThroughPolicy(clock), inner: new ThroughPolicy(clock) };
}
const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;
const until = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

describe('a deadline', () => {
  const CLOCKS = [
    ['ahead', 1_000_000, 0],
    ['behind', 0, 1_000_000],
  ] as const;

  it.each(CLOCKS)('holds when the clock of the parent is %s', async (_, outerAt, innerAt) => {
    const [outerClock, innerClock] = [new ManualClock(), new ManualClock()];
    outerClock.jump(outerAt);
    innerClock.jump(innerAt);
    const outer = new ThroughPolicy(outerClock);
    const inner = new ThroughPolicy(innerClock);
    const remaining: number[] = [];
    const result = outer.execute(
      async (parent) => {
        for (const timeoutMs of [undefined, 200, 5000]) {
          await inner.execute(
            () => remaining.push(inner.calls.at(-1)?.remainingMs(innerClock) ?? 0),
            {
              parent,
              ...(timeoutMs === undefined ? {} : { timeoutMs }),
            },
          );
        }
        const scope = (inner.calls[0] as Call).scope(
          innerClock.monotonic() + 100,
          undefined,
          innerClock,
        );
        // A part that knows the clock of the scope alone, and one that must ask the one around.
        remaining.push(scope.remainingMs(outerClock), scope.scope().remainingMs(outerClock));
        scope.release();
        return inner.execute(() => 'in time', { parent });
      },
      { timeoutMs: 1000 },
    );
    await settle();
    await expect(result).resolves.toBe('in time');
    expect(remaining).toEqual([1000, 200, 1000, 100, 100]);
  });

  it.each(CLOCKS)('ends a part when the clock of the parent is %s', async (_, outerAt, innerAt) => {
    const [outerClock, innerClock] = [new ManualClock(), new ManualClock()];
    outerClock.jump(outerAt);
    innerClock.jump(innerAt);
    const inner = new ThroughPolicy(innerClock);
    const parent = new Call().scope(outerClock.monotonic() + 50, undefined, outerClock);
    outerClock.jump(50);
    const late = inner.execute(() => 1, { parent });
    await expect(late).rejects.toBeInstanceOf(DeadlineExceededError);
  });
});

describe('options.parent', () => {
  it('is refused when the deadline of the parent has passed', async () => {
    const { clock, inner } = setUp();
    const parent = new Call(1, clock.monotonic() + 50);
    clock.jump(50);
    await expect(inner.execute(() => 1, { parent })).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    });
    expect(inner.calls).toEqual([]);
  });

  it('leaves no timer behind when a signal refuses its listener', async () => {
    const { clock, inner } = setUp();
    const signal = {
      aborted: false,
      addEventListener() {
        throw new Error('refused');
      },
      removeEventListener() {},
    } as unknown as AbortSignal;
    const call = inner.execute(() => new Promise(() => {}), {
      parent: new Call(),
      timeoutMs: 20,
      signal,
    });
    await expect(call).rejects.toThrow('refused');
    expect(clock.pending).toBe(0);
  });

  it('does not let a later change of the attributes reach the spans', async () => {
    const { inner } = setUp();
    const attributes: Record<string, string> = { tenant: 'a' };
    const seen = await inner.execute((call) => call, { attributes });
    attributes.tenant = 'b';
    expect(seen.attributes).toEqual({ tenant: 'a' });
  });

  it('carries signal, deadline, attempt and labels over', async () => {
    const { clock, outer, inner } = setUp();
    const { signal } = new AbortController();
    const parent = new Call(1, clock.monotonic() + 500, { ...LABELS }, signal).forAttempt(2);
    const seen = await inner.execute((call) => call, { parent });
    expect((seen as Call).outer).toBe(parent);
    expect(seen).toMatchObject({ ...LABELS, attempt: 2, deadline: parent.deadline, signal });
    await outer.execute((call) => inner.execute(() => 1, { parent: call }), {
      ...LABELS,
      signal,
      timeoutMs: 500,
    });
    expect(inner.calls[1]?.outer).toBe(outer.calls[0]);
    expect(inner.calls[1]).toMatchObject({ ...LABELS, deadline: clock.monotonic() + 500 });
  });

  it.each<[string, CallOptions, Partial<CallContext>]>([
    ['operation', { operation: 'parse' }, { operation: 'parse' }],
    [
      'attributes, merged',
      { attributes: { region: 'us', step: 1 } },
      { attributes: { tenant: 'a', region: 'us', step: 1 } },
    ],
    ['cost', { cost: 1 }, { cost: 1 }],
    ['priority', { priority: 'sheddable' }, { priority: 'sheddable' }],
    ['key', { key: 'b' }, { key: 'b' }],
  ])('lets the child override %s and keep the rest', async (_, options, expected) => {
    const { clock, inner } = setUp();
    const parent = new Call(4, clock.monotonic() + 500, { ...LABELS });
    const seen = await inner.execute((call) => call, { ...options, parent });
    const { attempt, deadline, operation, attributes, cost, priority, key } = seen;
    expect({ attempt, deadline, operation, attributes, cost, priority, key }).toEqual({
      attempt: 4,
      deadline: parent.deadline,
      ...LABELS,
      ...expected,
    });
    expect(parent).toMatchObject(LABELS);
  });

  it.each<[string, CallOptions]>([
    ['as it is', {}],
    ['with a label', { key: 'b' }],
    ['with a timeout', { timeoutMs: 60_000 }],
    ['with a signal', { signal: new AbortController().signal }],
    ['with all of them', { key: 'b', timeoutMs: 60_000, signal: new AbortController().signal }],
  ])('ends the child %s when the parent ends', async (_, options) => {
    for (const by of ['timeout', 'deadline', 'hedge'] as const) {
      const { clock, inner } = setUp();
      const parent = new Call().scope();
      let seen: CallContext | undefined;
      const call = inner.execute(
        (context) => {
          seen = context;
          return until(context.signal);
        },
        { ...options, parent },
      );
      const reason = { why: by };
      parent.end(by, reason);
      await expect(call).rejects.toBe(reason);
      expect(seen?.endedBy).toBe(by);
      expect(seen?.signal.reason).toBe(reason);
      expect(clock.pending).toBe(0);
      parent.release();
    }
  });

  it("holds both the parent's signal and the child's", async () => {
    for (const which of ['parent', 'child'] as const) {
      const { inner } = setUp();
      const controllers = { parent: new AbortController(), child: new AbortController() };
      const parent = new Call(1, undefined, undefined, controllers.parent.signal);
      const call = inner.execute((context) => until(context.signal), {
        parent,
        signal: controllers.child.signal,
      });
      controllers[which].abort(which);
      await expect(call).rejects.toBe(which);
      expect(inner.calls[0]?.endedBy).toBe('caller');
      expect(parent.aborted).toBe(which === 'parent');
    }
  });

  it('holds the nearer of both deadlines', async () => {
    const { clock, inner } = setUp();
    const now = clock.monotonic();
    const deadline = (parent: number | undefined, timeoutMs?: number): Promise<unknown> =>
      inner.execute((call) => call.deadline, { parent: new Call(1, parent), timeoutMs });
    expect(await deadline(now + 100, 200)).toBe(now + 100);
    expect(await deadline(now + 200, 100)).toBe(now + 100);
    expect(await deadline(undefined, 100)).toBe(now + 100);
    expect(await deadline(now + 100)).toBe(now + 100);
    expect(await deadline(now + 100, Number.POSITIVE_INFINITY)).toBe(now + 100);
    expect(await deadline(undefined, Number.POSITIVE_INFINITY)).toBeUndefined();
  });

  it("does not end the parent by the child's timeout or signal", async () => {
    const { clock, outer, inner } = setUp();
    const { signal } = new AbortController();
    const call = outer.execute(
      async (parent) => {
        const timedOut = await inner.tryExecute(({ signal: own }) => until(own), {
          parent,
          timeoutMs: 50,
        });
        const controller = new AbortController();
        const cancelled = inner.tryExecute(({ signal: own }) => until(own), {
          parent,
          signal: controller.signal,
        });
        controller.abort('child');
        return [timedOut, await cancelled, parent.signal.aborted, parent.endedBy];
      },
      { signal, timeoutMs: 500 },
    );
    await clock.advance(50);
    expect(await call).toEqual([
      { ok: false, error: expect.any(DeadlineExceededError) },
      { ok: false, error: 'child' },
      false,
      undefined,
    ]);
    expect(inner.calls.map(({ endedBy }) => endedBy)).toEqual(['deadline', 'caller']);
    expect(clock.pending).toBe(0);
  });

  it('nests three deep', async () => {
    const { clock, outer, inner } = setUp();
    const middle = new ThroughPolicy(clock);
    const controller = new AbortController();
    const call = outer.execute(
      (first) =>
        middle.execute(
          (second) =>
            inner.execute((third) => until(third.signal), { parent: second, key: 'third' }),
          { parent: first, timeoutMs: 200, key: 'second', cost: 2 },
        ),
      { signal: controller.signal, timeoutMs: 500, key: 'first', operation: 'fetch' },
    );
    await settle();
    expect(inner.calls[0]).toMatchObject({
      key: 'third',
      cost: 2,
      operation: 'fetch',
      deadline: clock.monotonic() + 200,
    });
    controller.abort('stop');
    await expect(call).rejects.toBe('stop');
    for (const { calls } of [outer, middle, inner]) {
      expect(calls[0]?.endedBy).toBe('caller');
      expect(calls[0]?.signal.reason).toBe('stop');
    }
    expect(clock.pending).toBe(0);
    expect(listeners(controller.signal)).toBe(0);
  });

  it.each<[string, CallOptions]>([
    ['alone', {}],
    ['with a timeout', { timeoutMs: 50 }],
    ['with a timeout of 0', { timeoutMs: 0 }],
    ['with a signal', { signal: new AbortController().signal }],
    ['with a label', { key: 'b' }],
  ])('rejects with the reason of a parent that has ended already, %s', async (_, options) => {
    const { clock, inner } = setUp();
    const scope = new Call().scope();
    const reason = { gone: true };
    scope.end('hedge', reason);
    const root = new Call(1, undefined, undefined, AbortSignal.abort(reason));
    for (const parent of [scope, scope.forAttempt(2), root, root.scope()]) {
      await expect(inner.execute(() => 1, { ...options, parent })).rejects.toBe(reason);
    }
    expect(inner.calls).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it("rejects with the reason of the child's signal when both have aborted already", async () => {
    const { inner } = setUp();
    const parent = new Call(1, undefined, undefined, AbortSignal.abort('parent'));
    const signal = AbortSignal.abort('child');
    await expect(inner.execute(() => 1, { parent, signal })).rejects.toBe('child');
  });

  it.each<[string, () => unknown]>([
    ['returns', () => 1],
    ['rejects', () => Promise.reject(new Error('no'))],
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['times out', () => new Promise(() => {})],
  ])('leaves no timer and no listener when the child %s', async (_, operation) => {
    const { clock, inner } = setUp();
    const [root, own] = [new AbortController(), new AbortController()];
    const parent = new Call(1, undefined, undefined, root.signal).scope();
    expect(parent.signal.aborted).toBe(false);
    expect(listeners(root.signal)).toBe(1);
    const call = inner.tryExecute(
      (context) => {
        expect(context.signal.aborted).toBe(false);
        return operation();
      },
      { parent, signal: own.signal, timeoutMs: 50 },
    );
    await clock.advance(50);
    await call;
    expect(listeners(parent.signal)).toBe(0);
    expect(listeners(own.signal)).toBe(0);
    parent.release();
    expect(listeners(root.signal)).toBe(0);
    expect(clock.pending).toBe(0);
  });
});

describe('a clock whose schedule throws', () => {
  it('rejects the call and leaves no listener', async () => {
    const clock = Object.assign(new ManualClock(), {
      schedule: () => {
        throw new RangeError('clock: broken');
      },
    });
    const { signal } = new AbortController();
    const call = new ThroughPolicy(clock).execute(() => 1, {
      parent: new Call(),
      signal,
      timeoutMs: 50,
    });
    await expect(call).rejects.toThrow('clock: broken');
    expect(listeners(signal)).toBe(0);
  });
});

describe('timeoutMs and an operation that reacts to its signal', () => {
  it.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
    [
      'resolves',
      (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve('part'))),
    ],
    [
      'rejects',
      (signal) =>
        new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(new Error('own'))),
        ),
    ],
  ])('rejects with DeadlineExceededError when it %s at the abort', async (_, operation) => {
    const clock = new ManualClock();
    const policy = new (class extends ThroughPolicy {
      // Without a layer of promises in between: the operation answers as early as it can.
      override runInCall = ((run: (call: Call) => unknown, call: Call) => run(call)) as never;
    })(clock);
    const call = policy.execute(({ signal }) => operation(signal), { timeoutMs: 50 });
    const outcome = expect(call).rejects.toThrow(DeadlineExceededError);
    await clock.advance(50);
    await outcome;
    expect(clock.pending).toBe(0);
  });
});
