import type { CallContext, Operation } from '@temper/core';
import { ManualClock, settle } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { concurrency } from '../limiters/concurrency.ts';
import { type ClientRateLimit, clientRateLimit } from './client-rate-limit.ts';

const saying = (remaining: number) => () =>
  new Response(null, { headers: { RateLimit: `"default";r=${remaining};t=600` } });

/** A client that is told what is left. */
async function told(clock: ManualClock, remaining: number): Promise<ClientRateLimit> {
  const api = clientRateLimit({ clock, maxWaitMs: 0 });
  await api.execute(saying(remaining));
  return api;
}

/** Ways in which a call ends before the server has got it. */
const UNSENT: Readonly<Record<string, (api: ClientRateLimit) => Promise<unknown>>> = {
  'is refused by a policy inside': (api) => {
    const full = concurrency({ limit: 1, maxQueue: 0 });
    full.tryAcquire();
    return api.tryExecute((parent) => full.execute(() => 1, { parent }));
  },
  'is cancelled while it waits at a policy inside': async (api) => {
    const full = concurrency({ limit: 1 });
    full.tryAcquire();
    const controller = new AbortController();
    const { signal } = controller;
    const call = api.tryExecute((parent) => full.execute(() => 1, { parent }), { signal });
    await settle();
    controller.abort();
    return call;
  },
};

/** Outcomes of a probe that are no answer of the server about its limits. */
const UNANSWERED: Readonly<Record<string, Operation<unknown>>> = {
  'cannot connect': () => {
    throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
  },
  'is reset, with a cause': () => {
    throw new TypeError('fetch failed', {
      cause: Object.assign(new Error('reset'), { code: 'ECONNRESET' }),
    });
  },
  'is answered by a gateway': () => new Response(null, { status: 502 }),
  'fails with a response of a gateway': () => {
    throw Object.assign(new Error('504'), { response: { status: 504, headers: {} } });
  },
  'is refused without a field': () => new Response(null, { status: 429 }),
  'is answered by a cache': () => new Response('old', { headers: { Age: '30' } }),
  'fails before anything is sent': () => {
    throw new TypeError('bad URL');
  },
};

/** Outcomes of a probe from which it follows that the limit is gone. */
const SERVED: typeof UNANSWERED = {
  'is answered': () => new Response('served'),
  'is answered, and returns what it has read': () => ({ items: [] }),
  'is answered that there is nothing': () => {
    throw Object.assign(new Error('404'), { response: { status: 404, headers: {} } });
  },
};

const hang: Operation<never> = ({ signal }: CallContext) =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('canceled')));
  });

/** Ways in which a probe ends without a response. */
const WITHOUT_RESPONSE: typeof UNSENT = {
  ...UNSENT,
  'is cancelled while the server works': async (api) => {
    const controller = new AbortController();
    const call = api.tryExecute(hang, { signal: controller.signal });
    await settle();
    controller.abort();
    return call;
  },
  'is given back by hand': async (api) => api.tryAcquire()?.release(),
};

describe('a call under the limit of a server', () => {
  it.each(Object.keys(UNSENT))('that %s uses none of it', async (how) => {
    const api = await told(new ManualClock(), 3);
    for (let i = 0; i < 10; i++) await UNSENT[how]?.(api);
    expect(api.peek().remaining).toBe(3);
    expect((await api.tryExecute(saying(2))).ok).toBe(true);
  });

  it.each(Object.keys(WITHOUT_RESPONSE))(
    'that %s leaves the probe after the reset to the next one',
    async (how) => {
      const clock = new ManualClock();
      const api = await told(clock, 0);
      await clock.advance(600_000);
      for (let i = 0; i < 10; i++) await WITHOUT_RESPONSE[how]?.(api);
      expect((await api.tryExecute(saying(7))).ok).toBe(true);
      expect(api.peek().remaining).toBe(7);
    },
  );

  it('that waits for a probe gets its turn when that is over without a response', async () => {
    const clock = new ManualClock();
    const api = clientRateLimit({ clock });
    await api.execute(saying(0));
    await clock.advance(600_000);
    const controller = new AbortController();
    const probe = api.tryExecute(hang, { signal: controller.signal });
    const next = api.tryExecute(saying(7));
    await settle();
    expect(api.stats().queued).toBe(1);
    controller.abort();
    await probe;
    expect((await next).ok).toBe(true);
  });

  it.each(Object.keys(UNANSWERED))('that %s as the probe does not lift the limit', async (how) => {
    const clock = new ManualClock();
    const api = await told(clock, 0);
    await clock.advance(600_000);
    for (let i = 0; i < 3; i++) {
      await api.tryExecute(UNANSWERED[how] as Operation<unknown>);
      // One call at a time finds out whether the server is back.
      const probe = api.tryExecute(hang, { timeoutMs: 50 });
      await settle();
      const others = await Promise.all([1, 2].map(() => api.tryExecute(() => 'sent')));
      expect(others.map(({ ok }) => ok)).toEqual([false, false]);
      await clock.advance(100);
      await probe;
    }
    expect((await api.tryExecute(saying(7))).ok).toBe(true);
    expect(api.peek().remaining).toBe(7);
  });

  it.each(Object.keys(UNANSWERED))('that %s does not end the probe of another', async (how) => {
    const clock = new ManualClock();
    const api = clientRateLimit({ clock, maxWaitMs: 0 });
    const leases = [1, 2, 3].map(() => api.tryAcquire());
    leases[0]?.update(saying(0)());
    await clock.advance(600_000);
    const probe = api.tryAcquire();
    const { ok, value, error } = (await outcomeOf(UNANSWERED[how] as Operation<unknown>)) as {
      ok: boolean;
      value?: unknown;
      error?: unknown;
    };
    leases[1]?.update(ok ? value : error);
    expect(api.tryAcquire()).toBeUndefined();
    probe?.update(saying(2)());
    expect(api.tryAcquire()).toBeDefined();
  });

  it.each(Object.keys(SERVED))('that %s as the probe lifts the limit', async (how) => {
    const clock = new ManualClock();
    const api = await told(clock, 0);
    await clock.advance(600_000);
    await api.tryExecute(SERVED[how] as Operation<unknown>);
    expect(api.peek()).toMatchObject({ remaining: Number.POSITIVE_INFINITY });
  });
});

/** The outcome of an operation under no policy. */
async function outcomeOf(operation: Operation<unknown>): Promise<unknown> {
  try {
    return { ok: true, value: await operation({} as CallContext) };
  } catch (error) {
    return { ok: false, error };
  }
}
