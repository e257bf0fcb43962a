import { type CallContext, type CallOptions, OperationTimeoutError } from '@temper/core';
import { hedge } from '@temper/recovery';
import { retryDetails } from '@temper/retry';
import { describe, expect, it } from 'vitest';
import { type Hardened, hardened } from '../test/subsystems.ts';
import type { OperationName, OperationOptions, PortContext } from './index.ts';

type Port = 'generate' | 'infer' | 'check' | 'fetch' | 'request';

/** How each operation is called, and which port it calls. */
const OPERATIONS: Readonly<
  Record<
    OperationName,
    [port: Port, call: (it: Hardened, options?: OperationOptions) => Promise<unknown>]
  >
> = {
  ast_codegen: ['generate', ({ made }, options) => made.ast.generateCode('p', 'p', options)],
  type_inference: ['infer', ({ made }, options) => made.ast.inferTypes('p', 'p', options)],
  check_protocol: ['check', ({ made }, options) => made.protocols.check('p', 'p', options)],
  fetch_package: ['fetch', ({ made }, options) => made.registry.fetchPackage('p', '*', options)],
  lsp_operation: ['request', ({ made }, options) => made.lsp.request('hover', {}, options)],
};
const names = Object.keys(OPERATIONS) as OperationName[];

/** Runs `work` as part of a call with these options, which another policy has opened. */
function within<T>(
  it: Hardened,
  options: CallOptions,
  work: (parent: CallContext) => Promise<T>,
): Promise<T> {
  return it.made.policies.breakers.ast_codegen.execute(work, options);
}

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.fail('It resolved.'),
    (error: unknown) => error,
  );

describe.each(names)('the options of %s', (name) => {
  const [port, call] = OPERATIONS[name];

  it.each<[string, unknown, ErrorConstructor, RegExp]>([
    [
      'an unknown option',
      { misspelt: 1 },
      TypeError,
      /unknown option 'misspelt'; known are actor, /,
    ],
    ['the former deadlineMs', { deadlineMs: 1 }, TypeError, /unknown option 'deadlineMs'/],
    ['the name of the operation', { operation: 'mine' }, TypeError, /unknown option 'operation'/],
    ['null', null, TypeError, /must be an object .*null/i],
    ['an array', [], TypeError, /must be an object .*Array/],
    ['a signal', new AbortController().signal, TypeError, /must be an object .*AbortSignal/],
    ['a number', 5, TypeError, /must be an object .*5/],
    ['actor: null', { actor: null }, TypeError, /actor must be a string/],
    ['actor: 5', { actor: 5 }, TypeError, /actor must be a string/],
    ['signal: null', { signal: null }, TypeError, /signal/],
    ['timeoutMs: null', { timeoutMs: null }, TypeError, /timeoutMs/],
    ['timeoutMs: text', { timeoutMs: '5' }, TypeError, /timeoutMs/],
    ['timeoutMs: -1', { timeoutMs: -1 }, RangeError, /timeoutMs/],
    ['attributes: text', { attributes: 'a' }, TypeError, /attributes/],
    ['attributes of objects', { attributes: { a: {} } }, TypeError, /attributes\['a'\]/],
    ['cost: 0', { cost: 0 }, RangeError, /cost/],
    ['cost: text', { cost: '1' }, TypeError, /cost/],
    ['an unknown priority', { priority: 'high' }, TypeError, /priority/],
    ['key: 5', { key: 5 }, TypeError, /key/],
    ['parent: {}', { parent: {} }, TypeError, /parent/],
  ])('refuse %s', async (_, options, Refusal, message) => {
    const it = hardened();
    const error = await rejection(call(it, options as OperationOptions));
    expect(error).toBeInstanceOf(Refusal);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toContain(name);
    expect(it.calls[port]).toBe(0);
    expect(it.ended).toEqual([]);
    expect(it.made.errorStats().total).toBe(0);
  });

  it('refuse the context of a call in place of { parent }', async () => {
    const it = hardened();
    const error = await rejection(
      within(it, {}, (context) => call(it, context as unknown as OperationOptions)),
    );
    expect((error as Error).message).toMatch(/passed as \{ parent: context \}/);
    expect(it.calls[port]).toBe(0);
  });

  it('accept undefined as absent', async () => {
    const it = hardened();
    const absent = { actor: undefined, signal: undefined, timeoutMs: undefined, cost: undefined };
    await call(it, { ...absent, attributes: undefined, key: undefined, parent: undefined });
    await call(it, undefined);
    expect(it.calls[port]).toBe(2);
  });

  it('reach the context of the port', async () => {
    const it = hardened();
    let seen: PortContext | undefined;
    it.script[port] = (context) => {
      seen = context;
      return 'answer';
    };
    const attributes = { tenant: 'acme' };
    const own = { cost: 2, priority: 'critical', key: 'acme', attributes } as const;
    await call(it, { ...own, actor: 'ada', timeoutMs: 1000 });
    expect(seen).toMatchObject({ ...own, operation: name });
    expect(seen?.deadline).toBe(it.clock.monotonic() + 1000);
    await call(it, { timeoutMs: 60_000 });
    // Never longer than the plan's own times.
    const { timeoutMs, attemptTimeoutMs } = it.made.settings.plans[name];
    expect(seen?.deadline).toBe(it.clock.monotonic() + Math.min(timeoutMs, attemptTimeoutMs));
    expect(await it.made.auditLog()).toMatchObject([{ actor: { id: 'ada' } }, {}]);
  });

  it('join the call of parent', async () => {
    const it = hardened();
    let seen: PortContext | undefined;
    it.script[port] = (context) => {
      seen = context;
      return 'answer';
    };
    const outer = { cost: 3, priority: 'sheddable', key: 'acme', timeoutMs: 700 } as const;
    await within(it, outer, (parent) => call(it, { parent, priority: 'critical-plus' }));
    expect(seen).toMatchObject({ cost: 3, priority: 'critical-plus', key: 'acme' });
    expect(seen).toMatchObject({ operation: name, deadline: it.clock.monotonic() + 700 });
  });
});

describe('cost', () => {
  it('is taken from the limiter of the operation', async () => {
    const it = hardened();
    const { registry_query: limiter } = it.made.policies.limiters;
    await it.made.registry.fetchPackage('p', '*', { cost: 40 });
    expect(limiter.peek()).toMatchObject({ limit: 500, remaining: 460 });
  });
});

describe.each(names)('a call of %s that is cancelled', (name) => {
  const [port, call] = OPERATIONS[name];
  const reason = { changed: 'mind' };

  /** Two ways to cancel: by the call's own signal, and by that of the call it is part of. */
  const ways: [string, (it: Hardened, signal: AbortSignal) => Promise<unknown>][] = [
    ['its signal', (it, signal) => call(it, { signal })],
    ['its parent', (it, signal) => within(it, { signal }, (parent) => call(it, { parent }))],
  ];
  /** What a port can make of an abort. */
  const errors: [string, (signal: AbortSignal) => unknown][] = [
    ['the reason', ({ reason }) => reason],
    ['an error of its own', () => new Error('socket closed')],
    ['a connection error', () => Object.assign(new Error('reset'), { kind: 'connection' })],
    ['a timeout', () => new OperationTimeoutError('client', 5)],
  ];
  const cases = ways.flatMap(([by, start]) =>
    errors.map(([what, errorOf]) => [by, what, start, errorOf] as const),
  );

  it.each(cases)('by %s ends as aborted when the port throws %s', async (_, __, start, errorOf) => {
    const it = hardened();
    it.script.lastGood = () => 'older';
    let thrown: unknown;
    it.script[port] = ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          thrown = errorOf(signal);
          reject(thrown);
        });
      });
    const controller = new AbortController();
    const running = rejection(start(it, controller.signal));
    await it.clock.advance(10);
    controller.abort(reason);
    const error = await it.clock.runUntil(running);
    expect([reason, thrown]).toContain(error);
    expect(it.ended).toMatchObject([{ operation: name, status: 'aborted', attempts: 1 }]);
    expect(await it.made.auditLog()).toMatchObject([{ status: 'aborted', durationMs: 10 }]);
    expect(it.made.errorStats().total).toBe(0);
    expect(it.calls[port]).toBe(1);
    expect([it.calls.lastGood, it.calls.unchecked]).toEqual([0, 0]);
    for (const breaker of Object.values(it.made.policies.breakers)) {
      expect(breaker.stats()).toMatchObject({ state: 'closed', calls: { failure: 0 } });
    }
  });

  it('before it began does not call the port', async () => {
    const it = hardened();
    const signal = AbortSignal.abort(reason);
    expect(await rejection(call(it, { signal }))).toBe(reason);
    expect(it.calls[port]).toBe(0);
    expect(it.ended).toMatchObject([{ status: 'aborted', attempts: 0 }]);
  });
});

describe('a call that lost a hedge', () => {
  it('ends as aborted', async () => {
    const it = hardened();
    const { clock, made, script } = it;
    script.request = ({ signal }) =>
      it.calls.request === 2
        ? 'answer'
        : new Promise((_, reject) => {
            signal.addEventListener('abort', () => reject(new Error('socket closed')));
          });
    const hedged = hedge({ delayMs: 20, clock });
    const call = hedged.execute((parent) => made.lsp.request('hover', {}, { parent }));
    expect(await clock.runUntil(call)).toEqual({ value: 'answer' });
    await clock.advance(0);
    const statuses = it.ended.map(({ status }) => status);
    expect(statuses.toSorted()).toEqual(['aborted', 'success']);
    expect(made.errorStats().total).toBe(0);
  });
});

describe('the timeout of a parent', () => {
  it('is a failure, and gets no degraded answer that nobody receives', async () => {
    const it = hardened();
    it.script.lastGood = () => 'older';
    it.script.request = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const running = rejection(
      within(it, { timeoutMs: 50 }, (parent) => it.made.lsp.request('hover', {}, { parent })),
    );
    expect(await it.clock.runUntil(running)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(it.ended).toMatchObject([{ status: 'failure', durationMs: 50 }]);
    expect(it.made.errorStats().byCategory).toMatchObject({ timeout: 1 });
    expect(it.calls.lastGood).toBe(0);
  });
});

describe('a signal whose own time is up', () => {
  it('is a timeout: it counts as an error, and gets a degraded answer', async () => {
    const it = hardened();
    it.script.lastGood = () => 'older';
    it.script.request = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const controller = new AbortController();
    const running = it.made.lsp.request('hover', {}, { signal: controller.signal });
    controller.abort(new DOMException('too late', 'TimeoutError'));
    expect(await running).toMatchObject({ value: 'older', degraded: { by: 'last-good' } });
    expect(it.ended).toMatchObject([{ status: 'degraded' }]);
    expect(it.made.errorStats().byCategory).toMatchObject({ timeout: 1 });
  });
});

describe('timeoutMs', () => {
  it('ends the retries, with the attempts so far', async () => {
    const it = hardened();
    it.script.fetch = () => {
      throw Object.assign(new Error('down'), { kind: 'connection' });
    };
    const call = it.made.registry.fetchPackage('p', '*', { timeoutMs: 150 });
    const error = await it.clock.runUntil(rejection(call));
    expect(error).toMatchObject({ message: 'down' });
    expect(retryDetails(error)).toMatchObject({ attempts: 2, reason: 'deadline' });
  });
});
