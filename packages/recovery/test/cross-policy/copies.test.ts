import { createRequire } from 'node:module';
import * as breakers from '@temper/breaker';
import type { CallContext, CallOptions, Executor, Operation, Policy } from '@temper/core';
import * as limiters from '@temper/ratelimit';
import * as retries from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import * as recovery from '../../src/index.ts';
import { transient, watchedSignal } from './catalogue.ts';

// A process may load every package twice, as ES modules and as CommonJS: policies of both work together
// as those of one copy do.

type Copy = typeof breakers & typeof limiters & typeof retries & typeof recovery;

const here: Copy = { ...breakers, ...limiters, ...retries, ...recovery };
const load = createRequire(import.meta.url);
const NAMES = ['breaker', 'ratelimit', 'retry', 'recovery'] as const;
const there: Copy = Object.assign({}, ...NAMES.map((name) => load(`@temper/${name}`)));

const keyOf = (): string => 'all';
const KINDS: Readonly<Record<string, (copy: Copy, clock: ManualClock) => Policy>> = {
  retry: ({ retry }, clock) => retry({ clock, initialDelayMs: 10, jitter: 'none' }),
  'retry that wraps': ({ retry }, clock) =>
    retry({ clock, initialDelayMs: 0, wrapExhausted: true, shouldHandle: ({ ok }) => !ok }),
  breaker: ({ circuitBreaker }, clock) => circuitBreaker({ clock }),
  timeout: ({ timeout }, clock) => timeout({ clock, timeoutMs: 200 }),
  hedge: ({ hedge }, clock) => hedge({ clock, delayMs: 60 }),
  fallback: ({ fallback }, clock) => fallback({ clock, handler: () => 'second', reserveMs: 20 }),
  singleFlight: ({ cached }, clock) => cached({ clock, key: keyOf, singleFlight: true }),
  concurrency: ({ concurrency }, clock) => concurrency({ clock, limit: 1 }),
};

/** How two policies come to work together. */
const WAYS: Readonly<
  Record<string, (outer: Policy, inner: Policy, clock: ManualClock) => Pick<Executor, 'execute'>>
> = {
  'in a pipeline': (outer, inner, clock) => recovery.pipeline({ clock }, outer, inner),
  'by parent': (outer, inner) => ({
    execute: (operation, options) =>
      outer.execute((parent) => inner.execute(operation, { parent }), options),
  }),
  'by parent, with a signal and a timeout': (outer, inner) => ({
    execute: (operation, options) =>
      outer.execute((parent) => {
        const { signal } = new AbortController();
        return inner.execute(operation, { parent, signal, timeoutMs: 40 });
      }, options),
  }),
  'through a policy of another library': (outer, inner, clock) =>
    recovery.pipeline({ clock }, outer, {
      execute: (operation, options) => inner.execute(operation, { signal: options?.signal }),
    }),
};

interface Work {
  readonly options?: CallOptions;
  readonly abortAfterMs?: number;
  readonly operation: (clock: ManualClock, released: () => void) => Operation<unknown>;
}

const WORK: Readonly<Record<string, Work>> = {
  'fails with a transient error': {
    operation: () => () => {
      throw transient('reset');
    },
  },
  'throws a primitive': {
    operation: () => () => {
      throw 'text';
    },
  },
  'is forbidden': {
    operation: () => () => {
      throw Object.assign(new Error('forbidden'), { status: 403 });
    },
  },
  'hangs until its caller leaves': {
    abortAfterMs: 50,
    operation: (clock) => (call: CallContext) => clock.sleep(1000, call.signal),
  },
  'outlasts its deadline': {
    options: { timeoutMs: 100 },
    operation: (clock) => () => clock.sleep(1000),
  },
  'returns a body, slowly at first': {
    operation: (clock, released) => async (call) => {
      await clock.sleep(call.hedge === 1 ? 80 : 5);
      return { status: 200, body: new ReadableStream({ cancel: released }) };
    },
  },
};

interface Copies {
  readonly outer: Copy;
  readonly inner: Copy;
}

/** @returns all that can be seen of two calls at the same time */
async function seen(
  way: string,
  kinds: readonly [string, string],
  work: string,
  { outer, inner }: Copies,
): Promise<unknown> {
  const clock = new ManualClock();
  const policies = [
    (KINDS[kinds[0]] as (typeof KINDS)[string])(outer, clock),
    (KINDS[kinds[1]] as (typeof KINDS)[string])(inner, clock),
  ] as const;
  const { options, abortAfterMs, operation } = WORK[work] as Work;
  const contexts: unknown[] = [];
  let released = 0;
  const watched = watchedSignal();
  const policy = (WAYS[way] as (typeof WAYS)[string])(...policies, clock);
  const run = operation(clock, () => void released++);
  const calls = [1, 2].map(() =>
    policy
      .execute(
        (call) => {
          contexts.push([call.attempt, call.hedge, call.deadline]);
          return run(call);
        },
        { ...options, signal: watched.signal },
      )
      .then(
        (value) => ['returned', typeof value, clock.monotonic()],
        (error: Partial<Error & { code: string }>) => [
          'threw',
          error.code ?? error.name ?? String(error),
          error.message,
          retries.retryDetails(error)?.attempts,
          clock.monotonic(),
        ],
      ),
  );
  if (abortAfterMs !== undefined) {
    clock.schedule(() => watched.abort(new Error('left')), abortAfterMs);
  }
  await clock.advance(3000);
  const results = await Promise.all(calls);
  await settle();
  const stats = policies.map((one) =>
    JSON.stringify(one.stats(), (key, value) => (/At$/.test(key) ? undefined : value)),
  );
  return { results, contexts, released, listeners: watched.listeners(), stats };
}

const PAIRS = Object.keys(KINDS).flatMap((outer) =>
  Object.keys(KINDS)
    .filter((inner) => inner !== outer)
    .map((inner) => [outer, inner] as const),
);

describe.each(Object.keys(WAYS))('policies of two copies %s', (way) => {
  it.each(Object.keys(WORK))('work as those of one when the operation %s', async (work) => {
    const ended = new Set<string>();
    for (const kinds of PAIRS) {
      const one = await seen(way, kinds, work, { outer: here, inner: here });
      for (const copies of [
        { outer: here, inner: there },
        { outer: there, inner: here },
      ]) {
        const two = await seen(way, kinds, work, copies);
        const what = `${kinds.join(' > ')}, ${copies.outer === there ? 'outer' : 'inner'}`;
        expect({ what, ...(two as object) }).toEqual({ what, ...(one as object) });
      }
      ended.add(JSON.stringify(one));
    }
    // The pairs do differ, so that equal results mean something.
    expect(ended.size).toBeGreaterThan(10);
  });
});

describe('an error of the other copy', () => {
  it('is no mistake of the dependency where its caller was denied', async () => {
    const breaker = here.circuitBreaker();
    const retry = there.retry({
      maxAttempts: 1,
      wrapExhausted: true,
      shouldHandle: ({ ok }) => !ok,
    });
    const denied = async (): Promise<never> => {
      throw Object.assign(new Error('forbidden'), { status: 403 });
    };
    await expect(recovery.pipeline({}, breaker, retry).execute(denied)).rejects.toMatchObject({
      code: 'RETRY_EXHAUSTED',
    });
    expect(breaker.stats().calls).toMatchObject({ failure: 0, ignored: 1 });
  });
});
