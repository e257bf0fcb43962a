import { getEventListeners } from 'node:events';
import { CallContext } from '@temper/core';
import { describe, expect, it, vi } from 'vitest';
import { Flight } from './flight.ts';

const first = new CallContext(2, 77, 'op', { tenant: 'a' });

function caller() {
  const controller = new AbortController();
  const context = CallContext.root({ signal: controller.signal });
  return { controller, context, listeners: () => getEventListeners(controller.signal, 'abort') };
}

describe('a flight', () => {
  it('takes the labels of the call that begins it, and no deadline', async () => {
    const seen = await new Flight(
      (context) => context,
      first,
      () => {},
    ).join(first);
    expect(seen).toMatchObject({ attempt: 2, operation: 'op', attributes: { tenant: 'a' } });
    expect(seen.deadline).toBeUndefined();
  });

  it('gives each caller its result or its error, and leaves no listener on their signals', async () => {
    const one = caller();
    const other = caller();
    const landed = new Flight(
      async () => 'landed',
      first,
      () => {},
    );
    expect(await Promise.all([landed.join(one.context), landed.join(other.context)])).toEqual([
      'landed',
      'landed',
    ]);
    const crashed = new Flight(
      () => Promise.reject(new Error('crashed')),
      first,
      () => {},
    );
    await expect(crashed.join(one.context)).rejects.toThrow('crashed');
    expect([...one.listeners(), ...other.listeners()]).toEqual([]);
  });

  it('turns away a caller who has given up already, and is abandoned when there is no other', async () => {
    const abandoned = vi.fn();
    let signal: AbortSignal | undefined;
    const flight = new Flight<never>(
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

  it('is never abandoned while somebody waits who cannot leave', async () => {
    const abandoned = vi.fn();
    let land: (value: string) => void = () => {};
    const flight = new Flight(
      () => new Promise<string>((resolve) => (land = resolve)),
      first,
      abandoned,
    );
    const patient = flight.join(new CallContext());
    const hasty = caller();
    const left = expect(flight.join(hasty.context)).rejects.toBe('left');
    hasty.controller.abort('left');
    await left;
    expect(abandoned).not.toHaveBeenCalled();
    land('landed');
    await expect(patient).resolves.toBe('landed');
  });
});
