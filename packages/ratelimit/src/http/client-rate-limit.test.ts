import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { clientRateLimit } from './client-rate-limit.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const answer = (fields: Record<string, string>, status = 200) =>
  new Response(null, { status, headers: fields });
const saying = (fields: Record<string, string>, status?: number) => async () =>
  answer(fields, status);

describe('clientRateLimit', () => {
  it('uses what is left, then waits for the reset', async () => {
    const api = clientRateLimit({ clock });
    await api.execute(saying({ RateLimit: '"default";r=2;t=7' }));
    await api.execute(saying({ RateLimit: '"default";r=1;t=7' }));
    await api.execute(saying({ RateLimit: '"default";r=0;t=7' }));
    let at = 0;
    const call = api.execute(async () => {
      at = clock.monotonic() - 1000;
      return answer({ RateLimit: '"default";r=9;t=7' });
    });
    await clock.advance(6999);
    expect(api.stats().queued).toBe(1);
    await clock.advance(1);
    await call;
    expect(at).toBe(7000);
    expect(clock.pending).toBe(0);
  });

  it('refuses at once what the deadline leaves no time for', async () => {
    const api = clientRateLimit({ clock });
    await api.execute(
      saying({ 'RateLimit-Policy': '"default";q=10;w=60', RateLimit: '"default";r=0;t=30' }),
    );
    await expect(api.execute(async () => 1, { deadlineMs: 29_000 })).rejects.toMatchObject({
      code: 'RATE_LIMIT_EXCEEDED',
      reason: 'deadline',
      retryAfterMs: 30_000,
      limit: 10,
    });
    expect(api.quota()).toEqual({ limit: 10, windowMs: 60_000, remaining: 0, resetMs: 30_000 });
  });

  it('lets the others wait for the answer of the first after a reset', async () => {
    const api = clientRateLimit({ clock });
    await api.execute(saying({ RateLimit: '"default";r=0;t=1' }));
    const gate = Promise.withResolvers<Response>();
    const started: number[] = [];
    const calls = [0, 1, 2].map((i) =>
      api.execute(() => {
        started.push(i);
        return i === 0 ? gate.promise : Promise.resolve(answer({}));
      }),
    );
    await clock.advance(1000);
    expect(started).toEqual([0]);
    gate.resolve(answer({ RateLimit: '"default";r=5;t=1' }));
    await Promise.all(calls);
    expect(started).toEqual([0, 1, 2]);
  });

  it.each([
    ['seconds', '3'],
    ['a date', new Date(1_700_000_003_000).toUTCString()],
  ])('stays away as long as Retry-After asks, in %s', async (_, value) => {
    const api = clientRateLimit({ clock });
    await api.execute(saying({ 'Retry-After': value }, 503));
    expect(api.quota().resetMs).toBe(3000);
    const call = api.execute(saying({}));
    await clock.advance(3000);
    await call;
    await api.execute(saying({}));
  });

  it('puts Retry-After before the reset', async () => {
    const api = clientRateLimit({ clock });
    await api.execute(saying({ 'Retry-After': '5', RateLimit: '"default";r=0;t=60' }, 429));
    expect(api.quota().resetMs).toBe(5000);
  });

  it('reads the fields of an answer that comes as an error, of undici and of axios alike', async () => {
    for (const error of [
      Object.assign(new Error('429'), {
        response: { status: 429, headers: { 'Retry-After': '4' } },
      }),
      Object.assign(new Error('429'), { statusCode: 429, headers: { 'retry-after': '4' } }),
      new Error('outer', { cause: { status: 429, headers: new Map([['retry-after', '4']]) } }),
    ]) {
      const api = clientRateLimit({ clock });
      await expect(api.execute(() => Promise.reject(error))).rejects.toBe(error);
      expect(api.quota().resetMs).toBe(4000);
    }
  });

  it('hears nothing from redirects, caches, broken fields, other units and other partitions', async () => {
    const api = clientRateLimit({ clock, partitionKey: 'me' });
    await api.execute(saying({ 'Retry-After': '100' }, 301));
    await api.execute(saying({ Age: '3', RateLimit: '"default";r=0;t=100' }));
    await api.execute(saying({ RateLimit: 'default;r=0;t=100' }));
    await api.execute(
      saying({
        'RateLimit-Policy': '"bytes";q=9;qu="content-bytes"',
        RateLimit: '"bytes";r=0;t=100;pk=:bWU=:',
      }),
    );
    await api.execute(saying({ RateLimit: '"default";r=0;t=100;pk=:eW91:' }));
    await api.execute(async () => 'no answer at all');
    expect(api.quota().resetMs).toBeUndefined();
    await api.execute(saying({ RateLimit: '"default";r=0;t=100;pk=:bWU=:' }));
    expect(api.quota().resetMs).toBe(100_000);
  });

  it('survives an answer that throws when it is read', async () => {
    const api = clientRateLimit({ clock });
    const hostile = {
      get headers(): never {
        throw new Error('hostile');
      },
    };
    await expect(api.execute(async () => hostile)).resolves.toBe(hostile);
  });

  it('is stopped by no server for longer than maxBlockMs', async () => {
    const api = clientRateLimit({ clock, maxBlockMs: 5000 });
    await api.execute(saying({ 'Retry-After': '1000000' }, 429));
    expect(api.quota().resetMs).toBe(5000);
  });

  it('hears by hand what its leases are told', async () => {
    const api = clientRateLimit({ clock });
    using lease = await api.acquire();
    lease.hear(answer({ RateLimit: '"default";r=0;t=2' }));
    const waiting = api.acquire();
    await settle();
    expect(api.stats().queued).toBe(1);
    await clock.advance(2000);
    await waiting;
  });

  it.each([
    [{ maxBlockMs: 0 }, /maxBlockMs must be a finite number > 0, got 0/],
    [{ partitionKey: 5 }, /partitionKey must be bytes or their text, got 5/],
    [{ limit: 5 }, /unknown option 'limit'/],
  ])('refuses %o', (options, message) => {
    expect(() => clientRateLimit(options as never)).toThrow(message);
  });
});
