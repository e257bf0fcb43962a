import { getEventListeners } from 'node:events';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { Call, type CallLabels, CallScope, isCall } from './context.ts';

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;
const root = (signal: AbortSignal, labels?: CallLabels): Call =>
  new Call(1, undefined, labels, signal);
const LABELS: CallLabels = {
  operation: 'fetch',
  attributes: { a: 1 },
  cost: 3,
  priority: 'critical',
  key: 'tenant',
};

describe('Call', () => {
  it('creates its signal on first read and returns the same one afterwards', () => {
    const context = new Call();
    expect(context.abortable).toBeUndefined();
    expect(context.aborted).toBe(false);
    const { signal } = context;
    expect(signal).toBeInstanceOf(AbortSignal);
    expect(context.signal).toBe(signal);
    expect(context.abortable).toBeUndefined();
  });

  it("passes the caller's signal and labels on to every attempt", () => {
    const { signal } = new AbortController();
    const context = root(signal, LABELS);
    const second = context.forAttempt(2);
    expect(second.signal).toBe(signal);
    expect(second.abortable).toBe(signal);
    expect(second).toMatchObject({ attempt: 2, ...LABELS });
    expect(context.attempt).toBe(1);
    expect(listeners(signal)).toBe(0);
  });

  it('reports the abort of its caller with the reason unchanged', () => {
    const controller = new AbortController();
    const context = root(controller.signal).forAttempt(3);
    const reason = { why: 'changed my mind' };
    controller.abort(reason);
    expect(context.aborted).toBe(true);
    expect(context.reason).toBe(reason);
  });

  it('computes the remaining time on the monotonic clock', async () => {
    const clock = new ManualClock();
    expect(new Call().remainingMs(clock)).toBe(Number.POSITIVE_INFINITY);
    const context = new Call(1, clock.monotonic() + 500);
    await clock.advance(200);
    clock.adjustWallClock(-3_600_000);
    expect(context.remainingMs(clock)).toBe(300);
    expect(context.forAttempt(2).remainingMs(clock)).toBe(300);
  });

  it('is recognised by its brand, so that two installed copies of core agree', () => {
    expect(isCall(new Call())).toBe(true);
    expect(isCall(new Call().scope())).toBe(true);
    expect(isCall({ [Symbol.for('temper.call.1')]: true })).toBe(true);
    expect(isCall({ signal: new AbortController().signal })).toBe(false);
  });
});

describe('CallScope', () => {
  it('ends itself and the contexts derived from it, not its parent', () => {
    const outer = new Call();
    const scope = outer.scope();
    const inner = scope.forAttempt(2);
    const reason = new Error('timed out');
    scope.end('timeout', reason);
    expect(inner.aborted).toBe(true);
    expect(inner.reason).toBe(reason);
    expect(inner.signal.aborted).toBe(true);
    expect(inner.signal.reason).toBe(reason);
    expect(outer.aborted).toBe(false);
    expect(outer.signal.aborted).toBe(false);
  });

  it('follows its parent with the same reason, whether or not its signal was read before', () => {
    const controller = new AbortController();
    const parent = root(controller.signal);
    const seen = parent.scope();
    const unseen = parent.scope();
    const { signal } = seen;
    const reason = Symbol('stop');
    controller.abort(reason);
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toBe(reason);
    expect(unseen.aborted).toBe(true);
    expect(unseen.signal.reason).toBe(reason);
    expect(listeners(controller.signal)).toBe(0);
  });

  it('follows every scope above it', () => {
    const controller = new AbortController();
    const outer = root(controller.signal).scope();
    const inner = outer.forAttempt(2).scope();
    const { signal } = inner;
    outer.end('timeout', 'outer');
    expect(signal.reason).toBe('outer');
    expect(inner.reason).toBe('outer');
    inner.end('hedge', 'too late');
    expect(inner.reason).toBe('outer');
    expect(controller.signal.aborted).toBe(false);
  });

  it('keeps the first reason it was ended with', () => {
    const scope = new Call().scope();
    scope.end('timeout', 'first');
    scope.end('hedge', 'second');
    expect(scope.reason).toBe('first');
    expect(scope.signal.reason).toBe('first');
  });

  it('adds its listener when its signal is read and removes it on release', () => {
    const { signal } = new AbortController();
    const scope = root(signal).scope();
    expect(listeners(signal)).toBe(0);
    expect(scope.signal.aborted).toBe(false);
    expect(scope.signal.aborted).toBe(false);
    expect(listeners(signal)).toBe(1);
    scope.release();
    expect(listeners(signal)).toBe(0);

    const late = root(signal).scope();
    late.release();
    expect(late.signal.aborted).toBe(false);
    expect(listeners(signal)).toBe(0);
  });

  it('leaves no listener on a long-lived signal after a million calls', () => {
    const { signal } = new AbortController();
    let most = 0;
    for (let call = 0; call < 1_000_000; call++) {
      const scope = new CallScope(1, undefined, undefined, signal);
      if (scope.signal.aborted) throw new Error('nobody aborted');
      if (call % 10_000 === 0) most = Math.max(most, listeners(signal));
      scope.release();
    }
    expect(most).toBe(1);
    expect(listeners(signal)).toBe(0);
  }, 120_000);

  it('causes no MaxListenersExceededWarning when a thousand calls share a signal', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    const controller = new AbortController();
    const scopes = Array.from({ length: 1000 }, () => root(controller.signal).scope());
    const signals = scopes.map((scope) => scope.signal);
    expect(listeners(controller.signal)).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort('all');
    expect(signals.every((signal) => signal.reason === 'all')).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });
});
