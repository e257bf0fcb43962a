import { ManualClock } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { clientRateLimit } from './client-rate-limit.ts';
import { olderLimit } from './older-announcements.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const read = (headers: Record<string, string>) => olderLimit({ headers }, NOW);

describe('older announcements', () => {
  it.each<[string, Record<string, string>, number, number | undefined]>([
    ['draft 7', { RateLimit: 'limit=100, remaining=5, reset=30' }, 5, 30_000],
    ['draft 7 without spaces', { ratelimit: 'limit=100,remaining=5,reset=30' }, 5, 30_000],
    ['draft 6', { 'RateLimit-Remaining': '5', 'RateLimit-Reset': '30' }, 5, 30_000],
    ['draft 6 with no reset', { 'RateLimit-Remaining': '0' }, 0, undefined],
    ['seconds from now', { 'X-RateLimit-Remaining': '5', 'X-RateLimit-Reset': '30' }, 5, 30_000],
    [
      'seconds since 1970',
      { 'X-RateLimit-Remaining': '5', 'X-RateLimit-Reset': String(NOW / 1000 + 30) },
      5,
      30_000,
    ],
    [
      'milliseconds since 1970',
      { 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': String(NOW + 30_000) },
      5,
      30_000,
    ],
    [
      "a time by the server's own clock, an hour ahead",
      {
        'x-ratelimit-remaining': '5',
        'x-ratelimit-reset': String(NOW / 1000 + 3630),
        date: new Date(NOW + 3_600_000).toUTCString(),
      },
      5,
      30_000,
    ],
    [
      'a time that is over',
      { 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': String(NOW / 1000 - 30) },
      5,
      0,
    ],
    [
      "Twitter's spelling",
      { 'X-Rate-Limit-Remaining': '5', 'X-Rate-Limit-Reset': '30' },
      5,
      30_000,
    ],
    [
      "Discord's fractions",
      {
        'X-RateLimit-Remaining': '5',
        'X-RateLimit-Reset-After': '1.337',
        'X-RateLimit-Reset': '9',
      },
      5,
      1337,
    ],
  ])('are read as %s', (_, headers, remaining, resetMs) => {
    expect(read(headers)).toEqual({ remaining, resetMs });
  });

  it.each<[string, Record<string, string>]>([
    ['nothing', {}],
    ['a limit alone', { 'X-RateLimit-Limit': '100' }],
    ['a reset alone', { 'X-RateLimit-Reset': '30' }],
    ['words', { 'X-RateLimit-Remaining': 'many' }],
    ['a negative number', { 'X-RateLimit-Remaining': '-1' }],
    ['several numbers', { 'RateLimit-Remaining': '5, 6' }],
    ['infinity', { 'RateLimit-Remaining': 'Infinity' }],
    ['a number of a thousand digits', { 'X-RateLimit-Remaining': '9'.repeat(1000) }],
    ['a draft that nobody wrote', { RateLimit: 'left=5' }],
  ])('are not found in %s', (_, headers) => {
    expect(read(headers)).toBeUndefined();
  });

  it.each<Record<string, string>>([
    { RateLimit: 'limit=2, remaining=0, reset=30' },
    { 'RateLimit-Remaining': '0', 'RateLimit-Reset': '30' },
    { 'X-RateLimit-Remaining': '0', 'X-RateLimit-Reset': '30' },
  ])('hold a client back: %j', async (headers) => {
    const clock = new ManualClock();
    const api = clientRateLimit({ clock, maxWaitMs: 0 });
    await api.execute(() => new Response(null, { headers }));
    expect(api.peek()).toMatchObject({ remaining: 0, resetMs: 30_000 });
    expect(api.take().allowed).toBe(false);
    clock.jump(30_000);
    expect(api.take().allowed).toBe(true);
  });

  it('hold a client back no longer than it allows', async () => {
    const api = clientRateLimit({ clock: new ManualClock(), maxBlockMs: 5_000 });
    const headers = { 'X-RateLimit-Remaining': '0', 'X-RateLimit-Reset': '999999999999999' };
    await api.execute(() => new Response(null, { headers }));
    expect(api.peek().resetMs).toBe(5_000);
  });

  it('give way to the present draft', async () => {
    const api = clientRateLimit({ clock: new ManualClock() });
    const headers = { RateLimit: '"a";r=7;t=60', 'X-RateLimit-Remaining': '0' };
    await api.execute(() => new Response(null, { headers }));
    expect(api.peek().remaining).toBe(7);
  });
});
