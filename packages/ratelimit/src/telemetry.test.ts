import { SpanStatusCode, trace } from '@opentelemetry/api';
import { ManualClock, seededRandom, settle } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adaptiveConcurrency } from './adaptive/adaptive-concurrency.ts';
import { keyed } from './keyed/keyed.ts';
import { concurrency } from './limiters/concurrency.ts';
import { fixedWindow } from './limiters/fixed-window.ts';
import { tokenBucket } from './limiters/token-bucket.ts';
import { RATELIMIT_METRICS } from './semconv.ts';
import { throttle } from './throttle/throttle.ts';

let clock: ManualClock;
let telemetry: InMemoryTelemetry;
let names = 0;
/** Series live as long as the process: every test has names of its own. */
let name: string;
beforeEach(() => {
  clock = new ManualClock();
  telemetry = new InMemoryTelemetry();
  name = `limiter-${names++}`;
});
afterEach(() => telemetry.close());

const requests = async (outcome: string, reason?: string) =>
  telemetry.value('temper.ratelimit.requests', {
    'temper.policy.name': name,
    'temper.outcome': outcome,
    ...(reason === undefined ? {} : { 'temper.ratelimit.reason': reason }),
  });
const level = async (metric: string) =>
  telemetry.value(`temper.ratelimit.${metric}`, { 'temper.policy.name': name });

describe('metrics', () => {
  it('count requests by outcome and reason', async () => {
    const limiter = tokenBucket({ name, clock, burst: 2, maxQueue: 2 });
    limiter.tryAcquire();
    await limiter.execute(() => 1);
    limiter.tryAcquire();
    const waiting = limiter.acquire();
    const controller = new AbortController();
    const aborted = limiter.acquire({ signal: controller.signal }).catch(() => undefined);
    await limiter.acquire().catch(() => undefined);
    await settle();
    controller.abort();
    await limiter.acquire({ maxWaitMs: 1 }).catch(() => undefined);
    await limiter.acquire({ cost: 3 }).catch(() => undefined);
    await clock.advance(600);
    await Promise.all([waiting, aborted]);
    expect(await requests('allowed')).toBe(2);
    expect(await requests('delayed')).toBe(1);
    expect(await requests('aborted')).toBe(1);
    expect(await requests('rejected', 'limit')).toBe(1);
    expect(await requests('rejected', 'queue-full')).toBe(1);
    expect(await requests('rejected', 'deadline')).toBe(1);
    expect(await requests('rejected', 'cost')).toBe(1);
    const { allowed, delayed, rejected, aborted: gone } = limiter.stats();
    expect({ allowed, delayed, rejected, gone }).toEqual({
      allowed: 2,
      delayed: 1,
      rejected: 4,
      gone: 1,
    });
  });

  it('count what happened before a provider was registered', async () => {
    await telemetry.close();
    const limiter = tokenBucket({ name, clock });
    limiter.tryAcquire();
    telemetry = new InMemoryTelemetry();
    expect(await requests('allowed')).toBe(1);
  });

  it('measure the duration of waits only', async () => {
    const limiter = tokenBucket({ name, clock, burst: 1, maxQueue: 1 });
    await limiter.acquire();
    const waiting = limiter.acquire();
    await limiter.acquire().catch(() => undefined);
    await clock.advance(600);
    await waiting;
    const points = await telemetry.points('temper.ratelimit.wait.duration', {
      'temper.policy.name': name,
    });
    expect(points).toHaveLength(1);
    expect(points[0]).toMatchObject({
      attributes: { 'temper.outcome': 'delayed' },
      value: { count: 1, sum: 0.6 },
    });
  });

  it('show levels at the time of reading, until the limiter is disposed of', async () => {
    const limiter = tokenBucket({ name, clock });
    limiter.tryAcquire({ cost: 10 });
    void limiter.acquire();
    await settle();
    expect(await level('available')).toBeCloseTo(0);
    expect(await level('limit')).toBe(100);
    expect(await level('queued')).toBe(1);
    await clock.advance(3600);
    expect(await level('available')).toBeCloseTo(5);
    expect(await level('queued')).toBe(0);
    limiter[Symbol.dispose]();
    expect(await level('available')).toBeNaN();
    expect(await requests('delayed')).toBe(1);
  });

  it('show permits in use, keys, evictions and the rejection ratio', async () => {
    const bulkhead = concurrency({ name, clock, limit: 3 });
    bulkhead.tryAcquire({ cost: 2 });
    expect(await level('in_flight')).toBe(2);
    expect(await level('available')).toBe(1);
    bulkhead[Symbol.dispose]();

    name += '-keyed';
    const byKey = keyed({ template: fixedWindow({ name, clock }), maxKeys: 2 });
    for (const key of ['a', 'b', 'c', 'd']) byKey.tryAcquire({ key });
    expect(await level('keys')).toBe(2);
    expect(await level('evictions')).toBe(2);
    expect(await level('available')).toBeUndefined();
    expect(await requests('allowed')).toBe(4);

    name += '-throttle';
    const policy = throttle({ name, clock, random: seededRandom(1) });
    const busy = Object.assign(new Error('busy'), { status: 503 });
    for (let i = 0; i < 20; i++) await policy.tryExecute(() => Promise.reject(busy));
    expect(await level('rejection.ratio')).toBe(0.9);
    expect(await requests('rejected', 'shed')).toBe(policy.stats().rejected);
  });

  it('show the limit of an adaptive limiter as it moves', async () => {
    const limiter = adaptiveConcurrency({ name, clock, algorithm: 'aimd', backoffRatio: 0.5 });
    expect(await level('limit')).toBe(10);
    limiter.tryAcquire()?.overloaded();
    expect(await level('limit')).toBe(5);
    expect(await requests('allowed')).toBe(1);
  });

  it('count the calls of limiters per key under their common name, removed keys included', async () => {
    const perKey = keyed({
      limiter: () => tokenBucket({ name, clock, burst: 1, maxQueue: 0 }),
      name: `${name}-keyed`,
      maxKeys: 2,
    });
    for (const key of ['a', 'a', 'b', 'c']) perKey.tryAcquire({ key });
    await perKey.tryExecute(() => 1, { key: 'c' });
    expect(await requests('allowed')).toBe(3);
    expect(await requests('rejected', 'limit')).toBe(2);
    expect(await level('available')).toBeUndefined();
    expect(perKey.stats()).toMatchObject({ allowed: 3, rejected: 2, evictions: 1 });
    name += '-keyed';
    expect(await level('keys')).toBe(2);
    expect(await level('evictions')).toBe(1);
  });

  it('count calls refused because all keys are in use', async () => {
    const perKey = keyed({
      limiter: () => concurrency({ name: `${name}-permits`, clock, limit: 1 }),
      name,
      maxKeys: 1,
    });
    const lease = perKey.tryAcquire({ key: 'a' });
    expect(perKey.tryAcquire({ key: 'b' })).toBeUndefined();
    await perKey.tryExecute(() => 1, { key: 'b' });
    expect(await requests('rejected', 'keys')).toBe(2);
    lease?.release();
  });

  it('carry no key, and neither do spans', async () => {
    const byKey = keyed({ template: tokenBucket({ name, clock, burst: 1 }) });
    const key = 'somebody@example.org';
    byKey.tryAcquire({ key });
    await byKey.tryExecute(() => 1, { key, timeoutMs: 0 });
    await byKey.acquire({ key, maxWaitMs: 1 }).catch(() => undefined);
    const all = JSON.stringify([...(await telemetry.metrics())]);
    expect(all).toContain(name);
    expect(all).not.toContain('somebody');
    const spans = telemetry.spans.map(({ name: span, attributes }) => ({ span, attributes }));
    expect(spans).toHaveLength(1);
    expect(JSON.stringify(spans)).not.toContain('somebody');
  });

  it('are those of the semantic conventions only', async () => {
    const limiter = concurrency({ name, clock, limit: 1, maxQueue: 0 });
    limiter.tryAcquire();
    limiter.tryAcquire();
    const known = new Map(RATELIMIT_METRICS.map((metric) => [metric.name, metric]));
    for (const [metric, data] of await telemetry.metrics()) {
      const definition = known.get(metric);
      expect(definition, metric).toBeDefined();
      expect(data.descriptor.unit).toBe(definition?.unit);
      for (const { attributes } of data.dataPoints) {
        for (const [attribute, value] of Object.entries(attributes)) {
          const stated = definition?.attributes.find((one) => one.name === attribute);
          expect(stated, `${metric} ${attribute}`).toBeDefined();
          if (stated?.values !== undefined) expect(stated.values).toContain(value);
        }
      }
    }
  });
});

describe('spans', () => {
  const run = async (limiter: ReturnType<typeof tokenBucket>) => {
    await limiter.execute(() => 1);
    const waiting = limiter.execute(() => 1, {
      operation: 'send_mail',
      attributes: { tenant: 'x' },
    });
    await settle();
    await limiter.execute(() => 1).catch(() => undefined);
    await clock.advance(600);
    await waiting;
  };

  it('exist where a call waits or is refused only, with spans: all', async () => {
    const limiter = tokenBucket({ name, clock, burst: 1, maxQueue: 1, spans: 'all' });
    await run(limiter);
    expect(telemetry.spans).toHaveLength(2);
    const [refused, waited] = telemetry.spans;
    expect(refused).toMatchObject({
      name: `ratelimit ${name}`,
      status: { code: SpanStatusCode.ERROR },
      attributes: {
        'temper.policy.name': name,
        'temper.outcome': 'rejected',
        'temper.ratelimit.reason': 'queue-full',
        'temper.ratelimit.cost': 1,
        'temper.ratelimit.retry_after': 0.6,
        'error.type': 'RATE_LIMIT_EXCEEDED',
      },
    });
    expect(waited).toMatchObject({
      status: { code: SpanStatusCode.UNSET },
      attributes: { 'temper.outcome': 'delayed', 'temper.operation': 'send_mail', tenant: 'x' },
    });
    expect(waited!.events).toEqual([]);
  });

  it('are children of the active span, and not parents of the operation', async () => {
    const limiter = tokenBucket({ name, clock, burst: 1, spans: 'all' });
    limiter.tryAcquire();
    const tracer = trace.getTracer('test');
    let inside: string | undefined;
    const root = await tracer.startActiveSpan('root', async (span) => {
      const call = limiter.execute(() => {
        inside = trace.getActiveSpan()?.spanContext().spanId;
      });
      await clock.advance(600);
      await call;
      span.end();
      return span.spanContext().spanId;
    });
    const wait = telemetry.spans.find((span) => span.name.startsWith('ratelimit'));
    expect(wait?.parentSpanContext?.spanId).toBe(root);
    expect(inside).toBe(root);
  });

  it('exist for refusals only by default, and can be turned off', async () => {
    await run(tokenBucket({ name, clock, burst: 1, maxQueue: 1 }));
    expect(telemetry.spans.map((span) => span.attributes['temper.outcome'])).toEqual(['rejected']);
    telemetry.reset();
    await run(tokenBucket({ name, clock, burst: 1, maxQueue: 1, spans: 'none' }));
    expect(telemetry.spans).toEqual([]);
  });

  it('of an aborted wait are not errors', async () => {
    const limiter = tokenBucket({ name, clock, burst: 1, spans: 'all' });
    limiter.tryAcquire();
    const controller = new AbortController();
    const call = limiter.execute(() => 1, { signal: controller.signal }).catch(() => undefined);
    await settle();
    controller.abort();
    await call;
    expect(telemetry.spans).toHaveLength(1);
    expect(telemetry.spans[0]).toMatchObject({
      status: { code: SpanStatusCode.UNSET },
      attributes: { 'temper.outcome': 'aborted' },
    });
  });
});
