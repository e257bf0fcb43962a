import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InMemoryTelemetry } from '@temper/testkit';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import * as here from '../index.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'temper-copies-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Another installation of core, as two packages with different versions of it would bring. */
function install(name: string): typeof here {
  const modules = join(folder, name, 'node_modules');
  const copy = join(modules, '@temper/core');
  mkdirSync(dirname(copy), { recursive: true });
  cpSync(join(root, 'dist'), join(copy, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(copy, 'package.json'));
  symlinkSync(join(root, 'node_modules/@opentelemetry'), join(modules, '@opentelemetry'));
  return createRequire(join(folder, name, 'index.js'))('@temper/core') as typeof here;
}

const there = install('there');

const CALLS: here.MetricDefinition = {
  name: 'test.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Calls of this test.',
  attributes: [],
};
const DURATION: here.MetricDefinition = {
  ...CALLS,
  name: 'test.duration',
  instrument: 'histogram',
};
const LEVEL: here.MetricDefinition = { ...CALLS, name: 'test.level', instrument: 'updowncounter' };
const PACKAGE = { name: '@test/package', version: '1.0.0', metrics: [CALLS, DURATION, LEVEL] };

let telemetry: InMemoryTelemetry;
afterEach(() => telemetry?.close());

describe('two installed copies of core', () => {
  it('are two', () => {
    expect(there.instrumentationScope).not.toBe(here.instrumentationScope);
    expect(there.TemperError).not.toBe(here.TemperError);
  });

  it('feed one series, which is neither doubled nor hidden', async () => {
    const where = { test: 'one series' };
    const ours = here.instrumentationScope(PACKAGE);
    const theirs = there.instrumentationScope(PACKAGE);
    ours.counter(CALLS, where).value += 2;
    theirs.counter(CALLS, { ...where }).value += 3;
    const watched = [ours, theirs].map((scope) =>
      scope.observe({}, (_, emit) => emit(LEVEL, where, 4)),
    );
    telemetry = new InMemoryTelemetry();
    expect(await telemetry.points('test.calls')).toEqual([{ attributes: where, value: 5 }]);
    expect(await telemetry.points('test.level')).toEqual([{ attributes: where, value: 8 }]);
    for (const one of watched) one[Symbol.dispose]();
  });

  it('count on when one of them is loaded after the provider', async () => {
    telemetry = new InMemoryTelemetry();
    const where = { test: 'late copy' };
    here.instrumentationScope(PACKAGE).counter(CALLS, where).value++;
    const late = install('late');
    late.instrumentationScope(PACKAGE).counter(CALLS, where).value++;
    const other = { ...PACKAGE, name: '@test/other' };
    late.instrumentationScope(other).counter(CALLS, { test: 'other' }).value = 7;
    expect(await telemetry.value('test.calls', where)).toBe(2);
    const { resourceMetrics } = await telemetry.collect();
    const scopes = resourceMetrics.scopeMetrics.filter(({ scope }) => scope.name === '@test/other');
    expect(
      scopes.flatMap(({ metrics }) => metrics.flatMap((m) => [...m.dataPoints])),
    ).toMatchObject([{ attributes: { test: 'other' }, value: 7 }]);
  });

  it("know each other's errors and contexts", async () => {
    const error = new there.OperationTimeoutError('p', 5);
    expect(error).not.toBeInstanceOf(here.TemperError);
    expect(here.isTemperError(error, 'OPERATION_TIMEOUT')).toBe(true);
    expect(here.classify(error)).toEqual({
      category: 'timeout',
      severity: 'medium',
      transient: true,
    });

    const controller = new AbortController();
    const outer = there.CallContext.root({ signal: controller.signal, operation: 'fetch' });
    expect(here.isCallContext(outer)).toBe(true);
    const seen = await here.enterCall(
      { runInCall: async (operation, context) => operation(context.forAttempt(2)) },
      async (context) => context,
      outer,
      here.systemClock,
    );
    expect(seen.attempt).toBe(2);
    expect(seen.signal).toBe(controller.signal);
    const queue = new here.TimeoutQueue(here.systemClock, 60_000);
    const timed = here.runWithTimeout(
      ({ signal }) => signal,
      outer,
      queue,
      () => new Error('late'),
    );
    expect((await timed).aborted).toBe(false);
  });

  it("read each other's buckets", async () => {
    const producer = there.temperMetricProducer();
    const duration = here.instrumentationScope(PACKAGE).histogram(DURATION, { test: 'buckets' });
    duration.record(0.2);
    there.instrumentationScope(PACKAGE).histogram(DURATION, { test: 'buckets' }).record(0.3);
    const { resourceMetrics } = await producer.collect();
    expect(resourceMetrics.scopeMetrics).toMatchObject([
      {
        scope: { name: '@test/package' },
        metrics: [{ descriptor: { name: 'test.duration' }, dataPoints: [{ value: { count: 2 } }] }],
      },
    ]);
  });
});
