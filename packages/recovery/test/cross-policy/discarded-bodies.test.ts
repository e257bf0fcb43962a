import { Readable } from 'node:stream';
import type { Outcome } from '@temper/core';
import { retry } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { cached, fallback, hedge, pipeline, timeout } from '../../src/index.ts';

/** A result with a body that holds a connection until it is read or released. */
interface Held {
  readonly outcome: Outcome<unknown>;
  readonly released: () => boolean;
}

function stream(): { body: Readable; released: () => boolean } {
  const body = new Readable({
    read: () => {},
    // As undici's: the stream ends with an error that somebody must handle.
    destroy: (_, done) => done(new Error('aborted')),
  });
  return { body, released: () => body.destroyed };
}

function webStream(): { body: ReadableStream; released: () => boolean } {
  const cancelled: unknown[] = [];
  const body = new ReadableStream({ cancel: (reason) => void cancelled.push(reason) });
  return { body, released: () => cancelled.length > 0 };
}

/** As clients return or throw their responses. */
const CLIENTS: Record<string, () => Held> = {
  'a Response': () => {
    const { body, released } = webStream();
    const value = new Response(body, { status: 503 });
    return { outcome: { ok: true, value }, released };
  },
  'an error with a Response': () => {
    const { body, released } = webStream();
    const response = new Response(body, { status: 503 });
    const error = Object.assign(new Error('HTTP 503'), { response });
    return { outcome: { ok: false, error }, released };
  },
  'a response of undici.request or node-fetch': () => {
    const { body, released } = stream();
    return { outcome: { ok: true, value: { status: 503, body } }, released };
  },
  'an error of axios with a stream': () => {
    const { body: data, released } = stream();
    const error = Object.assign(new Error('HTTP 503'), { response: { status: 503, data } });
    return { outcome: { ok: false, error }, released };
  },
  'a message of node:http': () => {
    const { body, released } = stream();
    return { outcome: { ok: true, value: Object.assign(body, { statusCode: 503 }) }, released };
  },
};

function ended({ outcome }: Held): unknown {
  if (outcome.ok) return outcome.value;
  throw outcome.error;
}

const isOurs = (outcome: Outcome<unknown>): boolean =>
  !outcome.ok || (typeof outcome.value === 'object' && outcome.value !== null);

/** Ways in which nobody gets what the operation returned or threw. */
const WAYS: Record<string, (clock: ManualClock, held: Held) => Promise<unknown>> = {
  'a retry makes another attempt': (clock, held) =>
    retry({ clock, shouldHandle: isOurs, initialDelayMs: 1 }).execute(({ attempt }) =>
      attempt === 1 ? ended(held) : 'answer',
    ),
  'a hedge makes another attempt': (clock, held) =>
    hedge({ clock, shouldHandle: isOurs, delayMs: 10 }).execute(({ hedge: number }) =>
      number === 1 ? ended(held) : 'answer',
    ),
  'another attempt of a hedge was faster': (clock, held) =>
    hedge({ clock, delayMs: 10 }).execute(async ({ hedge: number }) => {
      if (number > 1) return 'answer';
      await clock.sleep(50);
      return ended(held);
    }),
  'a fallback answers in its place': (clock, held) =>
    fallback({ clock, shouldHandle: isOurs, handler: () => 'answer' }).execute(() => ended(held)),
  'an old answer is served in its place': async (clock, held) => {
    const cache = cached({ clock, shouldHandle: isOurs, key: () => 'all' });
    await cache.execute(() => 'answer');
    return cache.execute(() => ended(held));
  },
  'it comes after a timeout': (clock, held) =>
    pipeline(
      { clock },
      fallback({ clock, handler: () => 'answer' }),
      timeout({ clock, timeoutMs: 10 }),
    ).execute(async () => {
      await clock.sleep(50);
      return ended(held);
    }),
  'it comes after the timeout of an attempt': (clock, held) =>
    retry({ clock, attemptTimeoutMs: 10, initialDelayMs: 1 }).execute(async ({ attempt }) => {
      if (attempt > 1) return 'answer';
      await clock.sleep(50);
      return ended(held);
    }),
  'it comes after the deadline': async (clock, held) => {
    const late = async (): Promise<unknown> => {
      await clock.sleep(50);
      return ended(held);
    };
    await pipeline({ clock }).tryExecute(late, { timeoutMs: 10 });
    return 'answer';
  },
  'it comes after the time that is reserved for a fallback': (clock, held) =>
    fallback({ clock, reserveMs: 90, handler: () => 'answer' }).execute(
      async () => {
        await clock.sleep(50);
        return ended(held);
      },
      { timeoutMs: 100 },
    ),
  'all callers of a shared run have left': async (clock, held) => {
    const cache = cached({ clock, singleFlight: true, key: () => 'all', isCacheable: () => false });
    const late = async (): Promise<unknown> => {
      await clock.sleep(50);
      return ended(held);
    };
    await cache.tryExecute(late, { timeoutMs: 10 });
    return 'answer';
  },
};

describe.each(Object.keys(WAYS))('the unread body of a result is released when %s', (way) => {
  it.each(Object.keys(CLIENTS))('%s', async (client) => {
    const clock = new ManualClock();
    const held = (CLIENTS[client] as () => Held)();
    const answer = (WAYS[way] as (typeof WAYS)[string])(clock, held);
    expect(await clock.runUntil(answer)).toBe('answer');
    await clock.advance(1000);
    await settle();
    expect(held.released()).toBe(true);
  });
});

describe('a body is left alone', () => {
  const response = (): Held => (CLIENTS['a Response'] as () => Held)();
  const unavailable = (o: Outcome<unknown>): boolean =>
    o.ok && (o.value as Partial<Response>).status === 503;

  it.each<[string, (value: unknown) => unknown]>([
    ['the same response', (value) => value],
    ['another response with its body', (value) => new Response((value as Response).body)],
    ['an object with it', (value) => ({ stale: true, answer: value })],
  ])('that a fallback answers with: %s', async (_, handler) => {
    const held = response();
    const policy = fallback({
      shouldHandle: unavailable,
      handler: ({ outcome }) => handler((outcome as { value: unknown }).value),
    });
    await policy.execute(() => ended(held));
    await settle();
    expect(held.released()).toBe(false);
  });

  it('that a fallback failed beside: its error has the response', async () => {
    const held = response();
    const policy = fallback({
      shouldHandle: unavailable,
      handler: () => {
        throw new Error('nor this');
      },
    });
    await policy.tryExecute(() => ended(held));
    await settle();
    expect(held.released()).toBe(false);
  });

  it('that the details of an answer have', async () => {
    const cache = cached({ shouldHandle: unavailable, key: () => 'all' });
    await cache.execute(() => 'answer');
    const held = response();
    const { failure } = await cache.answer(() => ended(held));
    await settle();
    expect(failure).toEqual(held.outcome);
    expect(held.released()).toBe(false);
  });

  it('that a cache keeps, although the call around it was too late or failed', async () => {
    const clock = new ManualClock();
    const cache = cached({ clock, key: () => 'all', freshMs: 60_000 });
    const late = pipeline({ clock }, timeout({ clock, timeoutMs: 10 }), cache);
    const held = response();
    const call = late.tryExecute(async () => {
      await clock.sleep(50);
      return ended(held);
    });
    await clock.advance(100);
    expect(await call).toMatchObject({ ok: false });
    const again = retry({ clock, shouldHandle: unavailable, maxAttempts: 2, initialDelayMs: 1 });
    const outcome = await clock.runUntil(again.execute(() => cache.execute(() => 'no')));
    await settle();
    expect(outcome).toBe((held.outcome as { value: unknown }).value);
    expect(held.released()).toBe(false);
  });

  it('that the callers of a shared run have in common', async () => {
    const clock = new ManualClock();
    const cache = cached({ clock, key: () => 'all', singleFlight: true, isCacheable: () => false });
    const held = response();
    const run = async (): Promise<unknown> => {
      await clock.sleep(50);
      return ended(held);
    };
    const judged = retry({ clock, shouldHandle: unavailable, maxAttempts: 1 });
    const replaced = fallback({ clock, shouldHandle: unavailable, handler: () => 'answer' });
    const calls = [judged, replaced].map((policy) => policy.execute(() => cache.execute(run)));
    await clock.advance(100);
    expect((await Promise.all(calls))[1]).toBe('answer');
    await settle();
    expect(held.released()).toBe(false);
  });
});
