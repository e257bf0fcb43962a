import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Heartbeat } from './heartbeat.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function watched(ask: () => Promise<unknown>) {
  const onSilent = vi.fn();
  const heartbeat = new Heartbeat({ ask, timeoutMs: 4_000, onSilent });
  return { heartbeat, onSilent };
}

const never = () => new Promise(() => undefined);

describe('a heartbeat', () => {
  it('tells once of a process that has not answered for the timeout', async () => {
    const { onSilent } = watched(never);
    // The first question, and four beats without an answer.
    await vi.advanceTimersByTimeAsync(1_000 + 3_999);
    expect(onSilent).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(onSilent).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(onSilent).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['an answer', async () => 'here'],
    ['an error', () => Promise.reject(new Error('unknown method'))],
  ])('takes %s for a sign of life', async (_, ask) => {
    const { onSilent } = watched(ask);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(onSilent).not.toHaveBeenCalled();
  });

  it('takes a closed connection, on which asking throws, for silence', async () => {
    const { onSilent } = watched(() => {
      throw new Error('Connection is closed.');
    });
    await vi.advanceTimersByTimeAsync(1_000 + 4_000);
    expect(onSilent).toHaveBeenCalledTimes(1);
  });

  it('does not blame the other side for a stall of this process', async () => {
    let answer: (() => void) | undefined;
    const { onSilent } = watched(
      () =>
        new Promise<void>((resolve) => {
          answer = resolve;
        }),
    );
    await vi.advanceTimersByTimeAsync(1_000);
    // An hour in which no timer fires, as when the machine sleeps.
    vi.setSystemTime('2100-01-01');
    await vi.advanceTimersByTimeAsync(1_000);
    answer?.();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(onSilent).not.toHaveBeenCalled();
  });

  it('asks no more when it is disposed of', async () => {
    const ask = vi.fn(never);
    const { heartbeat, onSilent } = watched(ask);
    heartbeat[Symbol.dispose]();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ask).not.toHaveBeenCalled();
    expect(onSilent).not.toHaveBeenCalled();
  });
});
