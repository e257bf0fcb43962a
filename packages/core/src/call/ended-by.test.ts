import { ManualClock } from '@temper/testkit/clock';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ThroughPolicy } from '../../test/through-policy.ts';
import type { CallContext, EndedBy } from '../contract.ts';
import { OperationTimeoutError } from '../errors.ts';
import { Call } from './context.ts';
import { runWithTimeout } from './timeout.ts';
import { TimeoutQueue } from './timeout-queue.ts';

afterEach(() => void vi.restoreAllMocks());

const ALL: readonly EndedBy[] = ['caller', 'deadline', 'timeout', 'hedge'];

describe('endedBy', () => {
  it('is undefined while nobody has ended the call', async () => {
    const call = new Call(1, undefined, undefined, new AbortController().signal);
    for (const each of [new Call(), call, call.scope(), call.scope().forAttempt(2)]) {
      expect(each).toMatchObject({ endedBy: undefined, cancelled: false, aborted: false });
    }
  });

  it("is 'caller' when the caller's signal aborts", async () => {
    const controller = new AbortController();
    const policy = new ThroughPolicy(new ManualClock());
    const seen = await policy.execute(
      (call) => {
        controller.abort();
        return call.endedBy;
      },
      { signal: controller.signal },
    );
    expect(seen).toBe('caller');
  });

  it("is 'deadline' when the caller's signal ends because its own time is up", () => {
    const controller = new AbortController();
    const call = new Call(1, undefined, undefined, controller.signal);
    controller.abort(new DOMException('too late', 'TimeoutError'));
    for (const each of [call, call.forAttempt(2), call.scope()]) {
      expect(each).toMatchObject({ endedBy: 'deadline', cancelled: false });
    }
    const hostile = new AbortController();
    hostile.abort({
      get name(): never {
        throw new Error('hostile');
      },
    });
    expect(new Call(1, undefined, undefined, hostile.signal).endedBy).toBe('caller');
  });

  const HANDED_ON: Record<string, (signal: AbortSignal) => AbortSignal> = {
    'by itself': (signal) => signal,
    'by AbortSignal.any()': (signal) => AbortSignal.any([signal, new AbortController().signal]),
    'by a controller': (signal) => {
      const controller = new AbortController();
      signal.addEventListener('abort', () => controller.abort(signal.reason));
      return controller.signal;
    },
    'with a Request': (signal) => new Request('http://localhost/', { signal }).signal,
  };
  it.each(Object.keys(HANDED_ON).flatMap((how) => ALL.map((by) => [how, by] as const)))(
    'is known where the signal of an outer call was handed on %s: %s',
    (how, by) => {
      const scope = new Call().scope();
      const signal = (HANDED_ON[how] as (typeof HANDED_ON)[string])(scope.signal);
      const call = new Call(1, undefined, undefined, signal);
      scope.end(by, new Error('reason'));
      expect(call).toMatchObject({ aborted: true, endedBy: by });
    },
  );

  describe("is 'caller' when the caller hands on what another call ended with:", () => {
    const TIMED: Record<string, (clock: ManualClock) => Promise<unknown>> = {
      'a deadline': (clock) =>
        new ThroughPolicy(clock).execute(() => new Promise(() => {}), { timeoutMs: 50 }),
      'a timeout': (clock) =>
        runWithTimeout(
          () => new Promise(() => {}),
          new Call(),
          new TimeoutQueue(clock, 50),
          () => new OperationTimeoutError('attempt', 50),
        ),
      "the TimeoutError of another library's": () =>
        Promise.reject(Object.assign(new Error('slow'), { name: 'TimeoutError' })),
    };
    it.each(Object.keys(TIMED))('%s', async (kind) => {
      const clock = new ManualClock();
      const controller = new AbortController();
      const call = new Call(1, undefined, undefined, controller.signal);
      const first = (TIMED[kind] as (typeof TIMED)[string])(clock);
      first.catch((error: unknown) => controller.abort(error));
      await clock.advance(50);
      expect(call).toMatchObject({ aborted: true, endedBy: 'caller', cancelled: true });
    });
  });

  it("is 'deadline' when timeoutMs has passed", async () => {
    const clock = new ManualClock();
    const policy = new ThroughPolicy(clock);
    const call = policy.tryExecute(() => new Promise(() => {}), { timeoutMs: 50 });
    await clock.advance(50);
    expect((await call).ok).toBe(false);
    expect(policy.calls[0]).toMatchObject({ endedBy: 'deadline', cancelled: false });
  });

  it("is 'timeout' inside runWithTimeout, and undefined outside", async () => {
    const clock = new ManualClock();
    const call = new Call();
    let inside: CallContext | undefined;
    const timed = runWithTimeout(
      (scope) => {
        inside = scope;
        return new Promise<never>(() => {});
      },
      call,
      new TimeoutQueue(clock, 50),
      () => new Error('late'),
    );
    const outcome = expect(timed).rejects.toThrow('late');
    await clock.advance(50);
    await outcome;
    expect(inside?.endedBy).toBe('timeout');
    expect(call.endedBy).toBeUndefined();
  });

  it.each(ALL)('is %s for a scope ended by it, and for what derives from the scope', (by) => {
    const scope = new Call().scope();
    scope.end(by, 'reason');
    const cancelled = by === 'caller' || by === 'hedge';
    for (const each of [scope, scope.forAttempt(2), scope.scope(), scope.scope().forAttempt(3)]) {
      expect(each).toMatchObject({ endedBy: by, cancelled, aborted: true, reason: 'reason' });
    }
  });

  it('is that of the first to end among nested scopes, for every pair and order', () => {
    for (const first of ALL) {
      for (const second of ALL) {
        for (const order of [
          [0, 1, 2],
          [0, 2, 1],
          [1, 0, 2],
          [1, 2, 0],
          [2, 0, 1],
          [2, 1, 0],
        ]) {
          const outer = new Call().scope();
          const middle = outer.scope();
          const inner = middle.forAttempt(2).scope();
          const scopes = [outer, middle, inner];
          const [a, b, c] = order as [number, number, number];
          scopes[a]?.end(first, `by ${a}`);
          scopes[b]?.end(second, `by ${b}`);
          scopes[c]?.end('hedge', `by ${c}`);
          // An end holds for its own scope and all below; the innermost has the earliest of all.
          expect(inner).toMatchObject({ endedBy: first, reason: `by ${a}` });
          expect(inner.signal.reason).toBe(`by ${a}`);
          expect(outer.reason).toBe('by 0');
          expect(outer.endedBy).toBe(a === 0 ? first : b === 0 ? second : 'hedge');
        }
      }
    }
  });

  it('stays what it was when the caller aborts later', () => {
    const controller = new AbortController();
    const scope = new Call(1, undefined, undefined, controller.signal).scope();
    scope.end('timeout', 'late');
    controller.abort('caller');
    expect(scope).toMatchObject({ endedBy: 'timeout', reason: 'late' });
    expect(scope.signal.reason).toBe('late');
  });

  it('creates no controller, nor do end, aborted, reason, cancelled and deadline', () => {
    const controller = new AbortController();
    const create = vi.spyOn(globalThis, 'AbortController');
    const root = new Call(1, undefined, undefined, controller.signal);
    const scope = root.forAttempt(2).scope(5);
    const inner = scope.scope();
    for (let i = 0; i < 2; i++) {
      for (const each of [new Call(), root, scope, inner]) {
        void [each.endedBy, each.aborted, each.reason, each.cancelled, each.deadline];
      }
      scope.end('timeout', 'late');
    }
    scope.release();
    expect(inner.endedBy).toBe('timeout');
    expect(create).not.toHaveBeenCalled();
    expect(inner.signal.reason).toBe('late');
    expect(create).toHaveBeenCalled();
  });
});
