import { type CallContext, type Clock, isTemperError } from '@temper/core';
import { retry } from '@temper/retry';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { timeout } from '../timeout/timeout.ts';
import type { RecoveryPlan } from './plan.ts';
import { recoveries } from './recoveries.ts';
import { recover } from './recovery.ts';

const reset = (): Error => Object.assign(new Error('reset'), { code: 'ECONNRESET' });

function make(plan: Partial<RecoveryPlan> = {}, clock: Clock = new ManualClock()) {
  return recover({ operation: 'op', ...plan }, { clock, random: () => 0.5 });
}

class Options {
  get timeoutMs(): number {
    return -1;
  }
}

const INVALID: [string, unknown, string][] = [
  ['null', null, 'TypeError'],
  ['a number', 7, 'TypeError'],
  ['an array', [], 'TypeError'],
  ['a map', new Map([['signal', 1]]), 'TypeError'],
  ['a promise', Promise.resolve({}), 'TypeError'],
  ['an unknown key', { signall: 1 }, 'TypeError'],
  ['the operation, which is the plan’s', { operation: 'other' }, 'TypeError'],
  ['arguments that are no array', { args: 'a' }, 'TypeError'],
  ['arguments of null', { args: null }, 'TypeError'],
  ['a signal of another type', { signal: 1 }, 'TypeError'],
  ['a signal of null', { signal: null }, 'TypeError'],
  ['a timeout of another type', { timeoutMs: '1s' }, 'TypeError'],
  ['a negative timeout', { timeoutMs: -1 }, 'RangeError'],
  ['a negative timeout from an accessor', new Options(), 'RangeError'],
  ['a cost of 0', { cost: 0 }, 'RangeError'],
  ['an unknown priority', { priority: 'high' }, 'TypeError'],
  ['an empty key', { key: '' }, 'TypeError'],
  ['attributes of another type', { attributes: [1] }, 'TypeError'],
  ['a parent that is no context', { parent: {} }, 'TypeError'],
];

describe('the options of an execution', () => {
  it.each(INVALID)('are refused as a result: %s', async (_, options, name) => {
    const operation = vi.fn();
    const recovery = make({ strategy: 'fallback', fallback: () => 1 });
    const result = await recovery.execute(operation, options as never);
    expect(result).toMatchObject({ ok: false, error: { name } });
    expect((result as { error: Error }).error.message).toMatch(/^recovery 'op': /);
    expect(operation).not.toHaveBeenCalled();
    expect(recovery.stats()).toMatchObject({ executions: { failure: 1 }, inFlight: 0 });
    expect(recovery.history()).toMatchObject([{ outcome: 'failure', attempts: 0 }]);
  });

  it.each(INVALID)('are refused as a rejection by run: %s', async (_, options, name) => {
    await expect(make().run(() => 1, options as never)).rejects.toMatchObject({ name });
  });

  it.each(INVALID)('are refused without a plan too: %s', async (_, options, name) => {
    const manager = recoveries({ clock: new ManualClock() });
    expect(await manager.execute('op', () => 1, options as never)).toMatchObject({
      ok: false,
      error: { name },
    });
    await expect(manager.run('op', () => 1, options as never)).rejects.toMatchObject({ name });
  });

  it('refuse a context in place of options, and say how it is passed', async () => {
    const outer = retry({ clock: new ManualClock() });
    const result = outer.execute((call) => make().run(() => 1, call as never));
    await expect(result).rejects.toThrow('{ parent: context }');
  });

  it('refuse an operation that is no function', async () => {
    expect(await make().execute(7 as never)).toMatchObject({ error: { name: 'TypeError' } });
  });

  it('may be undefined, which is the same as absent', async () => {
    const options = { args: undefined, signal: undefined, timeoutMs: undefined, key: undefined };
    await expect(make().execute(() => 1, options)).resolves.toEqual({ ok: true, value: 1 });
  });

  it('reach the operation and the handlers', async () => {
    const seen: unknown[] = [];
    const see = ({ operation, cost, priority, key, attributes }: CallContext): void =>
      void seen.push({ operation, cost, priority, key, attributes });
    const recovery = make({
      strategy: ['circuit_break', 'fallback'],
      fallback: ({ context }) => see(context),
    });
    const options = {
      cost: 3,
      priority: 'critical',
      key: 'tenant',
      attributes: { a: 1 },
    } as const;
    await recovery.execute((call) => {
      see(call);
      throw reset();
    }, options);
    expect(seen).toEqual([
      { operation: 'op', ...options },
      { operation: 'op', ...options },
    ]);
  });
});

describe('an execution that joins a call', () => {
  it('has the labels of its parent, except the operation', async () => {
    const outer = retry({ clock: new ManualClock() });
    const seen = await outer.execute(
      (call) =>
        make().run(({ operation, cost, key }) => [operation, cost, key], { parent: call, cost: 2 }),
      { operation: 'outer', cost: 5, key: 'tenant' },
    );
    expect(seen).toEqual(['op', 2, 'tenant']);
  });

  it('ends with a timeout around it, as aborted, and no handler answers', async () => {
    const clock = new ManualClock();
    const fallback = vi.fn();
    const recovery = make({ strategy: ['retry', 'fallback'], fallback }, clock);
    const outer = timeout({ timeoutMs: 150, clock });
    const result = outer.tryExecute((parent) =>
      recovery.execute(({ signal }) => clock.sleep(1000, signal), { parent }),
    );
    await clock.advance(150);
    expect(await result).toMatchObject({ ok: false, error: { code: 'OPERATION_TIMEOUT' } });
    expect(fallback).not.toHaveBeenCalled();
    expect(recovery.stats()).toMatchObject({ executions: { aborted: 1 }, inFlight: 0 });
  });

  it('is judged by how the call ended, and not by the error that its operation throws', async () => {
    const clock = new ManualClock();
    const { DeadlineExceededError } = await import('@temper/core');
    const recovery = make({ strategy: 'circuit_break' }, clock);
    // The deadline of a call that the operation made itself: a failure of the operation.
    const inner = await recovery.execute(() => Promise.reject(new DeadlineExceededError('inner')));
    expect(isTemperError((inner as { error: unknown }).error, 'DEADLINE_EXCEEDED')).toBe(true);
    expect(recovery.history().at(-1)?.outcome).toBe('failure');

    const controller = new AbortController();
    const own = recovery.execute(
      async () => {
        controller.abort();
        throw new Error('an error of its own');
      },
      { signal: controller.signal },
    );
    expect(await own).toMatchObject({ error: { message: 'an error of its own' } });
    expect(recovery.history().at(-1)?.outcome).toBe('aborted');
  });
});
