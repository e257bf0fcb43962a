import { diag } from '@opentelemetry/api';
import type { Outcome } from '@temper/core';
import { ManualClock, settle } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { tokenBucket } from '../limiters/token-bucket.ts';
import { clientRateLimit } from './client-rate-limit.ts';
import type { ResponseLike } from './response-fields.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const answer = (fields: Record<string, string>, status = 200) =>
  new Response(null, { status, headers: fields });
const fail = (): never => {
  throw new Error('a bug');
};
const rejects = (): Promise<never> => Promise.reject(new Error('a bug'));
const saying = (fields: Record<string, string>, status?: number) => async () =>
  answer(fields, status);

describe('clientRateLimit', () => {
  it('uses the remaining units, then waits for the reset', async () => {
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

  it('refuses a call at once when its deadline comes before the reset', async () => {
    const api = clientRateLimit({ clock });
    await api.execute(
      saying({ 'RateLimit-Policy': '"default";q=10;w=60', RateLimit: '"default";r=0;t=30' }),
    );
    await expect(api.execute(async () => 1, { timeoutMs: 29_000 })).rejects.toMatchObject({
      code: 'RATE_LIMIT_EXCEEDED',
      reason: 'deadline',
      retryAfterMs: 30_000,
      limit: 10,
    });
    expect(api.peek()).toEqual({ limit: 10, windowMs: 60_000, remaining: 0, resetMs: 30_000 });
  });

  it('sends one call after a reset, and the others after its response', async () => {
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
  ])('waits as long as Retry-After says, in %s', async (_, value) => {
    const api = clientRateLimit({ clock });
    await api.execute(saying({ 'Retry-After': value }, 503));
    expect(api.peek().resetMs).toBe(3000);
    const call = api.execute(saying({}));
    await clock.advance(3000);
    await call;
    await api.execute(saying({}));
  });

  it('prefers Retry-After to the reset', async () => {
    const api = clientRateLimit({ clock });
    await api.execute(saying({ 'Retry-After': '5', RateLimit: '"default";r=0;t=60' }, 429));
    expect(api.peek().resetMs).toBe(5000);
  });

  it('reads the fields of errors of HTTP clients, and of errors that they cause', async () => {
    for (const error of [
      Object.assign(new Error('429'), {
        response: { status: 429, headers: { 'Retry-After': '4' } },
      }),
      Object.assign(new Error('429'), { statusCode: 429, headers: { 'retry-after': '4' } }),
      new Error('outer', {
        cause: Object.assign(new Error('inner'), {
          status: 429,
          headers: new Map([['retry-after', '4']]),
        }),
      }),
      new Error('outer', { cause: answer({ 'Retry-After': '4' }, 429) }),
    ]) {
      const api = clientRateLimit({ clock });
      await expect(api.execute(() => Promise.reject(error))).rejects.toBe(error);
      expect(api.peek().resetMs).toBe(4000);
    }
  });

  it('ignores redirects, cached responses, malformed fields, other units and other partitions', async () => {
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
    expect(api.peek().resetMs).toBeUndefined();
    await api.execute(saying({ RateLimit: '"default";r=0;t=100;pk=:bWU=:' }));
    expect(api.peek().resetMs).toBe(100_000);
  });

  it('returns a response that throws when it is read', async () => {
    const api = clientRateLimit({ clock });
    const hostile = Object.defineProperty(answer({}), 'headers', {
      get: (): never => {
        throw new Error('hostile');
      },
    });
    await expect(api.execute(async () => hostile)).resolves.toBe(hostile);
  });

  it('is held back by a server for at most maxBlockMs', async () => {
    const api = clientRateLimit({ clock, maxBlockMs: 5000 });
    await api.execute(saying({ 'Retry-After': '1000000' }, 429));
    expect(api.peek().resetMs).toBe(5000);
  });

  it('takes the response to a call by hand from its lease', async () => {
    const api = clientRateLimit({ clock });
    using lease = await api.acquire();
    lease.update(answer({ RateLimit: '"default";r=0;t=2' }));
    const waiting = api.acquire();
    await settle();
    expect(api.stats().queued).toBe(1);
    await clock.advance(2000);
    await waiting;
  });

  const body = {
    status: 429,
    retryAfterMs: 9000,
    headers: { 'retry-after': '9', ratelimit: '"x";r=0;t=9' },
  };
  it.each<[string, () => unknown]>([
    ['a parsed body', () => body],
    ['a parsed body with a response', () => ({ response: body, cause: body })],
    ['a body of another prototype', () => Object.assign(Object.create(null), body)],
    ['a class instance with get', () => ({ status: 429, headers: { get: () => '9' } })],
    ['a thrown body', () => Promise.reject(body)],
    ['an error with a body as its cause', () => Promise.reject(new Error('x', { cause: body }))],
    [
      'an error that asks for a wait without a response',
      () => Promise.reject(Object.assign(new Error('x'), { retryAfterMs: 9000 })),
    ],
    [
      'a refusal of a Temper policy inside',
      () => {
        const inside = tokenBucket({ clock, burst: 1 });
        inside.tryAcquire();
        return inside.execute(() => 1, { timeoutMs: 1 });
      },
    ],
  ])('is not held back by %s', async (_, operation) => {
    const api = clientRateLimit({ clock });
    await api.tryExecute(operation);
    expect(api.peek()).toMatchObject({ resetMs: undefined, remaining: Number.POSITIVE_INFINITY });
  });

  it('learns nothing from a call that was cancelled', async () => {
    const api = clientRateLimit({ clock });
    const controller = new AbortController();
    const late = Object.assign(new Error('429'), { response: answer({ 'Retry-After': '9' }, 429) });
    const outcome = await api.tryExecute(
      () => {
        controller.abort('gone');
        return Promise.reject(late);
      },
      { signal: controller.signal },
    );
    expect(outcome).toEqual({ ok: false, error: late });
    expect(api.peek().resetMs).toBeUndefined();
  });

  it('reads Headers that the operation returns', async () => {
    const api = clientRateLimit({ clock });
    await api.execute(async () => new Headers({ RateLimit: '"x";r=0;t=3' }));
    expect(api.peek().resetMs).toBe(3000);
  });

  it('reads only the outcomes that shouldHandle selects', async () => {
    const shouldHandle = (o: Outcome<Response>): boolean => o.ok && o.value.status === 429;
    const api = clientRateLimit({ clock, shouldHandle });
    await api.execute(saying({ RateLimit: '"x";r=0;t=3' }));
    expect(api.peek().resetMs).toBeUndefined();
    await api.execute(saying({ RateLimit: '"x";r=0;t=3' }, 429));
    expect(api.peek().resetMs).toBe(3000);
  });

  it('finds the response by responseOf where one is given', async () => {
    const api = clientRateLimit({
      clock,
      responseOf: (o: Outcome<unknown>) => (o.ok ? (o.value as ResponseLike) : undefined),
    });
    await api.execute(async () => ({ status: 429, headers: { 'Retry-After': '3' } }));
    expect(api.peek().resetMs).toBe(3000);
  });

  it.each<[string, object]>([
    ['shouldHandle throws', { shouldHandle: fail }],
    ['shouldHandle returns a promise', { shouldHandle: async () => true }],
    ['shouldHandle rejects', { shouldHandle: rejects }],
    ['responseOf throws', { responseOf: fail }],
    ['responseOf returns a promise', { responseOf: async () => answer({ 'Retry-After': '9' }) }],
    ['responseOf rejects', { responseOf: rejects }],
    ['responseOf returns no response', { responseOf: () => 5 }],
  ])('reads nothing and logs it when %s', async (_, options) => {
    const messages: string[] = [];
    diag.setLogger({
      ...console,
      error: (...message: unknown[]) => messages.push(message.join(' ')),
      verbose: () => undefined,
    });
    try {
      const api = clientRateLimit({ clock, name: 'registry', ...options });
      const response = answer({ 'Retry-After': '9' }, 429);
      expect(await api.execute(async () => response)).toBe(response);
      expect(api.peek().resetMs).toBeUndefined();
      await settle();
      expect(messages.join()).toContain('registry');
    } finally {
      diag.disable();
    }
  });

  it('keeps a bounded number of limits, whatever a server announces', async () => {
    const api = clientRateLimit({ clock });
    for (let i = 0; i < 200; i++) {
      const names = Array.from({ length: 50 }, (_, j) => `"limit-${i}-${j}"`);
      await api.execute(
        saying({
          'RateLimit-Policy': names.map((name) => `${name};q=${i + 1};w=60`).join(', '),
          RateLimit: names.map((name) => `${name};r=9;t=60`).join(', '),
        }),
      );
    }
    // 32 items of a field are read, and 64 policies kept: the smallest quota is that of the 199th.
    expect(api.peek()).toMatchObject({ limit: 199, windowMs: 60_000 });
  });

  it('ignores a field of more than 8192 characters', async () => {
    const api = clientRateLimit({ clock });
    const long = `"${'x'.repeat(9000)}";r=0;t=60`;
    await api.execute(saying({ RateLimit: long }));
    expect(api.peek().resetMs).toBeUndefined();
  });

  it('takes cost and key by name, and refuses unknown options', async () => {
    const api = clientRateLimit({ clock });
    await api.execute(saying({ RateLimit: '"x";r=5;t=3' }));
    expect(api.take({ key: 'ann', cost: 3 })).toMatchObject({ allowed: true, remaining: 2 });
    expect(api.take({ cost: 2 })).toMatchObject({ allowed: true, remaining: 0 });
    expect(api.take()).toMatchObject({ allowed: false, retryAfterMs: 3000, lease: undefined });
    expect(() => api.take(3 as never)).toThrow(TypeError);
    expect(() => api.tryAcquire({ costs: 3 } as never)).toThrow(TypeError);
  });

  it.each([
    [{ maxBlockMs: 0 }, /maxBlockMs must be a finite number > 0, got 0/],
    [{ partitionKey: 5 }, /partitionKey must be bytes or their text, got 5/],
    [{ limit: 5 }, /unknown option 'limit'/],
  ])('refuses %o', (options, message) => {
    expect(() => clientRateLimit(options as never)).toThrow(message);
  });
});
