import { createRequire } from 'node:module';
import {
  DeadlineExceededError,
  type EndedBy,
  OperationTimeoutError,
  type Outcome,
  type Priority,
  TemperError,
} from '@temper/core';
import { Call, runWithTimeout, TimeoutQueue } from '@temper/core/policy';
import { ManualClock, settle } from '@temper/testkit/clock';
import { beforeEach, describe, expect, it } from 'vitest';
import { circuitBreaker } from './circuit-breaker.ts';
import type { CircuitBreaker } from './contract.ts';
import type { CircuitBreakerOptions } from './options.ts';

const boom = new Error('boom');
const ok = async (): Promise<string> => 'ok';
const fail = (): Promise<never> => Promise.reject(boom);

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

const make = (options: CircuitBreakerOptions = {}): CircuitBreaker =>
  circuitBreaker({ name: 'payments', clock, failureThreshold: 1, ...options });

async function halfOpen(options: CircuitBreakerOptions = {}): Promise<CircuitBreaker> {
  const breaker = make({ successThreshold: 1, ...options });
  for (const each of [boom, boom]) {
    await breaker.execute(() => Promise.reject(each)).catch(() => undefined);
  }
  clock.jump(60_000);
  expect(breaker.state).toBe('half-open');
  return breaker;
}

/** Throws at every access that can run code. */
const hostileProxy = (): object => {
  const trap = (): never => {
    throw new Error('hostile');
  };
  return new Proxy(new Error('hidden'), {
    get: trap,
    has: trap,
    getPrototypeOf: trap,
    ownKeys: trap,
    getOwnPropertyDescriptor: trap,
  });
};

/** An error with one property that throws when it is read. */
const hostile = (property: string): Error =>
  Object.defineProperty(new Error('hidden'), property, {
    get: () => {
      throw new Error('hostile');
    },
  });

const HOSTILE: readonly [string, () => unknown][] = [
  ...[
    'name',
    'message',
    'code',
    'cause',
    'errors',
    'status',
    'response',
    'headers',
    'retryAfterMs',
    'classification',
    'refused',
    'policy',
    'stack',
  ].map((property): [string, () => unknown] => [
    `an error whose ${property} throws`,
    () => hostile(property),
  ]),
  ['a proxy that throws at every access', hostileProxy],
  ['a revoked proxy', revokedProxy],
  ['null', () => null],
  ['a symbol', () => Symbol('why')],
];

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** How a client reacts to the end of its call. */
const REACTIONS: readonly [string, (reason: unknown) => unknown][] = [
  ['the reason itself', (reason) => Promise.reject(reason)],
  ['an AbortError', () => Promise.reject(new DOMException('aborted', 'AbortError'))],
  [
    'an error of its own with the reason as its cause',
    (reason) => Promise.reject(new Error('canceled', { cause: reason })),
  ],
  ['an error without a word of it', () => Promise.reject(boom)],
  [
    'an error that looks like a mistake of the caller',
    () => Promise.reject(Object.assign(new Error('404'), { status: 404 })),
  ],
  ['an error that looks like a timeout', () => Promise.reject(new OperationTimeoutError('x', 1))],
  ['nothing', () => Promise.reject(undefined)],
  ['a hostile error', () => Promise.reject(hostileProxy())],
  ['a value', () => 'late'],
];

const ENDS: readonly [EndedBy, 'aborted' | 'failure'][] = [
  ['caller', 'aborted'],
  ['hedge', 'aborted'],
  ['timeout', 'failure'],
  ['deadline', 'failure'],
];

const CASES = ENDS.flatMap(([by, verdict]) =>
  REACTIONS.map(([what, react]) => ({ by, verdict, what, react })),
);

/** Runs a call that is ended by `by`; the operation settles as `react` does. */
async function endEarly(
  breaker: CircuitBreaker,
  by: EndedBy,
  react: (reason: unknown) => unknown,
): Promise<void> {
  const scope = new Call().scope();
  const call = breaker.tryExecute(
    async () => {
      scope.end(by, new Error(`ended by ${by}`));
      return react(scope.reason);
    },
    { parent: scope },
  );
  await call;
  scope.release();
}

describe('a call that was ended early', () => {
  it.each(CASES)('by $by is a $verdict when the client answers with $what', async (row) => {
    const breaker = make();
    await endEarly(breaker, row.by, row.react);
    expect(breaker.stats()).toMatchObject({
      state: row.verdict === 'failure' ? 'open' : 'closed',
      calls: { success: 0, failure: 0, ignored: 0, aborted: 0, [row.verdict]: 1 },
    });
  });

  it.each(CASES)(
    'by $by as a trial is a $verdict when the client answers with $what',
    async (row) => {
      const breaker = await halfOpen();
      await endEarly(breaker, row.by, row.react);
      expect(breaker.stats()).toMatchObject({
        state: row.verdict === 'failure' ? 'open' : 'half-open',
        trials: { running: 0, successes: 0 },
      });
    },
  );

  it.each(CASES)('by $by with $what obeys shouldHandle, unless it is neutral', async (row) => {
    const neutral = row.verdict === 'aborted';
    const handled = make({ shouldHandle: () => true });
    await endEarly(handled, row.by, row.react);
    expect(handled.stats().calls).toMatchObject(neutral ? { aborted: 1 } : { failure: 1 });
    const unhandled = make({ shouldHandle: () => false });
    await endEarly(unhandled, row.by, row.react);
    const value = row.what === 'a value';
    expect(unhandled.stats().calls).toMatchObject(
      neutral ? { aborted: 1 } : value ? { success: 1 } : { ignored: 1 },
    );
  });

  it('by the signal of its caller is counted as aborted', async () => {
    const breaker = make();
    for (const reason of [undefined, new Error('user left'), boom]) {
      const controller = new AbortController();
      const call = breaker.execute(
        ({ signal }) => {
          controller.abort(reason);
          return Promise.reject(signal.reason);
        },
        { signal: controller.signal },
      );
      await expect(call).rejects.toBe(controller.signal.reason);
    }
    expect(breaker.stats().calls).toMatchObject({ aborted: 3, failure: 0 });
  });

  it('by its own timeoutMs is a failure once the operation settles', async () => {
    const breaker = make();
    const call = breaker.execute(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(new Error('canceled')));
        }),
      { timeoutMs: 50 },
    );
    const outcome = expect(call).rejects.toBeInstanceOf(DeadlineExceededError);
    await clock.advance(50);
    await outcome;
    await settle();
    expect(breaker.stats()).toMatchObject({ state: 'open', calls: { failure: 1 } });
  });

  it('by an attempt timeout around the breaker is a failure', async () => {
    const breaker = make();
    const queue = new TimeoutQueue(clock, 50);
    const timedOut = (): Error => new OperationTimeoutError('attempt', 50);
    const call = runWithTimeout(
      (parent) => breaker.execute(() => clock.sleep(80), { parent }),
      new Call(),
      queue,
      timedOut,
    );
    const outcome = expect(call).rejects.toMatchObject({ code: 'OPERATION_TIMEOUT' });
    await clock.advance(100);
    await outcome;
    expect(breaker.stats()).toMatchObject({ state: 'open', calls: { failure: 1 } });
  });

  it('is a failure when nobody ended it, though it looks like an abort', async () => {
    const breaker = make();
    const abort = new DOMException('aborted', 'AbortError');
    await expect(breaker.execute(() => Promise.reject(abort))).rejects.toBe(abort);
    expect(breaker.state).toBe('open');
  });
});

class Refusal extends TemperError {
  override get refused(): boolean {
    return true;
  }
}

/** Core as another copy, which a process that uses both module systems has. */
const otherCopy: { readonly TemperError: typeof TemperError } = createRequire(import.meta.url)(
  '@temper/core',
);
class ForeignRefusal extends otherCopy.TemperError {
  override get refused(): boolean {
    return true;
  }
}

describe('a refusal by a policy inside', () => {
  const CODES = [
    'CIRCUIT_OPEN',
    'RATE_LIMITED',
    'LOAD_SHED',
    'QUEUE_FULL',
    'BUDGET_SPENT',
    'SOMETHING_NEW',
  ];
  const refusals = CODES.flatMap((code) => [
    { code, kind: 'of this copy', error: new Refusal('refused', { code, policy: 'inner' }) },
    {
      code,
      kind: 'of another copy',
      error: new ForeignRefusal('refused', { code, policy: 'inner' }),
    },
  ]);

  it.each(refusals)('$code $kind never counts', async ({ error }) => {
    for (const options of [{}, { shouldHandle: () => true }, { window: { calls: 2 } }]) {
      const breaker = circuitBreaker({ clock, ...options });
      for (let i = 0; i < 10; i++) {
        await expect(breaker.execute(() => Promise.reject(error))).rejects.toBe(error);
      }
      expect(breaker.stats()).toMatchObject({ state: 'closed', calls: { ignored: 10 } });
    }
  });

  it.each(refusals)('$code $kind makes room for another trial', async ({ error }) => {
    const breaker = await halfOpen();
    for (let i = 0; i < 3; i++) {
      await expect(breaker.execute(() => Promise.reject(error))).rejects.toBe(error);
    }
    expect(breaker.stats()).toMatchObject({ state: 'half-open', trials: { running: 0 } });
    await breaker.execute(ok);
    expect(breaker.state).toBe('closed');
  });

  it('by another breaker never opens the outer one', async () => {
    const inner = make({ name: 'inner' });
    const outer = make({ name: 'outer' });
    await inner.execute(fail).catch(() => undefined);
    for (let i = 0; i < 10; i++) {
      const call = outer.execute((parent) => inner.execute(ok, { parent }));
      await expect(call).rejects.toMatchObject({ code: 'CIRCUIT_OPEN', policy: 'inner' });
    }
    expect(outer.stats()).toMatchObject({ state: 'closed', calls: { ignored: 10 } });
  });

  it('is told apart from an error of the dependency with the same code', async () => {
    const breaker = make();
    const fields = { code: 'RATE_LIMITED', policy: 'inner', refused: true };
    const error = Object.assign(new Error('429'), fields);
    await breaker.execute(() => Promise.reject(error)).catch(() => undefined);
    expect(breaker.state).toBe('open');
  });
});

describe('a hostile error', () => {
  it.each(HOSTILE)('(%s) counts as a failure and passes unchanged', async (_what, create) => {
    const breaker = make();
    const error = create();
    const thrown = await breaker
      .execute(() => Promise.reject(error))
      .then(
        () => expect.unreachable(),
        (reason: unknown) => ({ reason }),
      );
    expect(Object.is(thrown.reason, error)).toBe(true);
    expect(breaker.state).toBe('open');
    const rejected = await breaker.tryExecute(ok);
    expect(rejected).toMatchObject({ ok: false, error: { code: 'CIRCUIT_OPEN', state: 'open' } });
  });

  it.each(HOSTILE)('(%s) leaves no trial behind', async (_what, create) => {
    const breaker = await halfOpen();
    await breaker.execute(() => Promise.reject(create())).catch(() => undefined);
    expect(breaker.stats()).toMatchObject({ state: 'open', trials: { running: 0 } });
    clock.jump(60_000);
    expect(await breaker.execute(ok)).toBe('ok');
    expect(breaker.state).toBe('closed');
  });

  it.each(HOSTILE)('(%s) is judged by shouldHandle too', async (_what, create) => {
    const breaker = make({ shouldHandle: (o) => !o.ok && (o.error as Error).name === 'Error' });
    const outcome = await breaker.tryExecute(() => Promise.reject(create()));
    expect(outcome.ok).toBe(false);
    const { failure, ignored } = breaker.stats().calls;
    expect(failure + ignored).toBe(1);
  });
});

describe('call options', () => {
  const CALL = { operation: 'charge', cost: 3, priority: 'critical' as Priority, key: 'tenant' };

  it.each(['closed', 'half-open', 'disabled'])('reach the operation when %s', async (state) => {
    const breaker = state === 'half-open' ? await halfOpen() : make();
    if (state === 'disabled') breaker.mode = 'disabled';
    const seen = await breaker.execute((call) => call, CALL);
    expect(seen).toMatchObject(CALL);
  });

  it('are inherited from a parent call', async () => {
    const seen = await make().execute(
      (parent) => make().execute((call) => call, { parent, cost: 5 }),
      CALL,
    );
    expect(seen).toMatchObject({ ...CALL, cost: 5 });
  });

  it.each<[object | null, string]>([
    [{ deadlineMs: 5 }, 'unknown call option'],
    [{ signal: null }, 'signal must be an AbortSignal'],
    [{ cost: 0 }, 'cost must be'],
    [null, 'call options must be an object'],
  ])('are checked, whether the circuit is closed or open: %o', async (options, message) => {
    const open = make();
    await open.execute(fail).catch(() => undefined);
    for (const breaker of [make(), open]) {
      await expect(breaker.execute(ok, options as never)).rejects.toThrow(message);
      const { error } = (await breaker.tryExecute(ok, options as never)) as { error: Error };
      expect(error.message).toContain(message);
      const noFunction = (await breaker.tryExecute(7 as never)) as { error: Error };
      expect(noFunction.error.message).toContain('the operation must be a function');
      expect(breaker.stats().calls.rejected).toBe(0);
    }
  });

  it('of wrap are fixed or computed from the arguments', async () => {
    const breaker = make();
    const seen: unknown[] = [];
    const wrapped = breaker.wrap(
      async (id: string) => id,
      (id) => ({ key: id, operation: 'load' }),
    );
    breaker.onStateChange(() => undefined);
    expect(await wrapped('a')).toBe('a');
    const fixed = breaker.wrap(() => 7, { timeoutMs: 0 });
    await fixed().catch((error: unknown) => seen.push(error));
    expect(seen[0]).toBeInstanceOf(DeadlineExceededError);
  });

  it('accept a shouldHandle with a typed parameter', () => {
    // That it compiles is the test.
    make({
      shouldHandle: (outcome: Outcome<Response>) => outcome.ok && outcome.value.status >= 500,
    });
  });
});
