import type { CallContext, CallOptions, Operation } from '@temper/core';
import { Call, isCall } from '@temper/core/policy';
import { retry } from '@temper/retry';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { timeout } from '../timeout/timeout.ts';
import { pipeline } from './pipeline.ts';

/** A policy of another library that passes this context to the operation. */
function passing(given: unknown) {
  return {
    execute: <T>(operation: Operation<T>) => Promise.resolve(operation(given as CallContext)),
  };
}

/** The context in which the operation runs inside these policies, as part of `parent`. */
async function seenInside(parent: Call, ...policies: Parameters<typeof pipeline>[1][]) {
  let seen: CallContext | undefined;
  const policy = pipeline({}, ...policies);
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
  it('gets plain call options, without a parent and without what the caller did not set', async () => {
    const seen: unknown[] = [];
    const foreign = {
      async execute<T>(operation: Operation<T>, options?: CallOptions): Promise<T> {
        seen.push(options);
        return operation(undefined as never);
      },
    };
    const policy = pipeline({}, foreign, timeout());
    await policy.execute(() => 1);
    const { signal } = new AbortController();
    await policy.execute(() => 1, { signal, ...labels });
    expect(seen).toEqual([{}, { signal, ...labels }]);
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
    const call = new Call(4, 77, labels);
    const seen = await seenInside(call, passing({ signal, attempt: 7, deadline: 50 }), retry());
    expect(isCall(seen)).toBe(true);
    expect(seen.signal).toBe(signal);
    expect(seen).toMatchObject({ attempt: 1, deadline: 50, ...labels }); // retry counts from 1
    expect(await seenInside(call, passing({ attempt: 9 }))).toMatchObject({ attempt: 9 });
  });

  it('cannot extend the deadline of the call', async () => {
    const call = new Call(4, 77, labels);
    expect(await seenInside(call, passing({ deadline: 500 }))).toMatchObject({ deadline: 77 });
    expect(await seenInside(call, passing(new Call()))).toMatchObject({ deadline: 77 });
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a string', 'context'],
    ['an empty object', {}],
    ['nonsense', { signal: 1, attempt: 'two', deadline: null }],
    ['the call itself', new Call(4, 77, labels)],
  ])('may pass %s: the operation then runs in the call', async (_, given) => {
    const call = given instanceof Call ? given : new Call(4, 77, labels);
    const seen = await seenInside(call, passing(given), passing(given));
    expect(seen).toMatchObject({ attempt: 4, deadline: 77, ...labels });
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
