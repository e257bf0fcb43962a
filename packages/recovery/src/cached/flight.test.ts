import { getEventListeners } from 'node:events';
import type { Operation } from '@temper/core';
import { Call } from '@temper/core/policy';
import { describe, expect, it, vi } from 'vitest';
import { Flight } from './flight.ts';

const first = new Call(2, 77, {
  operation: 'op',
  attributes: { tenant: 'a' },
  cost: 3,
  priority: 'critical',
  key: 'k',
});

function caller() {
  const controller = new AbortController();
  const context = new Call(1, undefined, undefined, controller.signal);
  return { controller, context, listeners: () => getEventListeners(controller.signal, 'abort') };
}

function begin<T>(operation: Operation<T>, call: Call, onClosed: () => void): Flight<T> {
  const flight = new Flight<T>(call, onClosed);
  void flight.start(operation);
  return flight;
}

describe('Flight', () => {
  it('runs with the labels of the call that starts it, and without its deadline', async () => {
    const seen = await begin(
      (context) => context,
      first,
      () => {},
    ).join(first);
    expect(seen).toMatchObject({
      attempt: 2,
      operation: 'op',
      attributes: { tenant: 'a' },
      cost: 3,
      priority: 'critical',
      key: 'k',
    });
    expect(seen.deadline).toBeUndefined();
  });

  it('ends for each caller with its result or error, and leaves no listener on their signals', async () => {
    const one = caller();
    const other = caller();
    const landed = begin(
      async () => 'landed',
      first,
      () => {},
    );
    expect(await Promise.all([landed.join(one.context), landed.join(other.context)])).toEqual([
      'landed',
      'landed',
    ]);
    const crashed = begin(
      () => Promise.reject(new Error('crashed')),
      first,
      () => {},
    );
    await expect(crashed.join(one.context)).rejects.toThrow('crashed');
    expect([...one.listeners(), ...other.listeners()]).toEqual([]);
  });

  it('rejects a caller that has aborted already, and is abandoned when there is no other', async () => {
    const abandoned = vi.fn();
    let signal: AbortSignal | undefined;
    const flight = begin<never>(
      (context) => {
        signal = context.signal;
        return new Promise(() => {});
      },
      first,
      abandoned,
    );
    const late = caller();
    late.controller.abort('late');
    await expect(flight.join(late.context)).rejects.toBe('late');
    expect(late.listeners()).toEqual([]);
    expect(abandoned).toHaveBeenCalledTimes(1);
    expect(signal?.reason).toBe('late');
  });

  it('is never abandoned while a caller waits that cannot leave', async () => {
    const abandoned = vi.fn();
    let land: (value: string) => void = () => {};
    const flight = begin(
      () => new Promise<string>((resolve) => (land = resolve)),
      first,
      abandoned,
    );
    const patient = flight.join(new Call());
    const hasty = caller();
    const left = expect(flight.join(hasty.context)).rejects.toBe('left');
    hasty.controller.abort('left');
    await left;
    expect(abandoned).not.toHaveBeenCalled();
    land('landed');
    await expect(patient).resolves.toBe('landed');
  });

  it('is joined by calls that its operation makes at once', async () => {
    const flight = new Flight<string>(first, () => {});
    let inside: Promise<string> | undefined;
    void flight.start(() => {
      inside = flight.join(new Call());
      return 'landed';
    });
    expect(await Promise.all([inside, flight.join(new Call())])).toEqual(['landed', 'landed']);
  });
});
