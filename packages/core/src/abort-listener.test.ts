import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { listenForAbort, stopListening } from './abort-listener.ts';

const count = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

describe('listenForAbort', () => {
  it('is one listener of the signal, however many listen, and none when nobody does', () => {
    const { signal } = new AbortController();
    const listeners = Array.from({ length: 1000 }, () => () => {});
    for (const listener of listeners) listenForAbort(signal, listener);
    expect(count(signal)).toBe(1);
    for (const listener of listeners.slice(1)) stopListening(signal, listener);
    expect(count(signal)).toBe(1);
    stopListening(signal, listeners[0] as () => void);
    expect(count(signal)).toBe(0);
    listenForAbort(signal, listeners[0] as () => void);
    expect(count(signal)).toBe(1);
  });

  it('calls functions and objects once, in the order of addition, and lets go of the signal', () => {
    const controller = new AbortController();
    const { signal } = controller;
    const called: string[] = [];
    listenForAbort(signal, () => called.push('a'));
    listenForAbort(signal, { handleEvent: () => called.push('b') });
    const again = (): void => void called.push('c');
    listenForAbort(signal, again);
    stopListening(signal, again);
    listenForAbort(signal, () => called.push('d'));
    listenForAbort(signal, again);
    controller.abort();
    signal.dispatchEvent(new Event('abort'));
    expect(called).toEqual(['a', 'b', 'd', 'c']);
    expect(count(signal)).toBe(0);
  });

  it('calls no listener that another one has removed or added', () => {
    const controller = new AbortController();
    const { signal } = controller;
    const [removed, added] = [vi.fn(), vi.fn()];
    listenForAbort(signal, () => {
      stopListening(signal, removed);
      listenForAbort(signal, added);
    });
    listenForAbort(signal, removed);
    controller.abort();
    expect([removed, added].map((listener) => listener.mock.calls.length)).toEqual([0, 0]);
    stopListening(signal, added);
    expect(count(signal)).toBe(0);
  });

  it('calls the others when one throws', () => {
    const controller = new AbortController();
    const next = vi.fn();
    listenForAbort(controller.signal, () => {
      throw new Error('broken');
    });
    listenForAbort(controller.signal, next);
    controller.abort();
    expect(next).toHaveBeenCalledOnce();
  });

  it('keeps nothing when the signal refuses, and logs what it throws at the removal', () => {
    const { signal } = new AbortController();
    const refuse = vi.spyOn(signal, 'addEventListener').mockImplementation(() => {
      throw new Error('refused');
    });
    const [first, second] = [vi.fn(), vi.fn()];
    expect(() => listenForAbort(signal, first)).toThrow('refused');
    refuse.mockRestore();
    listenForAbort(signal, second);
    signal.dispatchEvent(new Event('abort'));
    expect(first).not.toHaveBeenCalled();
    expect(second).toHaveBeenCalledOnce();

    vi.spyOn(signal, 'removeEventListener').mockImplementation(() => {
      throw new Error('kept');
    });
    listenForAbort(signal, first);
    expect(() => stopListening(signal, first)).not.toThrow();
  });
});
