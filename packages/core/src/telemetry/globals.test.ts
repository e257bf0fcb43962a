import { createRequire } from 'node:module';
import * as esm from '@opentelemetry/api';
import { beforeEach, describe, expect, it } from 'vitest';
import { watchProviders } from './globals.ts';

const API_KEY = Symbol.for('opentelemetry.js.api.1');
const root = globalThis as unknown as Record<symbol, Record<string, unknown> | undefined>;

/** Loaded by require(), the API is another copy, with singletons of its own. */
const cjs = createRequire(import.meta.url)('@opentelemetry/api') as typeof esm;

let made = 0;
/** A provider that equals no other. */
const meters = (): esm.MeterProvider & { id: number } => ({
  id: ++made,
  getMeter: esm.createNoopMeter,
});

/** Watches as core does, and returns what it was told. */
function watch(): unknown[][] {
  const heard: unknown[][] = [];
  watchProviders({
    metrics: (provider) => heard.push(['metrics', provider]),
    trace: (provider) => heard.push(['trace', provider]),
  });
  return heard;
}

beforeEach(() => {
  delete root[API_KEY];
});

describe('the two copies of the API in this test', () => {
  it('are two modules', () => {
    expect(cjs.metrics).not.toBe(esm.metrics);
    expect(cjs.metrics.setGlobalMeterProvider).toBeTypeOf('function');
  });
});

describe.each([
  ['the ESM copy', esm],
  ['the CommonJS copy', cjs],
])('a provider that is registered through %s of the API', (_, api) => {
  it('is noticed when the API has no global object yet', () => {
    const heard = watch();
    expect(root[API_KEY]).toBeUndefined();
    const provider = meters();
    expect(api.metrics.setGlobalMeterProvider(provider)).toBe(true);
    expect(heard).toEqual([['metrics', provider]]);
  });

  it('is noticed when it was registered before core was loaded', () => {
    const provider = meters();
    api.metrics.setGlobalMeterProvider(provider);
    expect(watch()).toEqual([['metrics', provider]]);
  });

  it('is noticed when another signal was registered before core was loaded', () => {
    api.diag.setLogger({ error() {}, warn() {}, info() {}, debug() {}, verbose() {} });
    const heard = watch();
    expect(heard).toEqual([]);
    const provider = meters();
    api.metrics.setGlobalMeterProvider(provider);
    expect(heard).toEqual([['metrics', provider]]);
    api.diag.disable();
  });

  it('is noticed again each time another replaces it', () => {
    const heard = watch();
    const providers = [meters(), meters(), meters()];
    for (const provider of providers) {
      api.metrics.disable();
      expect(api.metrics.setGlobalMeterProvider(provider)).toBe(true);
      expect(api.metrics.getMeterProvider()).toBe(provider);
    }
    expect(heard).toEqual(providers.map((provider) => ['metrics', provider]));
  });

  it('is not reported when the API refuses it because there is one already', () => {
    const heard = watch();
    const provider = meters();
    api.metrics.setGlobalMeterProvider(provider);
    expect(api.metrics.setGlobalMeterProvider(meters())).toBe(false);
    expect(heard).toEqual([['metrics', provider]]);
  });

  it('is still found by every other copy of the API', () => {
    watch();
    const provider = meters();
    api.metrics.setGlobalMeterProvider(provider);
    expect(esm.metrics.getMeterProvider()).toBe(provider);
    expect(cjs.metrics.getMeterProvider()).toBe(provider);
    api.metrics.disable();
    expect(esm.metrics.getMeterProvider()).not.toBe(provider);
  });

  it('is noticed for traces as well', () => {
    const heard = watch();
    const noop = new esm.ProxyTracerProvider();
    expect(api.trace.setGlobalTracerProvider(noop)).toBe(true);
    expect(heard.map(([signal]) => signal)).toEqual(['trace']);
    api.trace.disable();
  });
});

describe('watchProviders', () => {
  it('leaves plain properties behind, so that reads cost nothing', () => {
    watch();
    const provider = meters();
    esm.metrics.setGlobalMeterProvider(provider);
    const api = root[API_KEY] as object;
    expect(Object.getOwnPropertyDescriptor(globalThis, API_KEY)).toEqual({
      value: api,
      writable: true,
      enumerable: true,
      configurable: true,
    });
    expect(Object.getOwnPropertyDescriptor(api, 'metrics')).toEqual({
      value: provider,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  });

  it('lets several independent watchers be told, in any order of arrival', () => {
    const first = watch();
    const second = watch();
    const provider = meters();
    esm.metrics.setGlobalMeterProvider(provider);
    const third = watch();
    esm.metrics.disable();
    const next = meters();
    esm.metrics.setGlobalMeterProvider(next);
    const both = [
      ['metrics', provider],
      ['metrics', next],
    ];
    expect(first).toEqual(both);
    expect(second).toEqual(both);
    expect(third).toEqual(both);
  });

  it('reports what is registered where the object is frozen', () => {
    const provider = meters();
    esm.metrics.setGlobalMeterProvider(provider);
    Object.freeze(root[API_KEY]);
    expect(watch()).toEqual([['metrics', provider]]);
  });
});
