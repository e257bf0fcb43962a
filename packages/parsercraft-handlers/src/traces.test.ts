import { telemetryScope } from '@temper/core';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, describe, expect, it } from 'vitest';
import { failing, type Hardened, hardened } from '../test/subsystems.ts';

const fetchIt = ({ made, clock }: Hardened) =>
  clock.runUntil(made.registry.fetchPackage('std', '^1').catch((error: unknown) => error));

describe('a trace', () => {
  let telemetry: InMemoryTelemetry | undefined;
  afterEach(() => telemetry?.close());

  it("with spans: 'all' shows retry, attempts and breaker, and no error on a call that recovered", async () => {
    telemetry = new InMemoryTelemetry();
    const it = hardened({ spans: 'all' });
    let asked = 0;
    it.script.fetch = () => (++asked === 1 ? failing('connection')() : { version: '1.0.0' });
    await fetchIt(it);
    const { spans } = telemetry;
    const root = spans.find(({ name }) => name === 'retry fetch_package');
    const attempts = spans.filter(({ name }) => name === 'attempt');
    const breakers = spans.filter(({ name }) => name === 'breaker registry_fetch');
    const id = (span: (typeof spans)[number] | undefined) => span?.spanContext().spanId;
    expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(1);
    expect(root?.status.code).toBe(0);
    expect(attempts.map((span) => span.status.code)).toEqual([2, 0]);
    expect(attempts.map((span) => span.parentSpanContext?.spanId)).toEqual([id(root), id(root)]);
    expect(breakers.map((span) => span.parentSpanContext?.spanId)).toEqual(attempts.map(id));
    expect(
      await telemetry.value('temper.retry.operations', {
        'temper.policy.name': 'fetch_package',
        'temper.outcome': 'recovered',
      }),
    ).toBeGreaterThanOrEqual(1);
  });

  it.each([
    ['all', 'an answer', 3],
    ['failures', 'an answer', 0],
    [undefined, 'an answer', 0],
    ['none', 'an error', 0],
    ['none', 'an answer', 0],
  ] as const)(
    'with spans: %o of a call that ends with %s has %i spans',
    async (spans, outcome, count) => {
      telemetry = new InMemoryTelemetry();
      const it = hardened(spans === undefined ? {} : { spans });
      if (outcome === 'an error') it.script.fetch = failing('connection');
      await fetchIt(it);
      expect(telemetry.spans).toHaveLength(count);
    },
  );

  it('has the failed attempts and the breaker by default', async () => {
    telemetry = new InMemoryTelemetry();
    const it = hardened();
    it.script.fetch = failing('connection');
    await fetchIt(it);
    const count = (name: string) => telemetry?.spans.filter((span) => span.name === name).length;
    expect(count('retry fetch_package')).toBe(1);
    expect(count('attempt')).toBe(3);
    expect(count('breaker registry_fetch')).toBe(3);
  });

  it.each(['some', null, true])('refuses spans: %o at construction', (spans) => {
    expect(() => hardened({ spans: spans as never })).toThrow(TypeError);
    expect(() => hardened({ spans: spans as never })).toThrow(/spans/);
  });
});

describe('the option telemetry', () => {
  it('sends all that is made inside to its providers, and none elsewhere', async () => {
    const [own, registered] = [new InMemoryTelemetry(), new InMemoryTelemetry()];
    const telemetry = telemetryScope({ ...own.providers, metricAttributes: { tenant: 'acme' } });
    const share = { registry_query: { share: 0.5 } };
    const settings = { limiters: share, bulkheads: { registry: { limit: 2, share: 0.5 } } };
    const it = hardened({ name: 'scoped', spans: 'all', telemetry, settings });
    let asked = 0;
    it.script.fetch = () => (++asked === 1 ? failing('connection')() : { version: '1.0.0' });
    await it.clock.runUntil(it.made.registry.fetchPackage('std', '^1', { key: 'client' }));
    await it.clock.runUntil(it.made.health());
    const pointsOf = async (of: InMemoryTelemetry) =>
      (await of.collect()).resourceMetrics.scopeMetrics.flatMap(({ scope, metrics }) =>
        metrics.flatMap((metric) =>
          metric.dataPoints.map(({ attributes }) => ({ scope: scope.name, attributes })),
        ),
      );
    const points = await pointsOf(own);
    const packages = ['audit', 'core', 'breaker', 'health', 'ratelimit', 'recovery', 'retry'];
    expect(new Set(points.map(({ scope }) => scope))).toEqual(
      new Set(packages.map((name) => `@temper/${name}`)),
    );
    for (const { attributes } of points) expect(attributes).toMatchObject({ tenant: 'acme' });
    expect(own.spans.map(({ name }) => name)).toContain('retry scoped.fetch_package');
    const names = new Set(points.map(({ attributes }) => attributes['temper.policy.name']));
    expect(names).toContain('scoped.registry_query_client');
    expect(names).toContain('scoped.registry_client');
    const elsewhere = (await pointsOf(registered)).filter(
      ({ scope, attributes }) =>
        scope !== '@temper/shutdown' && names.has(attributes['temper.policy.name']),
    );
    expect(elsewhere).toEqual([]);
    expect(registered.spans).toEqual([]);
    await it.clock.runUntil(it.made.shutdown());
    await own.close();
    await registered.close();
  });
});
