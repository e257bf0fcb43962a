import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freshHub } from '../../test/fresh-hub.ts';
import { tracesCalls } from '../call/call-sites.ts';
import * as users from '../index.ts';
import * as authors from '../policy.ts';

/** Both doors of one installation. */
type Core = typeof users & typeof authors;
const here: Core = { ...users, ...authors };

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'temper-copies-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Another installation of core, as two packages with different versions of it would bring. */
function install(name: string): Core {
  const modules = join(folder, name, 'node_modules');
  const copy = join(modules, '@temper/core');
  mkdirSync(dirname(copy), { recursive: true });
  cpSync(join(root, 'dist'), join(copy, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(copy, 'package.json'));
  symlinkSync(join(root, 'node_modules/@opentelemetry'), join(modules, '@opentelemetry'));
  const load = createRequire(join(folder, name, 'index.js'));
  return { ...load('@temper/core'), ...load('@temper/core/policy') } as Core;
}

const there = install('there');

const CALLS: authors.MetricDefinition = {
  name: 'test.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Calls of this test.',
  attributes: [],
};
const DURATION: authors.MetricDefinition = {
  ...CALLS,
  name: 'test.duration',
  instrument: 'histogram',
};
const LEVEL: authors.MetricDefinition = {
  ...CALLS,
  name: 'test.level',
  instrument: 'updowncounter',
};
const PACKAGE: authors.ScopeOptions = {
  name: '@test/package',
  version: '1.0.0',
  metrics: [CALLS, DURATION, LEVEL],
};

const NO_LABELS: authors.CallLabels = {
  operation: undefined,
  attributes: undefined,
  cost: undefined,
  priority: undefined,
  key: undefined,
};

let telemetry: InMemoryTelemetry;
beforeEach(freshHub);
afterEach(() => telemetry?.close());

describe('two installed copies of core', () => {
  it('are two modules', () => {
    expect(there.Instrumentation).not.toBe(here.Instrumentation);
    expect(there.TemperError).not.toBe(here.TemperError);
  });

  it('take the errors of the other for their own, class by class', () => {
    const theirs = new there.OperationTimeoutError('p', 1);
    expect(theirs).toBeInstanceOf(here.OperationTimeoutError);
    expect(theirs).toBeInstanceOf(here.TemperError);
    expect(theirs).not.toBeInstanceOf(here.DeadlineExceededError);
    class Ours extends here.TemperError {}
    expect(theirs).not.toBeInstanceOf(Ours);
  });

  it('add to one series', async () => {
    const where = { test: 'one series' };
    const ours = new here.Instrumentation(PACKAGE).scope;
    const theirs = new there.Instrumentation(PACKAGE).scope;
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

  it('go on counting when one is loaded after the provider', async () => {
    telemetry = new InMemoryTelemetry();
    const where = { test: 'late copy' };
    new here.Instrumentation(PACKAGE).scope.counter(CALLS, where).value++;
    const late = install('late');
    new late.Instrumentation(PACKAGE).scope.counter(CALLS, where).value++;
    const other = { ...PACKAGE, name: '@test/other' };
    new late.Instrumentation(other).scope.counter(CALLS, { test: 'other' }).value = 7;
    expect(await telemetry.value('test.calls', where)).toBe(2);
    const { resourceMetrics } = await telemetry.collect();
    const scopes = resourceMetrics.scopeMetrics.filter(({ scope }) => scope.name === '@test/other');
    expect(
      scopes.flatMap(({ metrics }) => metrics.flatMap((m) => [...m.dataPoints])),
    ).toMatchObject([{ attributes: { test: 'other' }, value: 7 }]);
  });

  it('add the counts of owners of one name', async () => {
    const make = (core: Core, n: number): object => {
      const owner = { name: 'shared', counts: {} };
      const counts = new core.Instrumentation(PACKAGE).counts(
        owner,
        CALLS,
        core.byOutcome(['success', 'failure'] as const),
      );
      owner.counts = counts;
      counts.success += n;
      return owner;
    };
    const owners = [make(here, 2), make(there, 3)];
    telemetry = new InMemoryTelemetry();
    const where = { 'temper.policy.name': 'shared' };
    const value = (outcome: string): Promise<unknown> =>
      telemetry.value('test.calls', { ...where, 'temper.outcome': outcome });
    expect([await value('success'), await value('failure')]).toEqual([5, 0]);
    const late = install('late-counts');
    owners.push(make(late, 4));
    expect([await value('success'), await value('failure')]).toEqual([9, 0]);
    expect(owners).toHaveLength(3);
  });

  it('run a call of the other as parent, with labels and endings', async () => {
    const scope = new there.Call().scope();
    const policy = { runInCall: here.invoke };
    const call = here.enterCall(
      policy,
      ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', reject)),
      { parent: scope, timeoutMs: 60_000, key: 'tenant' },
      'test',
      here.systemClock,
    );
    scope.end('hedge', 'answered');
    await expect(call).rejects.toMatchObject({ type: 'abort' });
    expect(scope.forAttempt(2).endedBy).toBe('hedge');
    const retried = new Error('x');
    there.rememberRetries(retried, new there.Call(), there.numberAttempt(), {
      policy: 'p',
      reason: 'attempts',
      attempts: 3,
      elapsedMs: 1,
      errors: [],
      retryAfterMs: undefined,
    });
    expect(here.retryDetails(retried)?.attempts).toBe(3);
  });

  it("recognise each other's errors and contexts", async () => {
    const error = new there.OperationTimeoutError('p', 5);
    expect(Object.getPrototypeOf(error)).not.toBe(here.OperationTimeoutError.prototype);
    expect(here.isTemperError(error, 'OPERATION_TIMEOUT')).toBe(true);
    expect(here.classify(error)).toEqual({
      category: 'timeout',
      severity: 'medium',
      transient: true,
    });

    const controller = new AbortController();
    const outer = new there.Call(
      1,
      undefined,
      { ...NO_LABELS, operation: 'fetch' },
      controller.signal,
    );
    expect(here.isCall(outer)).toBe(true);
    const seen = await here.enterCall(
      { runInCall: async (operation, context) => operation(context.forAttempt(2)) },
      async (context) => context,
      { parent: outer, key: 'tenant' },
      'test',
      here.systemClock,
    );
    expect(seen).toMatchObject({ attempt: 2, operation: 'fetch', key: 'tenant' });
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

  it('know of an iteration in which the other has delivered items', async () => {
    const calls: authors.Call[] = [];
    const inCall: authors.InCallExecutor = {
      runInCall: (operation, call) => {
        calls.push(call);
        return there.invoke(operation, call);
      },
    };
    const executor: users.Executor = {
      execute: (operation, options) =>
        there.enterCall(inCall, operation, options, 'p', there.systemClock),
    };
    const guarded = there.wrapWith(executor, async function* () {
      yield 1;
    }) as () => AsyncGenerator<number>;
    expect(await guarded().next()).toEqual({ value: 1, done: false });
    expect(calls.map((call) => here.isCommitted(call))).toEqual([true]);
  });

  it('trace calls when one of them is told to', () => {
    there.traceCalls(true);
    try {
      expect(tracesCalls()).toBe(true);
    } finally {
      there.traceCalls(false);
    }
    expect(tracesCalls()).toBe(false);
  });

  it('share the bound on the types of errors that policies of one name count apart', async () => {
    const errors = { ...CALLS, name: 'test.errors' };
    const types = { name: '@test/types', version: '1.0.0', metrics: [errors] };
    for (const [copy, core] of Object.entries({ here, there })) {
      const cells = new core.Instrumentation(types).errorTypes(errors, 'registry');
      for (let n = 0; n < 20; n++) {
        cells.of(Object.assign(new Error('x'), { code: `E_${copy}_${n}`.toUpperCase() })).value++;
      }
    }
    telemetry = new InMemoryTelemetry();
    const points = await telemetry.points('test.errors');
    expect(points).toHaveLength(12);
    expect(points.reduce((sum, { value }) => sum + Number(value), 0)).toBe(40);
  });

  it("export each other's histogram buckets", async () => {
    const producer = there.temperMetricProducer();
    telemetry = new InMemoryTelemetry();
    const duration = new here.Instrumentation(PACKAGE).scope.histogram(DURATION, {
      test: 'buckets',
    });
    duration.record(0.2);
    new there.Instrumentation(PACKAGE).scope.histogram(DURATION, { test: 'buckets' }).record(0.3);
    const { resourceMetrics } = await producer.collect();
    const durations = resourceMetrics.scopeMetrics
      .filter(({ scope }) => scope.name === '@test/package')
      .flatMap(({ metrics }) =>
        metrics.filter(({ descriptor }) => descriptor.name === DURATION.name),
      );
    expect(durations).toMatchObject([{ dataPoints: [{ value: { count: 2 } }] }]);
  });
});
