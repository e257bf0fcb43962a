import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { ThroughPolicy } from '../../test/through-policy.ts';
import type { CallOptions } from '../contract.ts';

describe('call options', () => {
  it.each([
    [-1, 'RangeError: through: timeoutMs must be a number >= 0, got -1.'],
    [Number.NaN, 'RangeError: through: timeoutMs must be a number >= 0, got NaN.'],
    ['5', "TypeError: through: timeoutMs must be a number >= 0, got '5'."],
  ])('refuse a timeoutMs of %s', async (timeoutMs, message) => {
    const policy = new ThroughPolicy(new ManualClock());
    const call = policy.execute(() => 1, { timeoutMs } as CallOptions);
    await expect(call.catch(String)).resolves.toBe(message);
    expect(policy.calls).toEqual([]);
  });
});
