import { ManualClock } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { adaptiveConcurrency } from '../adaptive/adaptive-concurrency.ts';
import { clientRateLimit } from '../http/client-rate-limit.ts';
import { keyed } from '../keyed/keyed.ts';
import type { AcquireOptions } from '../limiter.ts';
import { concurrency } from '../limiters/concurrency.ts';
import { tokenBucket } from '../limiters/token-bucket.ts';
import { MemoryRateLimitStore } from '../shared/memory-store.ts';
import { sharedRateLimit } from '../shared/shared-rate-limit.ts';
import { throttle } from '../throttle/throttle.ts';

type Method = (options?: AcquireOptions) => unknown;
type Methods = Partial<Record<'tryAcquire' | 'acquire' | 'take' | 'peek', Method>>;

const clock = new ManualClock();
const store = new MemoryRateLimitStore(clock);
const makers: [string, () => Methods][] = [
  ['tokenBucket', () => tokenBucket({ clock })],
  ['concurrency', () => concurrency({ clock })],
  ['adaptiveConcurrency', () => adaptiveConcurrency({ clock })],
  ['keyed', () => keyed({ template: tokenBucket({ clock }) })],
  ['keyed with a function', () => keyed({ limiter: () => tokenBucket({ clock }), clock })],
  ['one key', () => keyed({ template: tokenBucket({ clock }) }).for('a')],
  ['sharedRateLimit', () => sharedRateLimit({ name: 'api', store, clock, nodes: 1 })],
  ['clientRateLimit', () => clientRateLimit({ clock })],
  ['throttle', () => throttle({ clock })],
];
const NAMES = ['tryAcquire', 'acquire', 'take', 'peek'] as const;
const methods = makers.flatMap(([kind, make]) =>
  NAMES.filter((name) => typeof make()[name] === 'function').map((name) => ({
    kind,
    name,
    call: async (options: unknown) => make()[name]?.(options as AcquireOptions),
  })),
);
const taking = methods.filter(({ name }) => name !== 'peek');

describe.each(methods)('$kind.$name', ({ call }) => {
  it.each([
    ['null', null],
    ['a number', 5],
    ['an array', []],
    ['a map', new Map()],
    ['a promise', Promise.resolve()],
    ['a date', new Date(0)],
    ['a regular expression', /x/],
    ['a signal', new AbortController().signal],
  ])('refuses %s as options', async (_, options) => {
    await expect(call(options)).rejects.toThrow(TypeError);
  });
});

describe.each(taking)('$kind.$name', ({ call }) => {
  it.each([
    ['cost', Number.NaN],
    ['cost', -1],
    ['cost', '1'],
    ['key', ''],
    ['key', 7],
    ['priority', 'high'],
    ['signal', {}],
    ['maxWaitMs', Number.NaN],
  ])('checks an accessor of a class: %s is %j', async (name, value) => {
    class Options {
      get key(): unknown {
        return 'a';
      }
    }
    Object.defineProperty(Options.prototype, name, { get: () => value });
    await expect(call(new Options())).rejects.toThrow(`${name} must be`);
  });

  it('reads each option once', async () => {
    const reads: Record<string, number> = {};
    const once = (name: string, value: unknown): PropertyDescriptor => ({
      get: () => {
        reads[name] = (reads[name] ?? 0) + 1;
        return reads[name] === 1 ? value : Number.NaN;
      },
      enumerable: true,
    });
    const options = Object.defineProperties(
      {},
      { cost: once('cost', 2), key: once('key', 'a'), maxWaitMs: once('maxWaitMs', 5) },
    );
    await call(options);
    expect(reads).toEqual({ cost: 1, key: 1, maxWaitMs: 1 });
  });

  it('refuses an inherited option that it does not know', async () => {
    await expect(call(Object.create({ key: 'a', price: 2 }))).rejects.toThrow(
      "unknown option 'price'; known are cost, key, priority, signal, maxWaitMs.",
    );
  });
});
