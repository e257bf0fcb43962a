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
});
