import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Debounced } from './debounced.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('debounced work', () => {
  it('runs once after the last request of its key, whatever happens to others', () => {
    const seen: string[] = [];
    const debounced = new Debounced<string>(200);
    for (let at = 1; at <= 20; at += 1) {
      debounced.schedule('a', () => seen.push(`a${at}`));
      vi.advanceTimersByTime(100);
    }
    debounced.schedule('b', () => seen.push('b'));
    expect(seen).toEqual([]);
    vi.advanceTimersByTime(100);
    expect(seen).toEqual(['a20']);
    vi.advanceTimersByTime(1_000);
    expect(seen).toEqual(['a20', 'b']);
  });

  it('does not run when it was cancelled or cleared', () => {
    const seen: string[] = [];
    const debounced = new Debounced<string>(200);
    for (const key of ['a', 'b', 'c']) debounced.schedule(key, () => seen.push(key));
    debounced.cancel('b');
    vi.advanceTimersByTime(199);
    debounced.cancel('a');
    debounced.clear();
    vi.advanceTimersByTime(1_000);
    expect(seen).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
