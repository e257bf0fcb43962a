import { ManualClock } from '@temper/testkit/clock';
import { boundOf } from '@temper/testkit/repository/boundaries';
import { expect, it } from 'vitest';
import { retry } from '../../src/retry.ts';

it.each(['978307200', '99999999999999999999', 'Fri, 31 Dec 9999 23:59:59 GMT'])(
  'a call whose upstream asks for a wait of years ends at once: Retry-After %s',
  async (value) => {
    const clock = new ManualClock(Date.UTC(2026, 0, 1));
    const headers = { 'retry-after': value };
    const error = Object.assign(new Error('busy'), { status: 503, headers });
    let calls = 0;
    const begin = clock.monotonic();
    const call = retry({ clock }).execute(() => {
      calls++;
      throw error;
    });
    await expect(clock.runUntil(call)).rejects.toBe(error);
    expect(calls).toBe(1);
    expect(clock.monotonic() - begin).toBe(boundOf('upstream.retry-after'));
  },
);
