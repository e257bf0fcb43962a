import { getEventListeners } from 'node:events';
import type { CallContext, CallOptions, Executor, Operation } from '@temper/core';
import { Call, isCall } from '@temper/core/policy';
import { retry } from '@temper/retry';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { timeout } from '../timeout/timeout.ts';
import { type PipelinePolicy, pipeline } from './pipeline.ts';

/** A policy of another library that passes this context to the operation. */
function passing(given: unknown) {
  return {
    execute: <T>(operation: Operation<T>) => Promise.resolve(operation(given as CallContext)),
  };
}

/** The context in which the operation runs inside these policies, as part of `parent`. */
async function seenInside(parent: Call, ...policies: Parameters<typeof pipeline>[1][]) {
  let seen: CallContext | undefined;
  const policy = pipeline({ clock: new ManualClock() }, ...policies);
  await policy.execute(
    (call) => {
      seen = call;
    },
    { parent },
  );
  return seen as Call;
}

const labels = {
  operation: 'op',
  attributes: { a: 1 },
  cost: 3,
  priority: 'critical',
  key: 'tenant',
} as const;

describe('a policy in a pipeline that only has execute', () => {
  it('gets call options that are also a signal, without a parent and what the caller did not set', async () => {
    const seen: (CallOptions & AbortSignal)[] = [];
    const foreign = {
      async execute<T>(operation: Operation<T>, options?: CallOptions): Promise<T> {
        seen.push(options as CallOptions & AbortSignal);
        return operation(undefined as never);
      },
    };
    const policy = pipeline({}, foreign, timeout());
    await policy.execute(() => 1);
    await policy.execute(() => 1, { signal: new AbortController().signal, ...labels });
    expect(seen.map((options) => Object.keys(options))).toEqual([
      ['signal'],
      ['signal', ...Object.keys(labels)],
    ]);
    expect({ ...seen[1] }).toMatchObject(labels);
    for (const options of seen) {
      expect(options).toBeInstanceOf(AbortSignal);
      expect(options.signal).toBe(options);
    }
  });

  it('is told of the end of the call in either form, and the signal of the caller is untouched', async () => {
    const controller = new AbortController();
    const told: unknown[] = [];
    const foreign = {
      async execute<T>(operation: Operation<T>, given?: CallOptions): Promise<T> {
        const signal = given as unknown as AbortSignal;
        signal.addEventListener('abort', () => told.push('as a signal', signal.reason));
        given?.signal?.addEventListener('abort', () => told.push('as options', signal.aborted));
        AbortSignal.any([signal]).addEventListener('abort', () => told.push('derived'));
        return operation(undefined as never);
      },
    };
    const { signal } = controller;
    const before = Reflect.ownKeys(signal);
    let seen: CallContext | undefined;
    await pipeline({}, foreign).tryExecute(
      (call) => {
        seen = call;
        controller.abort('left');
      },
      { signal },
    );
    expect(told.map(String).sort()).toEqual([
      'as a signal',
      'as options',
      'derived',
      'left',
      'true',
    ]);
    expect(seen?.signal.reason).toBe('left');
    expect(Reflect.ownKeys(signal).filter((name) => typeof name === 'string')).toEqual(
      before.filter((name) => typeof name === 'string'),
    );
  });

  it('gets an aborted signal when the call ended before', async () => {
    const call = new Call().scope(undefined);
    call.end('hedge', 'lost');
    const given: unknown[] = [];
    const foreign = {
      execute: async (_: unknown, options?: CallOptions) => {
        given.push(options?.signal?.aborted, options?.signal?.reason);
        return undefined as never;
      },
    };
    await (pipeline({}, foreign) as PipelinePolicy).runInCall(() => 1, call);
    expect(given).toEqual([true, 'lost']);
  });

  it('leaves no listener on the signal of the caller', async () => {
    const { signal } = new AbortController();
    const policy = pipeline({}, passing(undefined), passing(undefined));
    for (let i = 0; i < 3; i++) {
      await policy.execute(() => 1, { signal });
      await policy.tryExecute(() => Promise.reject(new Error('down')), { signal });
    }
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('may hand its options on to a policy of ours, and cost, priority and key still arrive', async () => {
    const inner = retry({ maxAttempts: 1 });
    const wrapper = {
      execute: <T>(operation: Operation<T>, options?: CallOptions) =>
        inner.execute(operation, options),
    };
    const seen: CallContext[] = [];
    const policy = pipeline({}, timeout({ timeoutMs: 100 }), wrapper, timeout({ timeoutMs: 50 }));
    await policy.execute((call) => seen.push(call), labels);
    expect(seen[0]).toMatchObject(labels);
    expect(seen[0]?.deadline).toBeTypeOf('number');
  });

  it('decides about signal, attempt and deadline of the operation by the context that it passes', async () => {
    const { signal } = new AbortController();
    const call = new Call(4, 7700, labels);
    const inner = retry({ clock: new ManualClock() });
    const seen = await seenInside(call, passing({ signal, attempt: 7, deadline: 5000 }), inner);
    expect(isCall(seen)).toBe(true);
    expect(seen.signal).toBe(signal);
    expect(seen).toMatchObject({ attempt: 1, deadline: 5000, ...labels }); // retry counts from 1
    expect(await seenInside(call, passing({ attempt: 9 }))).toMatchObject({ attempt: 9 });
  });

  it('cannot extend the deadline of the call', async () => {
    const call = new Call(4, 7700, labels);
    expect(await seenInside(call, passing({ deadline: 50_000 }))).toMatchObject({ deadline: 7700 });
    expect(await seenInside(call, passing(new Call()))).toMatchObject({ deadline: 7700 });
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a string', 'context'],
    ['an empty object', {}],
    ['nonsense', { signal: 1, attempt: 'two', deadline: null }],
    ['the call itself', new Call(4, 7700, labels)],
  ])('may pass %s: the operation then runs in the call', async (_, given) => {
    const call = given instanceof Call ? given : new Call(4, 7700, labels);
    const seen = await seenInside(call, passing(given), passing(given));
    expect(seen).toMatchObject({ attempt: 4, deadline: 7700, ...labels });
  });

  it('ends the operation like a timeout when it aborts its own signal', async () => {
    const controller = new AbortController();
    const call = await seenInside(new Call(), passing({ signal: controller.signal }));
    expect(call.endedBy).toBeUndefined();
    controller.abort('gave up');
    expect(call).toMatchObject({ aborted: true, reason: 'gave up', endedBy: 'timeout' });
    expect(call.cancelled).toBe(false);
  });

  it('does not hide who ended the call', async () => {
    const clock = new ManualClock();
    for (const by of ['caller', 'deadline', 'timeout', 'hedge'] as const) {
      const scope = new Call().scope(clock.monotonic() + 1000);
      const derived = new AbortController();
      const plain = await seenInside(scope, passing({ signal: derived.signal }));
      const ours = await seenInside(
        scope,
        passing(new Call(1, undefined, undefined, scope.signal)),
      );
      scope.end(by, 'ended');
      derived.abort('ended');
      expect([plain.endedBy, ours.endedBy]).toEqual([by, by]);
    }
  });
});

/** Policies between those of this family that hand on a context which knows nothing of the call around it. */
const between: readonly [string, () => Executor][] = [
  ['one that passes a signal of its own', () => passing({ signal: new AbortController().signal })],
  [
    'one that calls a Temper policy',
    () => {
      const inner = timeout({ name: 'wrapped', timeoutMs: 5000 });
      return { execute: (operation, options) => inner.execute(operation, options) };
    },
  ],
];

describe.each(between)('a call through %s is one call', (_, foreign) => {
  const repeat = (clock?: ManualClock) =>
    retry({ initialDelayMs: 0, shouldHandle: (o) => !o.ok, ...(clock && { clock }) });

  it('the attempts of a retry inside are not multiplied', async () => {
    const policy = pipeline({}, repeat(), foreign(), repeat());
    let attempts = 0;
    const operation = (): never => {
      attempts++;
      throw 'a primitive, which has no identity';
    };
    await policy.tryExecute(operation);
    expect(attempts).toBe(3);
    const joined = pipeline({}, repeat(), foreign());
    await joined.tryExecute((call) => repeat().execute(operation, { parent: call }));
    expect(attempts).toBe(6);
  });

  it('an iteration is not begun again after its first item', async () => {
    const outer = repeat();
    const items = pipeline({}, outer, foreign()).wrap(async function* () {
      yield 1;
      throw new Error('broke off');
    })();
    expect((await items.next()).value).toBe(1);
    await expect(items.next()).rejects.toThrow('broke off');
    expect(outer.stats().retries).toBe(0);
  });

  it('the deadline has the last failure as its cause', async () => {
    const clock = new ManualClock();
    const policy = pipeline({ clock }, foreign(), repeat(clock));
    let attempts = 0;
    const outcome = policy.tryExecute(
      () => {
        if (attempts++ === 0) throw new Error('first');
        return new Promise(() => {});
      },
      { timeoutMs: 100 },
    );
    await clock.advance(100);
    expect(await outcome).toMatchObject({ error: { cause: { message: 'first' } } });
  });

  it('contexts that are passed on again and again do not grow into a chain', async () => {
    const shared = new Call();
    const policy = pipeline({}, passing(shared));
    for (let i = 0; i < 100; i++) await policy.execute(() => 1);
    let depth = 0;
    for (let each: Call | undefined = shared; each !== undefined; each = each.outer) depth++;
    expect(depth).toBeLessThan(4);
  });
});

it.each([-900, 1e9])(
  'the nearer of two deadlines is in force, each read on its own clock: %d ms apart',
  async (apartMs) => {
    const clock = new ManualClock();
    const other = new ManualClock();
    if (apartMs > 0) other.jump(apartMs);
    else clock.jump(-apartMs);
    const seen: number[] = [];
    const remaining = (call: CallContext): void =>
      void seen.push((call as Call).remainingMs(clock));
    const wrapped = timeout({ clock: other, timeoutMs: 5000 });
    const handsOn: Executor = {
      execute: (operation, options) => wrapped.execute(operation, options),
    };
    const policy = pipeline({ clock }, handsOn);
    await policy.execute(remaining, { timeoutMs: 100 });
    await policy.execute(remaining, { timeoutMs: 60_000 });
    expect(seen).toEqual([100, 5000]);
  },
);
