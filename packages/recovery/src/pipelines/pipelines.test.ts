import { type CircuitBreaker, circuitBreaker } from '@temper/breaker';
import { retry } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { PipelineReloadError } from '../errors.ts';
import type { PipelineDefinition } from './definition.ts';
import { type PipelinesOptions, pipelines, type ReloadEvent } from './pipelines.ts';

const reset = (): Error => Object.assign(new Error('reset'), { code: 'ECONNRESET' });

const kinds = { retry, breaker: circuitBreaker };

function make(options: PipelinesOptions = {}) {
  const clock = new ManualClock();
  return { clock, registry: pipelines({ clock, kinds, ...options }) };
}

const STANDARD: PipelineDefinition = [
  { timeout: { timeoutMs: 1000 } },
  { retry: { maxAttempts: 2, initialDelayMs: 10, jitter: 'none' } },
  { breaker: { failureThreshold: 3 } },
];

describe('pipelines', () => {
  it('creates pipelines from data, with their name', async () => {
    const { clock, registry } = make({ define: { fetch: STANDARD } });
    const policy = registry.get('fetch');
    expect(policy?.name).toBe('fetch');
    let calls = 0;
    const call = policy?.execute(async () => {
      if (++calls === 1) throw reset();
      return 'ok';
    });
    await expect(clock.runUntil(call as Promise<string>)).resolves.toBe('ok');
    expect(registry.get('other')).toBeUndefined();
    expect(registry.list()).toMatchObject([
      {
        name: 'fetch',
        revision: 1,
        inFlight: 0,
        draining: 0,
        definition: STANDARD,
        lastError: undefined,
        stats: {
          policies: [
            { name: 'fetch', kind: 'timeout', stats: { calls: { success: 1 } } },
            { name: 'fetch', kind: 'retry', stats: { operations: { recovered: 1 } } },
            { name: 'fetch', stats: { state: 'closed' } },
          ],
        },
      },
    ]);
    expect(JSON.parse(JSON.stringify(registry.list()))).toHaveLength(1);
  });

  it('has built-in kinds, and takes others', async () => {
    const { registry } = make();
    registry.define('all', [
      { fallback: { handler: () => 'f' } },
      { timeout: { timeoutMs: 5000 } },
      { retry: {} },
      { hedge: { delayMs: 50 } },
      { breaker: {} },
      { cached: {} },
      { chaos: {} },
    ]);
    await expect(registry.get('all')?.execute(async () => 1, { key: 'k' })).resolves.toBe(1);
  });

  it('ends calls in flight on the old definition, and begins new ones on the new', async () => {
    const { clock, registry } = make();
    const policy = registry.define('p', [{ timeout: { timeoutMs: 1000 } }]);
    const slow = policy.tryExecute(({ signal }) => clock.sleep(500, signal));
    await settle();
    expect(registry.reload('p', [{ timeout: { timeoutMs: 100 } }])).toBe(2);
    expect(registry.get('p')).toBe(policy);
    expect(registry.list()).toMatchObject([{ revision: 2, inFlight: 1, draining: 1 }]);
    const quick = policy.tryExecute(({ signal }) => clock.sleep(500, signal));
    await clock.advance(100);
    expect(await quick).toMatchObject({ ok: false, error: { timeoutMs: 100 } });
    await clock.advance(400);
    expect(await slow).toMatchObject({ ok: true });
    expect(registry.list()).toMatchObject([{ inFlight: 0, draining: 0 }]);
  });

  it('keeps the state of policies whose options have not changed: an open circuit stays open', async () => {
    const { registry } = make({ define: { p: STANDARD } });
    const policy = registry.get('p');
    for (let i = 0; i < 3; i++) await policy?.tryExecute(() => Promise.reject(new Error('x')));
    const changed: PipelineDefinition = [
      { timeout: { timeoutMs: 2000 } },
      { retry: { maxAttempts: 2, initialDelayMs: 10, jitter: 'none' } },
      { breaker: { failureThreshold: 3 } },
    ];
    registry.reload('p', changed);
    expect(await policy?.tryExecute(async () => 1)).toMatchObject({
      ok: false,
      error: { code: 'CIRCUIT_OPEN' },
    });
    registry.reload('p', [{ breaker: { failureThreshold: 4 } }]);
    expect(await policy?.tryExecute(async () => 1)).toEqual({ ok: true, value: 1 });
  });

  it('keeps the old definition when the new one is invalid, and reports why', async () => {
    const events: ReloadEvent[] = [];
    const { registry } = make({ define: { p: STANDARD }, onReload: (one) => events.push(one) });
    const bad: PipelineDefinition = [{ retry: { maxAttempts: 0 } }];
    expect(() => registry.reload('p', bad)).toThrow(PipelineReloadError);
    expect(() => registry.reload('p', bad)).toThrow(
      "Pipeline 'p' stays at revision 1: retry: maxAttempts must be an integer >= 1, got 0.",
    );
    expect(registry.list()).toMatchObject([
      {
        revision: 1,
        definition: STANDARD,
        lastError: expect.stringContaining('maxAttempts'),
      },
    ]);
    await expect(registry.get('p')?.execute(async () => 1)).resolves.toBe(1);
    registry.reload('p', []);
    expect(registry.list()).toMatchObject([{ revision: 2, lastError: undefined }]);
    expect(events).toMatchObject([
      { name: 'p', revision: 1, error: { code: 'PIPELINE_RELOAD', revision: 1 } },
      { name: 'p', revision: 1, error: { code: 'PIPELINE_RELOAD' } },
      { name: 'p', revision: 2, error: undefined },
    ]);
  });

  it('refuses an order that cannot work on reload too', () => {
    const { registry } = make({ define: { p: [] } });
    const wrong = [
      { timeout: { timeoutMs: 50 } },
      { retry: { initialDelayMs: 100, jitter: 'none' } },
    ];
    expect(() => registry.reload('p', wrong)).toThrow('can never retry');
  });

  it('disposes of policies that are not in use any more, and of no others', async () => {
    const clock = new ManualClock();
    const made: { name: string; disposed: boolean }[] = [];
    const part = (options: { name: string; tag: string }) => {
      const one = { name: options.tag, disposed: false };
      made.push(one);
      return {
        execute: <T>(operation: (call: never) => T | PromiseLike<T>) =>
          Promise.resolve(operation(undefined as never)),
        [Symbol.dispose]() {
          one.disposed = true;
        },
      };
    };
    const registry = pipelines({ kinds: { ...kinds, part }, clock });
    const policy = registry.define('p', [{ part: { tag: 'kept' } }, { part: { tag: 'old' } }]);
    const call = policy.execute(() => clock.sleep(100));
    await settle();
    registry.reload('p', [{ part: { tag: 'kept' } }, { part: { tag: 'new' } }]);
    const state = () => Object.fromEntries(made.map(({ name, disposed }) => [name, disposed]));
    expect(state()).toEqual({ kept: false, old: false, new: false });
    await clock.runUntil(call);
    expect(state()).toEqual({ kept: false, old: true, new: false });
    expect(() =>
      registry.reload('p', [{ part: { tag: 'orphan' } }, { retry: { maxAttempts: -1 } }]),
    ).toThrow(PipelineReloadError);
    expect(state()).toEqual({ kept: false, old: true, new: false, orphan: true });
    registry[Symbol.dispose]();
    expect(state()).toEqual({ kept: true, old: true, new: true, orphan: true });
  });

  it('is not affected by later changes of a definition by its creator', () => {
    const { registry } = make();
    const jitter = { ratio: 0.1 };
    const options = { maxAttempts: 2, jitter };
    registry.define('p', [{ retry: options }]);
    options.maxAttempts = 9;
    jitter.ratio = 0.5;
    expect(registry.list()[0]?.definition).toEqual([
      { retry: { maxAttempts: 2, jitter: { ratio: 0.1 } } },
    ]);
  });

  it('logs what onReload throws', () => {
    const onReload = vi.fn(() => {
      throw new Error('listener');
    });
    const { registry } = make({ define: { p: [] }, onReload });
    expect(registry.reload('p', [])).toBe(2);
    expect(onReload).toHaveBeenCalledTimes(1);
  });

  it('passes options that are not data unchanged', () => {
    const breakers: CircuitBreaker[] = [];
    const clock = new ManualClock();
    const registry = pipelines({
      clock,
      kinds: {
        breaker: (options: object) => {
          const made = circuitBreaker(options);
          breakers.push(made);
          return made;
        },
      },
    });
    const shouldHandle = (): boolean => false;
    registry.define('p', [{ breaker: { shouldHandle } }]);
    registry.reload('p', [{ breaker: { shouldHandle } }]);
    expect(breakers).toHaveLength(1);
    registry.reload('p', [{ breaker: { shouldHandle: () => false } }]);
    expect(breakers).toHaveLength(2);
  });

  it('keeps a policy only when its options are deeply equal', () => {
    class Rule {
      readonly limit: number;
      constructor(limit: number) {
        this.limit = limit;
      }
    }
    let made = 0;
    const counted = {
      part: () => {
        made++;
        return { execute: async <T>(operation: (context: never) => T) => operation({} as never) };
      },
    };
    const { registry } = make({ kinds: counted as never });
    const rule = new Rule(1);
    const bare = Object.assign(Object.create(null) as object, { a: 1 });
    const options = { list: [1, { deep: null }], rule, bare, not: undefined };
    registry.define('p', [{ part: options }]);
    const reload = (more: object): number => {
      registry.reload('p', [{ part: { ...options, ...more } }]);
      return made;
    };
    expect(reload({ list: [1, { deep: null }], bare: { a: 1 } })).toBe(1);
    expect(reload({ list: [1, { deep: 0 }] })).toBe(2);
    expect(reload({ list: [1, { deep: 0 }, 2] })).toBe(3);
    expect(reload({ list: { 0: 1, 1: { deep: 0 }, 2: 2 } })).toBe(4);
    expect(reload({ list: null })).toBe(5);
    expect(reload({ list: null, rule: new Rule(1) })).toBe(6); // not known to be data
    expect(reload({ list: null, bare: { b: 1 } })).toBe(7);
    expect(reload({ list: null, bare: { b: 1 }, more: 1 })).toBe(8);
  });

  it.each([
    ['no array', {} as never, 'a definition must be an array of layers, got an object.'],
    ['null', [null] as never, 'layer 0 must be { kind: options } with one kind, got null.'],
    ['no object', [1] as never, 'layer 0 must be { kind: options } with one kind, got 1.'],
    ['two kinds', [{ retry: {}, timeout: {} }], 'layer 0 must be { kind: options } with one kind'],
    ['an unknown kind', [{}, { retri: {} }].slice(1), "layer 0 has the unknown kind 'retri'"],
    ['no options', [{ retry: 3 as never }], "layer 0, 'retry': options must be an object, got 3."],
    ['a wrong option', [{ retry: { tries: 3 } }], "retry: unknown option 'tries'"],
  ])('refuses a definition with %s', (_, definition, message) => {
    expect(() => make().registry.define('p', definition)).toThrow(message);
  });

  it('refuses a name twice, a reload of an unknown name, and unknown options', () => {
    const { registry } = make({ define: { p: [] } });
    expect(() => registry.define('p', [])).toThrow(
      "'p' is already defined; replace it with reload().",
    );
    expect(() => registry.define('', [])).toThrow('name must be a non-empty string');
    expect(() => registry.reload('q', [])).toThrow(
      "pipelines: no pipeline is named 'q'; known are 'p'.",
    );
    expect(() => pipelines({ policies: 1 } as never)).toThrow("unknown option 'policies'");
    expect(() => pipelines({ kinds: { a: 1 as never } })).toThrow('kinds.a must be a function');
    expect(() => pipelines({ onReload: 1 as never })).toThrow('onReload must be a function');
  });
});
