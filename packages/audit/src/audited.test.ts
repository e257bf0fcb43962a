import { isRefusal, isTransient, type Outcome } from '@temper/core';
import { Call, isNeutral, MeasuredCall } from '@temper/core/policy';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { ScriptedSink } from '../test/scripted-sink.ts';
import { type AuditedOptions, audited } from './audited.ts';
import type { AuditEvent } from './chain/event.ts';
import type { AuditUnavailableError } from './errors.ts';
import type { AuditLog } from './log/audit-log.ts';
import { auditLog } from './log/durable-log.ts';

function bench(options: Partial<AuditedOptions> = {}) {
  const clock = new ManualClock();
  const sink = new ScriptedSink('a');
  const log: AuditLog = auditLog({ clock, sinks: [sink], sinkRetryMs: 1_000 });
  const policy = audited(log, { action: 'fetch', resource: 'stdlib', clock, ...options });
  const events = (): AuditEvent[] => sink.lines.map((line) => JSON.parse(line) as AuditEvent);
  return { clock, sink, log, policy, events };
}

describe('audited', () => {
  it('stores a success event with its duration before the caller gets the result', async () => {
    const { policy, clock, events } = bench();
    const result = policy.execute(async () => {
      await clock.sleep(120);
      return 42;
    });
    await clock.advance(120);
    expect(await result).toBe(42);
    expect(events()).toMatchObject([
      {
        eventType: 'operation',
        action: 'fetch',
        resource: 'stdlib',
        status: 'success',
        durationMs: 120,
      },
    ]);
    expect(events()[0]).not.toHaveProperty('error');
    expect(policy.stats()).toEqual({ succeeded: 1, failed: 0 });
  });

  it('stores a failure event with the error and rethrows the same error', async () => {
    const { policy, events } = bench();
    const error = new TypeError('bad');
    await expect(policy.execute(() => Promise.reject(error))).rejects.toBe(error);
    expect(events()).toMatchObject([
      { status: 'failure', error: { name: 'TypeError', message: 'bad' }, durationMs: 0 },
    ]);
    expect(policy.stats()).toEqual({ succeeded: 0, failed: 1 });
  });

  it('records a value that shouldHandle accepts as a failure', async () => {
    const { policy, events } = bench({
      shouldHandle: (o: Outcome<{ ok: boolean }>) => o.ok && !o.value.ok,
    });
    expect(await policy.execute(() => ({ ok: false }))).toEqual({ ok: false });
    expect(events()).toMatchObject([{ status: 'failure' }]);
  });

  it('wraps a function, keeps its this, name and arity, and passes its arguments to the hooks', async () => {
    const { policy, events } = bench({
      resource: ({ args }) => args[0] as string,
      actor: ({ args }) => ({ id: `u${args[1]}` }),
      details: ({ args, value, error }) => ({
        count: args.length,
        value,
        failed: error !== undefined,
      }),
    });
    const registry = {
      base: 'x',
      fetch: policy.wrap(async function fetchPackage(
        this: { base: string },
        name: string,
        user: number,
      ) {
        return `${this.base}/${name}/${user}`;
      }),
    };
    expect(await registry.fetch('core', 7)).toBe('x/core/7');
    expect([registry.fetch.name, registry.fetch.length]).toEqual(['fetchPackage', 2]);
    expect(events()).toMatchObject([
      {
        resource: 'core',
        actor: { id: 'u7' },
        details: { count: 2, value: 'x/core/7', failed: false },
      },
    ]);
    const sync = policy.wrap((a: string, b: number) => a.length + b);
    expectTypeOf(sync).toEqualTypeOf<(this: unknown, a: string, b: number) => Promise<number>>();
    expect(await sync('abc', 1)).toBe(4);
  });

  it('wraps with call options, fixed or computed from the arguments', async () => {
    const seen: unknown[] = [];
    const { policy, clock, events } = bench({
      shouldHandle: (outcome, call) => {
        seen.push([call.operation, call.key]);
        return !outcome.ok;
      },
    });
    const fixed = policy.wrap(async (name: string) => name, { operation: 'get' });
    const computed = policy.wrap(
      async (name: string) => name,
      (name) => ({ key: name }),
    );
    expect([await fixed('a'), await computed('b')]).toEqual(['a', 'b']);
    expect(seen).toEqual([
      ['get', undefined],
      [undefined, 'b'],
    ]);
    expect(() => policy.wrap(async () => 1, { deadline: 5 } as never)).toThrow("'deadline'");
    const misspelt = policy.wrap(
      async () => 1,
      () => ({ timeout: 5 }) as never,
    );
    await expect(misspelt()).rejects.toThrow("unknown call option 'timeout'");
    expect(() => policy.wrap(5 as never)).toThrow('fetch: wrap needs a function, got 5');
    expect(events()).toHaveLength(2);
    const slow = policy.wrap(() => clock.sleep(120), { timeoutMs: 100 });
    const rejected = expect(slow()).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await clock.advance(100);
    await rejected;
    expect(events()).toHaveLength(2);
    await clock.advance(20); // the operation ends, and its event follows
    expect(events()[2]).toMatchObject({ status: 'success', durationMs: 120 });
  });

  it.each<[string, string, () => Promise<unknown>]>([
    ['an error', 'failure', () => Promise.reject(new Error('x'))],
    [
      'a denied request',
      'failure',
      () => Promise.reject(Object.assign(new Error(), { status: 403 })),
    ],
    ['a value', 'success', async () => ({ status: 500 })],
    ['nothing', 'success', async () => undefined],
  ])('records %s as %s by default', async (_, status, operation) => {
    const { policy, events } = bench();
    await policy.tryExecute(operation);
    expect(events()).toMatchObject([{ status }]);
  });

  it('stores the error of an outcome that shouldHandle does not take for a failure', async () => {
    const { policy, events } = bench({ shouldHandle: () => false });
    await expect(policy.execute(() => Promise.reject(new Error('known')))).rejects.toThrow('known');
    expect(events()).toMatchObject([{ status: 'success', error: { message: 'known' } }]);
    expect(policy.stats()).toEqual({ succeeded: 1, failed: 0 });
  });

  it('audits the calls of another policy', async () => {
    const { policy, events } = bench();
    let calls = 0;
    const twice = {
      execute: async <T>(operation: (context: never) => T | PromiseLike<T>): Promise<T> => {
        calls++;
        await Promise.resolve(operation(undefined as never)).catch(() => undefined);
        return operation(undefined as never);
      },
    };
    const both = policy.around(twice);
    let tries = 0;
    expect(
      await both.execute(() => (++tries === 1 ? Promise.reject(new Error('once')) : tries)),
    ).toBe(2);
    expect(calls).toBe(1);
    expect(events()).toMatchObject([{ status: 'success' }]);
    expect(() => policy.around({} as never)).toThrow('policy must be a function');
    await expect(both.execute(() => 1, { deadlineMs: 5 } as never)).rejects.toThrow("'deadlineMs'");
    expect(events()).toHaveLength(1); // a call with invalid options is not made
  });

  it('does not start the operation while the log is unavailable', async () => {
    const { policy, sink, log, clock } = bench();
    await log.append({ eventType: 'a', action: 'b', resource: 'c', status: 'd' });
    sink.failWith = new Error('disk full');
    let started = 0;
    const attempt = (): Promise<unknown> =>
      policy.execute(() => ++started).catch((error: unknown) => error);
    const first = (await attempt()) as AuditUnavailableError;
    expect(started).toBe(1); // the log became unavailable during the first call
    expect(first).toMatchObject({ code: 'AUDIT_UNAVAILABLE', outcome: { ok: true, value: 1 } });
    const second = (await attempt()) as AuditUnavailableError;
    expect([started, second.code, second.outcome]).toEqual([1, 'AUDIT_UNAVAILABLE', undefined]);
    sink.failWith = undefined;
    await clock.advance(1_000);
    expect(await attempt()).toBe(2);
  });

  it('keeps the outcome of an operation whose event could not be stored', async () => {
    const { policy, sink, log } = bench();
    await log.ready();
    sink.failWith = new Error('disk full');
    const error = new Error('operation failed');
    await expect(policy.execute(() => Promise.reject(error))).rejects.toMatchObject({
      code: 'AUDIT_UNAVAILABLE',
      outcome: { ok: false, error },
    });
  });

  it.each(['after', 'around'] as const)(
    'refuses calls that it does not make, and is not transient after one that it made: %s',
    async (write) => {
      const { policy, sink, log } = bench({ write });
      await log.ready();
      let calls = 0;
      const attempt = async () => {
        const outcome = await policy.tryExecute(() => {
          calls++;
          sink.failWith = new Error('disk full');
        });
        const error = outcome.ok ? undefined : outcome.error;
        return { calls, refused: isRefusal(error), transient: isTransient(outcome), error };
      };
      const code = 'AUDIT_UNAVAILABLE';
      expect(await attempt()).toMatchObject({
        ...{ calls: 1, refused: false, transient: false },
        error: { code, outcome: { ok: true } },
      });
      expect(await attempt()).toMatchObject({
        ...{ calls: 1, refused: true, transient: true },
        error: { code, outcome: undefined },
      });
    },
  );

  it('is no failure of the dependency when the log fails, and the log’s time is not the dependency’s', async () => {
    const { policy, sink, log, clock } = bench({ write: 'around' });
    await log.ready();
    const judge = async (operation: () => unknown) => {
      const call = new MeasuredCall(new Call());
      const outcome = await policy.tryExecute(operation, { parent: call });
      const error = outcome.ok ? undefined : outcome.error;
      return { error, neutral: isNeutral(outcome, call), waitedMs: call.waitedMs };
    };
    sink.hold();
    const slow = judge(() => clock.sleep(10));
    await clock.advance(1000);
    sink.release();
    await clock.advance(10);
    expect(await slow).toEqual({ error: undefined, neutral: false, waitedMs: 1000 });
    const failure = new Error('operation failed');
    const failed = await judge(() => Promise.reject(failure));
    expect(failed).toEqual({ error: failure, neutral: false, waitedMs: 0 });
    const full = await judge(() => {
      sink.failWith = new Error('disk full');
    });
    expect(full).toMatchObject({ error: { code: 'AUDIT_UNAVAILABLE' }, neutral: true });
    await log.close().catch(() => undefined);
    expect(await judge(() => 1)).toMatchObject({ error: { code: 'AUDIT_CLOSED' }, neutral: true });
  });

  it('does not call an operation that was cancelled while its first event was stored', async () => {
    const { policy, sink, log, events } = bench({ write: 'around' });
    await log.ready();
    sink.hold();
    const controller = new AbortController();
    let calls = 0;
    const call = policy.tryExecute(() => ++calls, { signal: controller.signal });
    await settle();
    controller.abort('gone');
    sink.release();
    expect(await call).toEqual({ ok: false, error: 'gone' });
    expect(calls).toBe(0);
    expect(events().map(({ status }) => status)).toEqual(['started', 'failure']);
  });

  it("stores a 'started' event before the operation with write: around", async () => {
    const { policy, sink, log, events } = bench({ write: 'around' });
    const seen: string[] = [];
    await policy.execute(() => {
      seen.push(...events().map(({ status }) => status));
    });
    expect(seen).toEqual(['started']);
    expect(events().map(({ status }) => status)).toEqual(['started', 'success']);
    await log.flush();
    sink.failWith = new Error('disk full');
    let started = false;
    await expect(
      policy.execute(() => {
        started = true;
      }),
    ).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE', outcome: undefined });
    expect(started).toBe(false);
  });

  it('keeps result and event when a hook throws or returns an invalid value', async () => {
    const thrower = (): never => {
      throw new Error('hook');
    };
    const { policy, events } = bench({
      resource: thrower,
      actor: thrower,
      details: thrower,
      shouldHandle: thrower,
    });
    expect(await policy.execute(() => 1)).toBe(1);
    const nonsense = bench({
      resource: (() => 5) as never,
      actor: (() => []) as never,
      details: (() => 'x') as never,
    });
    expect(await nonsense.policy.execute(() => 1)).toBe(1);
    const wrongActor = bench({ actor: (() => ({ id: 'ann', type: 5, name: '' })) as never });
    expect(await wrongActor.policy.execute(() => 1)).toBe(1);
    const throwingGetter = bench({
      actor: () => ({
        get id(): string {
          throw new Error('getter');
        },
      }),
    });
    expect(await throwingGetter.policy.execute(() => 1)).toBe(1);
    expect([...events(), ...nonsense.events()]).toMatchObject([
      { resource: 'unknown', details: {}, status: 'success' },
      { resource: 'unknown', details: { value: 'x' } },
    ]);
    expect(wrongActor.events()[0]?.actor).toEqual({ id: 'ann' });
    expect(throwingGetter.events()).toMatchObject([{ status: 'success' }]);
    expect(throwingGetter.events()[0]).not.toHaveProperty('actor');
  });

  it('implements the policy contract', async () => {
    const { policy } = bench();
    expect(policy.name).toBe('fetch');
    expect(policy.describe()).toEqual({ kind: 'audited' });
    expect(await policy.tryExecute(() => Promise.reject(new Error('x')))).toMatchObject({
      ok: false,
    });
    const aborted = AbortSignal.abort(new Error('gone'));
    await expect(policy.execute(() => 1, { signal: aborted })).rejects.toThrow('gone');
  });

  it.each([
    [{ action: undefined }, 'action must be a string'],
    [{ resource: 5 }, 'resource must be a string, got 5'],
    [{ action: '' }, 'action must be a non-empty string'],
    [{ eventType: 5 }, 'eventType must be a non-empty string, got 5'],
    [
      { eventType: 'x'.repeat(257) },
      'eventType must be well-formed text of at most 256 characters',
    ],
    [{ actor: 5 }, 'actor must be a non-empty string, got 5'],
    [{ actor: {} }, 'actor.id must be a non-empty string'],
    [{ actor: { id: 'ann', type: 5 } }, 'actor.type must be a non-empty string, got 5'],
    [{ details: 'x' }, 'details must be a function'],
    [{ write: 'before' }, "write must be one of 'after', 'around'"],
    [{ actions: 'x' }, "unknown option 'actions'"],
  ])('rejects %j', (options, message) => {
    expect(() => bench(options as never)).toThrow(message);
  });
});
