import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  type MeterProvider as ApiMeterProvider,
  DiagLogLevel,
  diag,
  metrics,
} from '@opentelemetry/api';
import { AggregationTemporality, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, describe, expect, it } from 'vitest';
import type { MetricDefinition } from './definitions.ts';
import { reportCallbackError, warn } from './diagnostics.ts';
import { Instrumentation } from './instrumentation.ts';
import type { InstrumentationScope } from './scope.ts';

const metric = (name: string, instrument: MetricDefinition['instrument']): MetricDefinition => ({
  name: `test.${name}`,
  instrument,
  unit: '1',
  description: `The ${name} of this test.`,
  attributes: [],
});
const CALLS = metric('calls', 'counter');
const DURATION = metric('duration', 'histogram');
const LEVEL = metric('level', 'gauge');
const IN_FLIGHT = metric('in_flight', 'updowncounter');

let made = 0;
/** The telemetry of a package with a new name. */
function newPackage(...more: MetricDefinition[]): InstrumentationScope {
  const name = `@test/package-${++made}`;
  const metrics = [CALLS, DURATION, LEVEL, IN_FLIGHT, ...more];
  return new Instrumentation({ name, version: '1.0.0', metrics }).scope;
}
/** Attributes that no other test of this file uses. */
const mine = (): { test: number } => ({ test: ++made });

let telemetry: InMemoryTelemetry | undefined;
afterEach(async () => {
  await telemetry?.close();
  telemetry = undefined;
});

describe('a counter', () => {
  it('is exported in full by a provider that is registered after the first calls', async () => {
    const attributes = mine();
    const calls = newPackage().counter(CALLS, attributes);
    calls.value += 3;
    telemetry = new InMemoryTelemetry();
    expect(await telemetry.value('test.calls', attributes)).toBe(3);
    calls.value += 2;
    expect(await telemetry.value('test.calls', attributes)).toBe(5);
  });

  it('is exported by a provider that was registered before it was created', async () => {
    telemetry = new InMemoryTelemetry();
    const attributes = mine();
    newPackage().counter(CALLS, attributes).value++;
    expect(await telemetry.value('test.calls', attributes)).toBe(1);
  });

  it('loses nothing when the provider is replaced, nor while there is none', async () => {
    const attributes = mine();
    const calls = newPackage().counter(CALLS, attributes);
    calls.value = 1;
    const first = new InMemoryTelemetry();
    calls.value++;
    expect(await first.value('test.calls', attributes)).toBe(2);
    await first.close();
    calls.value++;
    telemetry = new InMemoryTelemetry();
    calls.value++;
    expect(await telemetry.value('test.calls', attributes)).toBe(4);
  });

  it('is exported in full when an earlier provider is registered again', async () => {
    const attributes = mine();
    const calls = newPackage().counter(CALLS, attributes);
    const reader = new Reader();
    const provider = new MeterProvider({ readers: [reader] });
    const other = new MeterProvider({ readers: [new Reader()] });
    for (const one of [provider, other, provider]) {
      metrics.disable();
      metrics.setGlobalMeterProvider(one);
      calls.value++;
    }
    expect(await reader.values('test.calls', attributes)).toEqual([3]);
    metrics.disable();
  });

  it('is one series for equal attributes in any order', async () => {
    const scope = newPackage();
    const { test } = mine();
    const first = scope.counter(CALLS, { test, a: 'x' });
    const second = scope.counter(CALLS, { a: 'x', test });
    expect(second).toBe(first);
    expect(scope.counter(CALLS, { test, a: 'y' })).not.toBe(first);
    const { scope: sameScope } = new Instrumentation({
      name: `@test/package-${made - 1}`,
      version: '2.0.0',
      metrics: [CALLS],
    });
    expect(sameScope).toBe(scope);
    expect(sameScope.counter(CALLS, { test, a: 'x' })).toBe(first);
  });

  it('is exported as differences to a reader with delta temporality', async () => {
    const attributes = mine();
    const calls = newPackage().counter(CALLS, attributes);
    calls.value = 7;
    const reader = new Reader(AggregationTemporality.DELTA);
    metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
    expect(await reader.values('test.calls', attributes)).toEqual([7]);
    calls.value += 2;
    expect(await reader.values('test.calls', attributes)).toEqual([2]);
    expect(await reader.values('test.calls', attributes)).toEqual([]); // nothing to report
    calls.value += 3;
    expect(await reader.values('test.calls', attributes)).toEqual([3]);
    metrics.disable();
  });

  it('goes on when another version of the package adds metrics', async () => {
    telemetry = new InMemoryTelemetry();
    const scope = newPackage();
    const attributes = mine();
    const calls = scope.counter(CALLS, attributes);
    const duration = scope.histogram(DURATION, attributes);
    calls.value = 2;
    duration.record(0.1);
    expect(await telemetry.value('test.calls', attributes)).toBe(2);

    const retries = metric('retries', 'counter');
    const name = `@test/package-${made - 1}`;
    void new Instrumentation({ name, version: '1.1.0', metrics: [retries] }).scope;
    scope.counter(retries, attributes).value = 5;
    calls.value++;
    duration.record(0.2);
    expect(await telemetry.value('test.retries', attributes)).toBe(5);
    expect(await telemetry.value('test.calls', attributes)).toBe(3);
    expect(await telemetry.value('test.duration', attributes)).toMatchObject({ count: 2 });
  });
});

describe('live', () => {
  it('shows which providers are registered', async () => {
    const { live } = newPackage();
    telemetry = new InMemoryTelemetry({ metrics: true, traces: true });
    expect(live).toMatchObject({ metrics: true, traces: true });
  });
});

describe('a histogram', () => {
  it('is recorded while a provider is registered, with the buckets of its definition', async () => {
    const attributes = mine();
    const duration = newPackage().histogram(DURATION, attributes);
    duration.record(1); // before the provider
    telemetry = new InMemoryTelemetry();
    duration.record(0.004);
    const point = await telemetry.value('test.duration', attributes);
    expect(point).toMatchObject({ count: 1, sum: 0.004 });
    expect((point as { buckets: { boundaries: number[] } }).buckets.boundaries).toEqual([
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]);
  });

  it('logs what its instrument throws', () => {
    const broken = {
      getMeter: () => ({
        createHistogram: () => ({
          record() {
            throw new Error('exporter down');
          },
        }),
        createCounter: () => ({}),
        createUpDownCounter: () => ({}),
        createObservableGauge: () => ({}),
        addBatchObservableCallback: () => {},
        removeBatchObservableCallback: () => {},
      }),
    } as unknown as ApiMeterProvider;
    metrics.setGlobalMeterProvider(broken);
    const reported = listenToDiagnostics();
    newPackage().histogram(DURATION, mine()).record(1);
    expect(reported).toEqual([expect.objectContaining({ message: 'exporter down' })]);
    metrics.disable();
  });
});

describe('a provider that throws', () => {
  it('is logged, and the next provider gets everything', async () => {
    const attributes = mine();
    const calls = newPackage().counter(CALLS, attributes);
    calls.value++;
    const reported = listenToDiagnostics();
    metrics.setGlobalMeterProvider({
      getMeter() {
        throw new Error('no meter');
      },
    });
    expect(reported.length).toBeGreaterThan(0);
    calls.value++;
    metrics.disable();
    telemetry = new InMemoryTelemetry();
    expect(await telemetry.value('test.calls', attributes)).toBe(2);
  });
});

describe('levels', () => {
  interface Owner {
    readonly id: number;
    level: number;
  }
  const watch = (scope: InstrumentationScope, owner: Owner): Disposable =>
    scope.observe(owner, ({ id, level }, emit) => {
      emit(LEVEL, { test: id }, level);
      emit(IN_FLIGHT, { test: id }, level);
    });

  it('are read at each collection until their owner is disposed of, and are 0 afterwards', async () => {
    telemetry = new InMemoryTelemetry();
    const scope = newPackage();
    const owner = { id: mine().test, level: 4 };
    const where = { test: owner.id };
    scope.counter(CALLS, where).value = 9;
    const watched = watch(scope, owner);
    expect(await telemetry.value('test.level', where)).toBe(4);
    owner.level = 2;
    expect(await telemetry.value('test.level', where)).toBe(2);
    watched[Symbol.dispose]();
    watched[Symbol.dispose]();
    // The SDK repeats the last value of a series that is no longer observed.
    expect(await telemetry.value('test.level', where)).toBe(0);
    expect(await telemetry.value('test.in_flight', where)).toBe(0);
    expect(await telemetry.value('test.level', where)).toBe(0);
    expect(await telemetry.value('test.calls', where)).toBe(9);
    const again = watch(scope, { ...owner, level: 7 });
    expect(await telemetry.value('test.level', where)).toBe(7);
    expect(await telemetry.value('test.in_flight', where)).toBe(7);
    again[Symbol.dispose]();
  });

  it('have the whenGone value of their definition afterwards', async () => {
    telemetry = new InMemoryTelemetry();
    const left: MetricDefinition = { ...metric('left', 'gauge'), whenGone: Number.NaN };
    const scope = newPackage(left);
    const where = mine();
    const watched = scope.observe({}, (_, emit) => emit(left, where, 3));
    expect(await telemetry.value('test.left', where)).toBe(3);
    watched[Symbol.dispose]();
    expect(await telemetry.value('test.left', where)).toBeNaN();
  });

  it('are not exported by a provider registered after their owner was disposed of', async () => {
    telemetry = new InMemoryTelemetry();
    const owner = { id: mine().test, level: 4 };
    const watched = watch(newPackage(), owner);
    expect(await telemetry.value('test.level', { test: owner.id })).toBe(4);
    watched[Symbol.dispose]();
    await telemetry.close();
    telemetry = new InMemoryTelemetry();
    expect(await telemetry.value('test.level', { test: owner.id })).toBeUndefined();
  });

  it('end when their owner is garbage collected; totals stay', async () => {
    telemetry = new InMemoryTelemetry();
    const scope = newPackage();
    const where = mine();
    (() => {
      scope.counter(CALLS, where).value = 9;
      watch(scope, { id: where.test, level: 4 });
    })();
    expect(await telemetry.value('test.level', where)).toBe(4);
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    for (let i = 0; i < 20; i++) {
      // A collection has just read the owner, which holds it until the end of the event loop's turn.
      await new Promise((resolve) => setTimeout(resolve, 1));
      gc();
      if ((await telemetry.value('test.level', where)) === 0) break;
    }
    expect(await telemetry.value('test.level', where)).toBe(0);
    expect(await telemetry.value('test.calls', where)).toBe(9);
  });

  it('of one series are summed for an up-down counter and maximal for a gauge', async () => {
    telemetry = new InMemoryTelemetry();
    const scope = newPackage();
    const { test } = mine();
    const owners = [3, 8, 5].map((level) => ({ id: test, level }));
    const watched = owners.map((owner) => watch(scope, owner));
    expect(await telemetry.points('test.level', { test })).toMatchObject([{ value: 8 }]);
    expect(await telemetry.points('test.in_flight', { test })).toMatchObject([{ value: 16 }]);
    for (const one of watched) one[Symbol.dispose]();
  });

  it('of other owners are read although one owner throws, which is logged', async () => {
    telemetry = new InMemoryTelemetry();
    const reported = listenToDiagnostics();
    const scope = newPackage();
    const owner = { id: mine().test, level: 1 };
    const broken = scope.observe({}, () => {
      throw new Error('broken owner');
    });
    const watched = watch(scope, owner);
    scope.counter(CALLS, { test: owner.id }).value = 1;
    expect(await telemetry.value('test.level', { test: owner.id })).toBe(1);
    expect(await telemetry.value('test.calls', { test: owner.id })).toBe(1);
    expect(reported).toContainEqual(expect.objectContaining({ message: 'broken owner' }));
    broken[Symbol.dispose]();
    watched[Symbol.dispose]();
  });
});

describe('diagnostics', () => {
  it('do not throw when the diag logger throws', () => {
    const scope = newPackage();
    const broken = (): never => {
      throw new Error('broken logger');
    };
    diag.setLogger(
      { error: broken, warn: broken, info: broken, debug: () => {}, verbose: () => {} },
      { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true },
    );
    expect(() => reportCallbackError('retry', 'onRetry', new Error('x'))).not.toThrow();
    expect(() => warn('x')).not.toThrow();
    expect(() => scope.safely(broken)).not.toThrow();
    diag.disable();
  });
});

/** What is logged as an error on diag from now on. */
function listenToDiagnostics(): unknown[] {
  const reported: unknown[] = [];
  const quiet = (): void => {};
  const error = (_message: string, ...args: unknown[]): void => void reported.push(...args);
  diag.setLogger(
    { error, warn: quiet, info: quiet, debug: quiet, verbose: quiet },
    { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true },
  );
  return reported;
}

class Reader extends MetricReader {
  constructor(temporality = AggregationTemporality.CUMULATIVE) {
    super({ aggregationTemporalitySelector: () => temporality });
  }

  async values(name: string, where: { test: number }): Promise<unknown[]> {
    const { resourceMetrics } = await this.collect();
    return resourceMetrics.scopeMetrics
      .flatMap((scope) => scope.metrics)
      .filter((metric) => metric.descriptor.name === name)
      .flatMap((metric) =>
        metric.dataPoints.map(({ attributes, value }) => ({ attributes, value })),
      )
      .filter(({ attributes }) => attributes.test === where.test)
      .map(({ value }) => value);
  }

  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

describe('a package without metrics', () => {
  it('causes no warning of the SDK', async () => {
    const warnings: string[] = [];
    const heard = (message: string): number => warnings.push(message);
    const silent = (): void => undefined;
    const telemetry = new InMemoryTelemetry();
    diag.setLogger(
      { error: heard, warn: heard, info: silent, debug: silent, verbose: silent },
      DiagLogLevel.WARN,
    );
    void new Instrumentation({ name: `@test/package-${++made}`, version: '1.0.0', metrics: [] })
      .scope;
    await telemetry.metrics();
    expect(warnings).toEqual([]);
    await telemetry.close();
  });
});
