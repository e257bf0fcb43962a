import { getEventListeners } from 'node:events';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { AbortScope, CallContext, isCallContext } from './context.ts';

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

describe('a call context', () => {
  it('makes a signal only when somebody reads it, and then always the same', () => {
    const context = new CallContext();
    expect(context.abortable).toBeUndefined();
    expect(context.aborted).toBe(false);
    const { signal } = context;
    expect(signal).toBeInstanceOf(AbortSignal);
    expect(context.signal).toBe(signal);
    expect(context.abortable).toBeUndefined();
  });

  it("passes the caller's own signal on, through every attempt", () => {
    const { signal } = new AbortController();
    const context = CallContext.root({ signal, operation: 'fetch', attributes: { a: 1 } });
    const second = context.forAttempt(2);
    expect(second.signal).toBe(signal);
    expect(second.abortable).toBe(signal);
    expect(second).toMatchObject({ attempt: 2, operation: 'fetch', attributes: { a: 1 } });
    expect(context.attempt).toBe(1);
    expect(listeners(signal)).toBe(0);
  });

  it('tells the abort of its caller, with the reason untouched', () => {
    const controller = new AbortController();
    const context = CallContext.root({ signal: controller.signal }).forAttempt(3);
    const reason = { why: 'changed my mind' };
    controller.abort(reason);
    expect(context.aborted).toBe(true);
    expect(context.reason).toBe(reason);
  });

  it('tells the time left on the monotonic clock', async () => {
    const clock = new ManualClock();
    expect(new CallContext().remainingMs(clock)).toBe(Number.POSITIVE_INFINITY);
    const context = new CallContext(1, clock.monotonic() + 500);
    await clock.advance(200);
    clock.adjustWallClock(-3_600_000);
    expect(context.remainingMs(clock)).toBe(300);
    expect(context.forAttempt(2).remainingMs(clock)).toBe(300);
  });

  it('is known by its shape, so that two installed copies of core agree', () => {
    expect(isCallContext(new CallContext())).toBe(true);
    expect(isCallContext(new CallContext().scope())).toBe(true);
    expect(isCallContext({ isTemperContext: true })).toBe(true);
    expect(isCallContext({ signal: new AbortController().signal })).toBe(false);
  });
});

describe('an abort scope', () => {
  it('aborts itself and what derives from it, not the context above', () => {
    const outer = new CallContext();
    const scope = outer.scope();
    const inner = scope.forAttempt(2);
    const reason = new Error('timed out');
    scope.abort(reason);
    expect(inner.aborted).toBe(true);
    expect(inner.reason).toBe(reason);
    expect(inner.signal.aborted).toBe(true);
    expect(inner.signal.reason).toBe(reason);
    expect(outer.aborted).toBe(false);
    expect(outer.signal.aborted).toBe(false);
  });

  it('follows the signal above, and tells the same reason whether or not it was looked at', () => {
    const controller = new AbortController();
    const root = CallContext.root({ signal: controller.signal });
    const seen = root.scope();
    const unseen = root.scope();
    const { signal } = seen;
    const reason = Symbol('stop');
    controller.abort(reason);
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toBe(reason);
    expect(unseen.aborted).toBe(true);
    expect(unseen.signal.reason).toBe(reason);
    expect(listeners(controller.signal)).toBe(0);
  });

  it('follows through scopes in scopes', () => {
    const controller = new AbortController();
    const outer = CallContext.root({ signal: controller.signal }).scope();
    const inner = outer.forAttempt(2).scope();
    const { signal } = inner;
    outer.abort('outer');
    expect(signal.reason).toBe('outer');
    expect(inner.reason).toBe('outer');
    inner.abort('too late');
    expect(inner.reason).toBe('outer');
    expect(controller.signal.aborted).toBe(false);
  });

  it('keeps its first reason', () => {
    const scope = new CallContext().scope();
    scope.abort('first');
    scope.abort('second');
    expect(scope.reason).toBe('first');
    expect(scope.signal.reason).toBe('first');
  });

  it('listens above only while somebody reads its signal, and not after its release', () => {
    const { signal } = new AbortController();
    const scope = CallContext.root({ signal }).scope();
    expect(listeners(signal)).toBe(0);
    expect(scope.signal.aborted).toBe(false);
    expect(scope.signal.aborted).toBe(false);
    expect(listeners(signal)).toBe(1);
    scope.release();
    expect(listeners(signal)).toBe(0);

    const late = CallContext.root({ signal }).scope();
    late.release();
    expect(late.signal.aborted).toBe(false);
    expect(listeners(signal)).toBe(0);
  });

  it('leaves no listener on a long-lived signal after a million calls', () => {
    const { signal } = new AbortController();
    let most = 0;
    for (let call = 0; call < 1_000_000; call++) {
      const scope = new AbortScope(1, undefined, undefined, undefined, signal);
      if (scope.signal.aborted) throw new Error('nobody aborted');
      if (call % 10_000 === 0) most = Math.max(most, listeners(signal));
      scope.release();
    }
    expect(most).toBe(1);
    expect(listeners(signal)).toBe(0);
  }, 30_000);

  it('lets a thousand calls share a signal without a warning of a leak', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    const controller = new AbortController();
    const scopes = Array.from({ length: 1000 }, () =>
      CallContext.root({ signal: controller.signal }).scope(),
    );
    const signals = scopes.map((scope) => scope.signal);
    expect(listeners(controller.signal)).toBe(1000);
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort('all');
    expect(signals.every((signal) => signal.reason === 'all')).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });
});
