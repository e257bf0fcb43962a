import type { CallContext } from '@temper/core';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { planOf, withPlan } from './annotation.ts';
import { UnregisteredOperationError } from './errors.ts';
import { type RecoveriesOptions, recoveries } from './recoveries.ts';

const reset = (): Error => Object.assign(new Error('reset'), { code: 'ECONNRESET' });

function make(options: RecoveriesOptions = {}) {
  const clock = new ManualClock();
  return { clock, manager: recoveries({ clock, random: () => 0.5, ...options }) };
}

describe('recoveries', () => {
  it('run an operation under its plan', async () => {
    const { clock, manager } = make({ plans: [{ operation: 'fetch', maxRetries: 1 }] });
    let calls = 0;
    const flaky = async (): Promise<number> => {
      if (++calls % 2 === 1) throw reset();
      return calls;
    };
    await expect(clock.runUntil(manager.execute('fetch', flaky))).resolves.toEqual({
      ok: true,
      value: 2,
      recoveredBy: 'retry',
    });
    await expect(clock.runUntil(manager.run('fetch', flaky))).resolves.toBe(4);
    expect(manager.stats()).toMatchObject([{ operation: 'fetch', executions: { recovered: 2 } }]);
    expect(manager.get('fetch')?.plan.maxRetries).toBe(1);
  });

  it('run an operation without a plan once, and keep it in the history', async () => {
    const { manager } = make();
    const bug = new Error('bug');
    await expect(manager.execute('other', async () => 1)).resolves.toEqual({ ok: true, value: 1 });
    await expect(manager.execute('other', () => Promise.reject(bug))).resolves.toEqual({
      ok: false,
      error: bug,
    });
    await expect(manager.run('other', () => Promise.reject(bug))).rejects.toBe(bug);
    await expect(manager.run('other', () => 5)).resolves.toBe(5);
    expect(manager.history()).toMatchObject([
      { operation: 'other', strategy: 'none', outcome: 'success', attempts: 1 },
      { strategy: 'none', outcome: 'failure', error: { message: 'bug' } },
      { outcome: 'failure' },
      { outcome: 'success' },
    ]);
    expect(manager.get('other')).toBeUndefined();
  });

  it('end an operation without a plan at its signal and timeout', async () => {
    const { clock, manager } = make();
    const late = { signal: AbortSignal.abort('late') };
    expect(await manager.execute('other', () => 1, late)).toEqual({ ok: false, error: 'late' });
    const slow = manager.execute('other', () => clock.sleep(100), { timeoutMs: 10 });
    await clock.advance(10);
    expect(await slow).toMatchObject({ error: { code: 'DEADLINE_EXCEEDED' } });
    expect(manager.history().map(({ outcome }) => outcome)).toEqual(['aborted', 'aborted']);
  });

  it('register functions, and pass their arguments to the handlers', async () => {
    const { manager } = make({
      plans: [
        {
          operation: 'greet',
          strategy: 'fallback',
          fallback: ({ args: [name] }) => `hello from memory, ${name}`,
        },
      ],
    });
    const greet = manager.register('greet', async ({ signal }, name: string, fail = false) => {
      signal.throwIfAborted();
      if (fail) throw reset();
      return `hello, ${name}`;
    });
    expectTypeOf(greet).toBeCallableWith('Ada', true);
    expectTypeOf(greet).parameter(0).toEqualTypeOf<string>();
    expectTypeOf(greet).returns.toEqualTypeOf<Promise<string>>();
    await expect(greet('Ada')).resolves.toBe('hello, Ada');
    await expect(greet('Ada', true)).resolves.toBe('hello from memory, Ada');
  });

  it('use a plan that is attached to a function', async () => {
    const fetchPackage = withPlan(
      { operation: 'fetch_package', strategy: 'fallback', fallback: 'empty' },
      async (_, name: string): Promise<string[]> => {
        throw new TypeError(name);
      },
    );
    expect(planOf(fetchPackage)).toMatchObject({ operation: 'fetch_package' });
    expect(planOf(() => 1)).toBeUndefined();
    expect(planOf(7)).toBeUndefined();
    const { manager } = make({ handlers: { empty: () => [] } });
    const guarded = manager.register(fetchPackage);
    expectTypeOf(guarded).toEqualTypeOf<(name: string) => Promise<string[]>>();
    await expect(guarded('std.text')).resolves.toEqual([]);
    manager.start();
  });

  it('prefer a plan from outside to one that is attached to the function', async () => {
    const { manager } = make({
      plans: [{ operation: 'f', strategy: 'fallback', fallback: () => 'document' }],
    });
    const f = withPlan(
      { operation: 'f', strategy: 'fallback', fallback: () => 'annotation' },
      async () => Promise.reject(reset()) as Promise<string>,
    );
    await expect(manager.register(f)()).resolves.toBe('document');
  });

  it('refuse to start with a plan for an operation that is not registered', () => {
    const plans = [{ operation: 'fetch' }, { operation: 'fecth' }, { operation: 'check' }];
    const { manager } = make({ plans, operations: ['check'] });
    manager.register('fetch', async () => 1);
    try {
      manager.start();
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(UnregisteredOperationError);
      expect(error).toMatchObject({
        code: 'OPERATION_UNREGISTERED',
        operations: ['fecth'],
        registered: ['check', 'fetch'],
        message:
          "'recoveries' has plans for operations that are not registered: 'fecth'. Registered are 'check', 'fetch'.",
      });
    }
    manager.register('fecth', async () => 1);
    expect(() => manager.start()).not.toThrow();
  });

  it('share one history of bounded size', async () => {
    const { manager } = make({
      historySize: 3,
      plans: [{ operation: 'a' }, { operation: 'b' }],
    });
    for (const name of ['a', 'b', 'c', 'a', 'b']) await manager.run(name, () => name);
    expect(manager.history().map(({ sequence, operation }) => [sequence, operation])).toEqual([
      [3, 'c'],
      [4, 'a'],
      [5, 'b'],
    ]);
    expect(manager.history({ operation: 'b' })).toHaveLength(1);
    expect(manager.get('a')?.history()).toHaveLength(1);
    expect(make({ historySize: 0 }).manager.history()).toEqual([]);
  });

  it('give their random source to their plans', async () => {
    for (const [random, waitMs] of [
      [() => 0, 80],
      [() => 0.999_999, 120],
    ] as const) {
      const { clock, manager } = make({ random, plans: [{ operation: 'a' }] });
      const begun = clock.monotonic();
      let calls = 0;
      const operation = async (): Promise<void> => {
        if (++calls === 1) throw reset();
      };
      await clock.runUntil(manager.run('a', operation));
      expect(clock.monotonic() - begun).toBeCloseTo(waitMs, 1);
    }
  });

  it('dispose of their plans', () => {
    const { manager } = make({ plans: [{ operation: 'a' }] });
    expect(() => manager[Symbol.dispose]()).not.toThrow();
  });

  it('refuse invalid options, plans and functions', () => {
    const plans = [{ operation: 'a' }, { operation: 'a' }];
    expect(() => recoveries({ plans })).toThrow("recoveries: 'a' already has a plan.");
    expect(() => recoveries({ historySize: -1 })).toThrow('historySize must be an integer from 0');
    expect(() => recoveries({ plan: [] } as never)).toThrow("unknown option 'plan'");
    expect(() => recoveries({ handlers: { a: 1 as never } })).toThrow(
      "recoveries: handlers['a'] must be a function, got 1.",
    );
    expect(() => recoveries({ handlers: 1 as never })).toThrow(
      'recoveries: handlers must be an object, got 1.',
    );
    expect(() => recoveries({ name: '' })).toThrow('name must be a non-empty string');
    const { manager } = make();
    expect(() => manager.register('a', 1 as never)).toThrow('register needs a function, got 1.');
    expect(() => manager.register((() => 1) as never)).toThrow('has no plan');
    const planned = withPlan({ operation: 'b' }, () => 1);
    expect(() => manager.register('a', planned)).toThrow(
      "the function registered as 'a' has a plan for 'b'.",
    );
    expect(() => withPlan({ operation: 'b', maxRetries: -1 }, () => 1)).toThrow('maxRetries');
  });

  it('refuse a name of an operation that is no text, as a failure', async () => {
    const { manager } = make();
    for (const name of ['', undefined, 7]) {
      const result = await manager.execute(name as never, () => 1);
      expect(result).toMatchObject({ ok: false, error: { name: 'TypeError' } });
    }
    await manager.execute('x'.repeat(500), () => 1);
    expect(manager.history().at(-1)?.operation).toHaveLength(128);
  });

  it('give registered functions call options, fixed or computed from the arguments', async () => {
    const { manager } = make({ plans: [{ operation: 'f' }] });
    const f = async (call: CallContext, _id: string) => [call.key, call.cost, call.priority];
    const fixed = manager.register('f', f, { key: 'tenant', cost: 2 });
    await expect(fixed('a')).resolves.toEqual(['tenant', 2, undefined]);
    const computed = manager.register('f', f, (id) => ({ key: id, priority: 'critical' }));
    await expect(computed('a')).resolves.toEqual(['a', 1, 'critical']);
    const g = withPlan({ operation: 'g' }, async (call: CallContext, _id: string) => [call.key]);
    const planned = manager.register(g, { key: 'tenant' });
    await expect(planned('a')).resolves.toEqual(['tenant']);
    expect(() => manager.register('f', f, { keys: 1 } as never)).toThrow("unknown option 'keys'");
    expect(() => manager.register('f', f, { args: [] } as never)).toThrow(
      'args cannot be set here',
    );
    const late = manager.register('f', f, (async () => {
      throw new Error('late');
    }) as never);
    await expect(late('a')).rejects.toBeInstanceOf(TypeError);
  });

  it.each([
    [
      { operations: ['a', 1] },
      'recoveries: operations must be an array of names, got an array of 2.',
    ],
    [{ plans: {} }, 'recoveries: plans must be an array of plans, got an object.'],
    [{ clock: {} }, 'recoveries: clock'],
    [{ random: 1 }, 'recoveries: random must be a function, got 1.'],
    [null, 'recoveries: options must be an object, got null.'],
  ])('refuse the options %o', (options, message) => {
    expect(() => recoveries(options as never)).toThrow(message);
  });
});
