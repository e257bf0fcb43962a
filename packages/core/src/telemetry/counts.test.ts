import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { metrics } from '@opentelemetry/api';
import { AggregationTemporality, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { settle } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Counts } from './counters.ts';
import type { MetricDefinition } from './definitions.ts';
import { by, byOutcome, Instrumentation, policyAttributes } from './instrumentation.ts';

const CALLS: MetricDefinition = {
  name: 'test.calls',
  instrument: 'counter',
  unit: '{call}',
  description: 'Calls of this test.',
  attributes: [],
};
const OUTCOMES = ['success', 'failure'] as const;
type Outcome = (typeof OUTCOMES)[number];
const VARIANTS = byOutcome(OUTCOMES);

let made = 0;
/** The telemetry of a package with a new name. */
const newPackage = (): Instrumentation =>
  new Instrumentation({ name: `@test/counts-${++made}`, version: '1.0.0', metrics: [CALLS] });

/** An owner as a policy is one: it holds its counts. */
class Owner {
  readonly name: string;
  readonly counts: Counts<Outcome>;

  constructor(telemetry: Instrumentation, name: string) {
    this.name = name;
    this.counts = telemetry.counts(this, CALLS, VARIANTS);
  }
}
const newName = (): string => `policy-${++made}`;
const where = (name: string, outcome: Outcome): Record<string, unknown> => ({
  'temper.policy.name': name,
  'temper.outcome': outcome,
});

let telemetry: InMemoryTelemetry | undefined;
afterEach(async () => {
  await telemetry?.close();
  telemetry = undefined;
});

/** What is exported for this name: successes and failures. */
async function exported(name: string, from = telemetry): Promise<unknown[]> {
  return [
    await from?.value('test.calls', where(name, 'success')),
    await from?.value('test.calls', where(name, 'failure')),
  ];
}

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
/** Collects garbage until the owner is gone and finalization callbacks have had a turn. */
async function collect(ref: WeakRef<object>): Promise<void> {
  for (let i = 0; i < 50 && ref.deref() !== undefined; i++) {
    await settle();
    gc();
  }
  expect(ref.deref()).toBeUndefined();
  for (let i = 0; i < 5; i++) await settle();
}

describe('counts', () => {
  it('export a series of 0 for each variant from construction', async () => {
    telemetry = new InMemoryTelemetry();
    const owner = new Owner(newPackage(), newName());
    expect(owner.counts).toEqual({ success: 0, failure: 0 });
    expect(await exported(owner.name)).toEqual([0, 0]);
  });

  it.each(['before', 'after'])(
    'are exported in full by a provider registered %s them',
    async (when) => {
      if (when === 'before') telemetry = new InMemoryTelemetry();
      const owner = new Owner(newPackage(), newName());
      owner.counts.success += 3;
      owner.counts.failure++;
      telemetry ??= new InMemoryTelemetry();
      expect(await exported(owner.name)).toEqual([3, 1]);
      owner.counts.success++;
      expect(await exported(owner.name)).toEqual([4, 1]);
    },
  );

  it('are exported in full by the provider that replaces another', async () => {
    const owner = new Owner(newPackage(), newName());
    owner.counts.success++;
    const first = new InMemoryTelemetry();
    owner.counts.success++;
    expect(await exported(owner.name, first)).toEqual([2, 0]);
    await first.close();
    owner.counts.success++;
    telemetry = new InMemoryTelemetry();
    owner.counts.success++;
    expect(await exported(owner.name)).toEqual([4, 0]);
  });

  it('of several owners of one name are added', async () => {
    telemetry = new InMemoryTelemetry();
    const [scope, name] = [newPackage(), newName()];
    const owners = [1, 2, 3].map((n) => {
      const owner = new Owner(scope, name);
      owner.counts.success = n;
      return owner;
    });
    expect(await exported(name)).toEqual([6, 0]);
    expect(await telemetry.points('test.calls', { 'temper.policy.name': name })).toHaveLength(2);
    expect(owners.map(({ counts }) => counts.success)).toEqual([1, 2, 3]);
  });

  it('are added to what is counted in cells of the same series', async () => {
    telemetry = new InMemoryTelemetry();
    const [scope, name] = [newPackage(), newName()];
    const owner = new Owner(scope, name);
    const cell = scope.counter(CALLS, name, VARIANTS.success);
    owner.counts.success = 2;
    cell.value = 5;
    expect(await exported(name)).toEqual([7, 0]);
    expect(await exported(name)).toEqual([7, 0]);
  });

  it('are equal for two readers of one provider, whatever their temporality', async () => {
    const owner = new Owner(newPackage(), newName());
    owner.counts.success = 2;
    const readers = [
      new Reader(AggregationTemporality.CUMULATIVE),
      new Reader(AggregationTemporality.DELTA),
    ];
    metrics.disable();
    metrics.setGlobalMeterProvider(new MeterProvider({ readers }));
    const both = (): Promise<unknown[]> => Promise.all(readers.map((r) => r.value(owner.name)));
    expect(await both()).toEqual([2, 2]);
    owner.counts.success = 7;
    expect(await both()).toEqual([7, 5]);
    metrics.disable();
  });

  it('stay after their owner is garbage collected, before and after a collection', async () => {
    const [scope, name] = [newPackage(), newName()];
    const make = (n: number): WeakRef<Owner> => {
      const owner = new Owner(scope, name);
      owner.counts.success += n;
      return new WeakRef(owner);
    };
    await collect(make(3)); // no provider, and no collection yet
    telemetry = new InMemoryTelemetry();
    expect(await exported(name)).toEqual([3, 0]);
    const second = make(4);
    expect(await exported(name)).toEqual([7, 0]);
    await collect(second);
    expect(await exported(name)).toEqual([7, 0]);
    const third = new Owner(scope, name);
    third.counts.success++;
    expect(await exported(name)).toEqual([8, 0]);
  });

  it('are lost when they are added to after their owner is gone, so the owner must hold them', async () => {
    telemetry = new InMemoryTelemetry();
    const [scope, name] = [newPackage(), newName()];
    let counts: Counts<Outcome> | undefined;
    const ref = (() => {
      const owner = new Owner(scope, name);
      counts = owner.counts;
      counts.success++;
      return new WeakRef(owner);
    })();
    await collect(ref);
    expect(await exported(name)).toEqual([1, 0]);
    expect(counts).toEqual({ success: 0, failure: 0 });
    (counts as Counts<Outcome>).success++;
    expect(await exported(name)).toEqual([1, 0]);
  });

  it('never decrease and lose nothing, whatever owners come, count and go', async () => {
    telemetry = new InMemoryTelemetry();
    const step = fc.oneof(
      fc.record({ kind: fc.constant('make' as const), name: fc.nat(2) }),
      fc.record({ kind: fc.constant('count' as const), which: fc.nat(9), n: fc.nat(5) }),
      fc.record({ kind: fc.constant('drop' as const), which: fc.nat(9) }),
      fc.record({ kind: fc.constant('collect' as const) }),
      fc.record({ kind: fc.constant('swap' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const scope = newPackage();
        const prefix = newName();
        const owners: (Owner | undefined)[] = [];
        const expected = new Map<string, number>();
        const check = async (): Promise<void> => {
          for (const [name, n] of expected) expect((await exported(name))[0]).toBe(n);
        };
        for (const one of steps) {
          if (one.kind === 'make') {
            const owner = new Owner(scope, `${prefix}-${one.name}`);
            owners.push(owner);
            expected.set(owner.name, expected.get(owner.name) ?? 0);
          } else if (one.kind === 'count') {
            const owner = owners[one.which];
            if (owner === undefined) continue;
            owner.counts.success += one.n;
            expected.set(owner.name, (expected.get(owner.name) ?? 0) + one.n);
          } else if (one.kind === 'drop') {
            if (one.which < owners.length) owners[one.which] = undefined;
          } else if (one.kind === 'collect') {
            await settle();
            gc();
            await settle();
            await check();
          } else {
            await telemetry?.close();
            telemetry = new InMemoryTelemetry();
          }
        }
        await check();
      }),
      { numRuns: 30 },
    );
  });
});

describe('Instrumentation', () => {
  it('returns one scope per name, and the same attributes object for equal policy names', () => {
    const options = { name: `@test/counts-${++made}`, version: '1.0.0', metrics: [CALLS] };
    const [first, second] = [new Instrumentation(options), new Instrumentation(options)];
    expect(second.scope).toBe(first.scope);
    expect(policyAttributes('registry')).toBe(policyAttributes('registry'));
    expect(policyAttributes('registry')).toEqual({ 'temper.policy.name': 'registry' });
    expect(by('state', ['open', 'closed'])).toEqual({
      open: { state: 'open' },
      closed: { state: 'closed' },
    });
  });

  it('emits log records with a bounded, scrubbed body, computed only where they are collected', () => {
    const scope = newPackage();
    let computed = 0;
    const body = (): string => {
      computed++;
      return `failed at https://u:hunter2@host ${'x'.repeat(2000)}`;
    };
    telemetry = new InMemoryTelemetry();
    scope.log({ event: 'test.event', severity: 'WARN', body, attributes: { a: 1 } });
    expect(telemetry.logs).toHaveLength(1);
    const [record] = telemetry.logs;
    expect(record).toMatchObject({
      eventName: 'test.event',
      severityText: 'WARN',
      severityNumber: 13,
    });
    expect(String(record?.body)).toMatch(/^failed at https:\/\/\*\*\*@host x+…$/);
    expect(String(record?.body)).toHaveLength(512);
    expect(record?.attributes).toEqual({ a: 1 });
    expect(computed).toBe(1);
  });

  it('drops a log record whose body throws', () => {
    telemetry = new InMemoryTelemetry();
    const body = (): never => {
      throw new Error('broken');
    };
    newPackage().log({ event: 'test.event', severity: 'INFO', body, attributes: {} });
    expect(telemetry.logs).toEqual([]);
  });
});

class Reader extends MetricReader {
  constructor(temporality: AggregationTemporality) {
    super({ aggregationTemporalitySelector: () => temporality });
  }

  async value(name: string): Promise<unknown> {
    const { resourceMetrics } = await this.collect();
    return resourceMetrics.scopeMetrics
      .flatMap(({ metrics }) => metrics)
      .flatMap(({ dataPoints }) => [...dataPoints])
      .find(
        ({ attributes }) =>
          attributes['temper.policy.name'] === name && attributes['temper.outcome'] === 'success',
      )?.value;
  }

  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}
