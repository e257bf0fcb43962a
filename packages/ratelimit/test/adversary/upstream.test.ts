import { ManualClock } from '@temper/testkit';
import { boundOf } from '@temper/testkit/repository/boundaries';
import { describe, expect, it } from 'vitest';
import { clientRateLimit } from '../../src/http/index.ts';
import { ServerAnnouncements } from '../../src/http/server-announcements.ts';

const YEARS = String(31 * 365 * 86_400);

describe('an upstream', () => {
  it.each<Record<string, string>>([
    { ratelimit: `"default";r=0;t=${YEARS}` },
    { 'retry-after': YEARS },
    { 'retry-after': 'Fri, 31 Dec 9999 23:59:59 GMT' },
    { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': YEARS },
    { 'ratelimit-policy': `"a";q=1;w=${YEARS}`, ratelimit: '"a";r=0' },
  ])('blocks calls for ten minutes at most: %j', async (headers) => {
    const clock = new ManualClock();
    const api = clientRateLimit({ clock });
    await api.execute(async () => new Response(null, { status: 429, headers }));
    expect(api.peek().resetMs).toBe(boundOf('upstream.block'));
    const refused = api.execute(async () => 1, { timeoutMs: 1000 });
    await expect(refused).rejects.toMatchObject({ retryAfterMs: boundOf('upstream.block') });
    await clock.advance(boundOf('upstream.block'));
    expect(await api.execute(async () => 1)).toBe(1);
  });

  it('is heard of 33 limits at most', () => {
    const announcements = new ServerAnnouncements(undefined, 1000);
    const most = (length: number): number => {
      const items = Array.from({ length }, (_, i) => `"l${i}";r=1`).join(',');
      const headers = {
        ratelimit: items,
        'ratelimit-policy': items.replaceAll('r=1', 'q=1'),
        'retry-after': '1',
      };
      return announcements.read({ status: 429, headers }, 0).length;
    };
    const read = [1, 30, 31, 32, 33, 100, 700, 800, 10_000].map(most);
    expect(Math.max(...read)).toBe(boundOf('upstream.limits'));
  });
});
