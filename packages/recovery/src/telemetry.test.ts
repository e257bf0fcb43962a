import { context, diag, SpanStatusCode, trace } from '@opentelemetry/api';
import { retry } from '@temper/retry';
import { InMemoryTelemetry } from '@temper/testkit';
import { ManualClock } from '@temper/testkit/clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cached } from './cached/cached.ts';
import { chaos } from './chaos/chaos.ts';
import { fallback } from './fallback/fallback.ts';
import { resilientFetch } from './fetch/resilient-fetch.ts';
import { hedge } from './hedge/hedge.ts';
import { pipeline } from './pipeline/pipeline.ts';
import { pipelines } from './pipelines/pipelines.ts';
import { RECOVERY_METRICS, RECOVERY_SPANS } from './semconv.ts';
import { timeout } from './timeout/timeout.ts';

let telemetry: InMemoryTelemetry;
let clock: ManualClock;
beforeEach(() => {
  telemetry = new InMemoryTelemetry();
  clock = new ManualClock();
});
afterEach(() => telemetry.close());

let made = 0;
/** A name that no other test counts under. */
const unique = (): string => `policy ${++made}`;
const count = (metric: string, name: string, more: Record<string, unknown> = {}) =>
  telemetry.value(metric, { 'temper.policy.name': name, ...more });
const reset = (): Error => Object.assign(new Error('reset'), { code: 'ECONNRESET' });

function span(name: string) {
  const found = telemetry.spans.filter((one) => one.name === name);
  expect(found).toHaveLength(1);
  return found[0] as NonNullable<(typeof found)[0]>;
}

describe('a timeout', () => {
  it('counts its calls, and shows its limit', async () => {
    const name = unique();
    const policy = timeout({ name, timeoutMs: 100, clock });
    await policy.execute(() => 1);
    await policy.tryExecute(() => Promise.reject(new Error('x')));
    await clock.runUntil(policy.tryExecute(() => clock.sleep(1000)));
    for (const outcome of ['success', 'failure', 'timeout']) {
      expect(await count('temper.timeout.calls', name, { 'temper.outcome': outcome })).toBe(1);
    }
    expect(await count('temper.timeout.limit', name)).toBe(0.1);
    policy[Symbol.dispose]();
    expect(await count('temper.timeout.limit', name)).toBe(0);
    expect(await count('temper.timeout.calls', name, { 'temper.outcome': 'timeout' })).toBe(1);
  });

  it('makes a span of what it gives up on, as long as it took, below its caller', async () => {
    const name = unique();
    const policy = pipeline(
      { clock },
      retry({ name, clock, maxAttempts: 1 }),
      timeout({ name, timeoutMs: 100, clock }),
    );
    await clock.runUntil(policy.tryExecute(() => clock.sleep(1000), { operation: 'fetch' }));
    const given = span(`timeout ${name}`);
    expect(given.attributes).toMatchObject({
      'temper.policy.name': name,
      'temper.operation': 'fetch',
      'temper.timeout.limit': 0.1,
      'error.type': 'OPERATION_TIMEOUT',
    });
    expect(given.status.code).toBe(SpanStatusCode.ERROR);
    expect(given.duration).toEqual([0, 100_000_000]);
    expect(given.parentSpanContext?.spanId).toBe(span('attempt').spanContext().spanId);
  });

  it('makes no span when it has nothing to do, or is told not to', async () => {
    const quiet = timeout({ name: unique(), timeoutMs: 10, spans: 'none', clock });
    await clock.runUntil(quiet.tryExecute(() => clock.sleep(100)));
    await timeout({ name: unique(), clock }).execute(() => 1);
    expect(telemetry.spans).toEqual([]);
  });
});

describe('a hedge', () => {
  it('counts its calls and tries, and shows its delay', async () => {
    const name = unique();
    const policy = hedge({ name, delayMs: 100, clock });
    await policy.execute(() => 1);
    await clock.runUntil(policy.execute(({ signal }) => clock.sleep(150, signal)));
    await clock.runUntil(policy.tryExecute(() => Promise.reject(reset())));
    const by = (outcome: string) =>
      count('temper.hedge.calls', name, { 'temper.outcome': outcome });
    expect([await by('success'), await by('hedged'), await by('failure')]).toEqual([2, 0, 1]);
    const tries = await count('temper.hedge.attempts', name, { 'temper.outcome': 'started' });
    expect(tries).toBe(2);
    expect(await count('temper.hedge.delay', name)).toBe(0.1);
    policy[Symbol.dispose]();
    expect(await count('temper.hedge.delay', name)).toBe(0);
  });

  it('counts tries that the budget refuses, and shows no delay that is computed', async () => {
    const name = unique();
    const budget = { deposit: () => {}, withdraw: () => false };
    const policy = hedge({ name, delayMs: () => 10, budget, clock });
    await clock.runUntil(policy.execute(() => clock.sleep(50)));
    const refused = await count('temper.hedge.attempts', name, { 'temper.outcome': 'refused' });
    expect(refused).toBe(1);
    expect(await count('temper.hedge.delay', name)).toBeUndefined();
  });

  it('makes a span of each other try, with what it does below it', async () => {
    const name = unique();
    const policy = pipeline({ clock }, hedge({ name, delayMs: 10, clock }), retry({ name, clock }));
    let calls = 0;
    await clock.runUntil(
      policy.execute(({ signal }) => clock.sleep(++calls === 1 ? 500 : 5, signal)),
    );
    const other = span(`hedge ${name}`);
    expect(other.attributes).toMatchObject({ 'temper.hedge.attempt': 2 });
    expect(other.status.code).toBe(SpanStatusCode.UNSET);
    const retries = telemetry.spans.filter((one) => one.name === `retry ${name}`);
    expect(retries.map((one) => one.parentSpanContext?.spanId)).toContain(
      other.spanContext().spanId,
    );
  });

  it('marks the span of a try that failed, and not that of one that lost', async () => {
    const name = unique();
    const policy = hedge({ name, delayMs: 10, maxAttempts: 3, clock });
    let calls = 0;
    await clock.runUntil(
      policy.execute(async ({ signal }) => {
        const call = ++calls;
        await clock.sleep([100, 5, 500][call - 1] as number, signal);
        if (call === 2) throw reset();
      }),
    );
    const spans = telemetry.spans.filter((one) => one.name === `hedge ${name}`);
    const status = Object.fromEntries(
      spans.map((one) => [one.attributes['temper.hedge.attempt'], one.status.code]),
    );
    expect(status).toEqual({ 2: SpanStatusCode.ERROR, 3: SpanStatusCode.UNSET });
  });
});

describe('a fallback', () => {
  it('counts its calls, and makes a span when it is at work', async () => {
    const name = unique();
    const policy = fallback({
      name,
      handler: () => pipeline({}, retry({ name })).execute(() => 2),
    });
    await policy.execute(() => 1);
    await policy.execute(() => Promise.reject(reset()));
    const by = (outcome: string) =>
      count('temper.fallback.calls', name, { 'temper.outcome': outcome });
    expect([await by('success'), await by('fallback'), await by('failure')]).toEqual([1, 1, 0]);
    const work = span(`fallback ${name}`);
    expect(work.attributes).toMatchObject({ 'error.type': 'ECONNRESET' });
    expect(work.status.code).toBe(SpanStatusCode.UNSET);
    expect(span(`retry ${name}`).parentSpanContext?.spanId).toBe(work.spanContext().spanId);
  });

  it('marks its span when it fails too', async () => {
    const name = unique();
    const policy = fallback({ name, handler: () => Promise.reject(new TypeError('too')) });
    await policy.tryExecute(() => Promise.reject(reset()));
    expect(span(`fallback ${name}`)).toMatchObject({
      attributes: { 'error.type': 'TypeError' },
      status: { code: SpanStatusCode.ERROR },
    });
  });
});

describe('a cache', () => {
  it('counts where answers came from, and shows how many it holds', async () => {
    const name = unique();
    const policy = cached({ name, maxKeys: 1, clock });
    await policy.execute(() => 1, { operation: 'a' });
    await policy.execute(() => 1, { operation: 'b' });
    await clock.advance(2500);
    await policy.execute(() => Promise.reject(reset()), { operation: 'b' });
    const by = (outcome: string) =>
      count('temper.cache.calls', name, { 'temper.outcome': outcome });
    expect([await by('success'), await by('stale'), await by('hit')]).toEqual([2, 1, 0]);
    expect(await count('temper.cache.evictions', name)).toBe(1);
    expect(await count('temper.cache.keys', name)).toBe(1);
    expect(span(`cache ${name}`)).toMatchObject({
      attributes: { 'temper.cache.age': 2.5, 'error.type': 'ECONNRESET', 'temper.operation': 'b' },
      status: { code: SpanStatusCode.UNSET },
    });
    policy[Symbol.dispose]();
    expect(await count('temper.cache.keys', name)).toBe(0);
  });
});

describe('chaos', () => {
  it('says in span and metric that it was it', async () => {
    const name = unique();
    const always = { rate: 1 };
    const latency = { ...always, delayMs: 10 };
    const policy = chaos({ name, enabled: true, latency, fault: always, clock });
    await clock.runUntil(policy.tryExecute(() => 1));
    const other = chaos({ name, enabled: true, result: { rate: 1, value: () => 2 }, clock });
    await other.execute(() => 1);
    for (const kind of ['latency', 'fault', 'result']) {
      expect(await count('temper.chaos.injections', name, { 'temper.chaos.kind': kind })).toBe(1);
    }
    const spans = telemetry.spans.filter((one) => one.name === `chaos ${name}`);
    expect(spans.map((one) => one.attributes['temper.chaos.kind'])).toEqual([
      'latency',
      'fault',
      'result',
    ]);
    expect(spans[0]?.duration).toEqual([0, 10_000_000]);
    expect(spans.every((one) => one.status.code === SpanStatusCode.UNSET)).toBe(true);
  });

  it('says nothing while it is off', async () => {
    const name = unique();
    await chaos({ name, fault: { rate: 1 } }).execute(() => 1);
    expect(await count('temper.chaos.injections', name, { 'temper.chaos.kind': 'fault' })).toBe(0);
    expect(telemetry.spans).toEqual([]);
  });
});

describe('named pipelines', () => {
  it('count reloads, and show calls under way, replaced revisions included', async () => {
    const name = unique();
    const registry = pipelines({ define: { [name]: [] }, clock });
    const policy = registry.get(name);
    const calls = [policy?.execute(() => clock.sleep(10))];
    registry.reload(name, [{ timeout: { timeoutMs: 5 } }]);
    calls.push(policy?.execute(() => clock.sleep(1)));
    expect(() => registry.reload(name, [{ timeout: { timeoutMs: 0 } }])).toThrow();
    expect(await count('temper.pipeline.in_flight', name)).toBe(2);
    const by = (outcome: string) =>
      count('temper.pipeline.reloads', name, { 'temper.outcome': outcome });
    expect([await by('applied'), await by('rejected')]).toEqual([1, 1]);
    await clock.advance(10);
    await Promise.all(calls);
    expect(await count('temper.pipeline.in_flight', name)).toBe(0);
  });
});

describe('a fetch', () => {
  it('counts what it did not send', async () => {
    const name = unique();
    const hang = (): Promise<Response> => new Promise(() => {});
    const fetch = resilientFetch({ name, maxInFlight: 1, clock, fetch: hang });
    void fetch('http://origin.example/');
    await expect(fetch('http://origin.example/')).rejects.toMatchObject({
      code: 'TOO_MANY_IN_FLIGHT',
    });
    expect(await count('temper.fetch.rejected', name)).toBe(1);
  });
});

describe('the listener of a timeout', () => {
  it('is called at its caller’s place in the trace', async () => {
    const seen: (string | undefined)[] = [];
    const onTimeout = (): void => void seen.push(trace.getActiveSpan()?.spanContext().spanId);
    const policy = timeout({ name: unique(), timeoutMs: 10, clock, onTimeout });
    const callers = ['first', 'second'].map((name) => trace.getTracer('test').startSpan(name));
    const calls = callers.map((caller) =>
      context.with(trace.setSpan(context.active(), caller), () =>
        policy.tryExecute(() => clock.sleep(100)),
      ),
    );
    await clock.advance(100);
    await Promise.all(calls);
    expect(seen).toEqual(callers.map((caller) => caller.spanContext().spanId));
  });
});

describe('what user code throws', () => {
  it('is reported on the diagnostics, wherever it is thrown', async () => {
    const reported: unknown[] = [];
    const silent = (): void => {};
    const logger = { error: (...said: unknown[]) => void reported.push(said[1]) };
    const levels = { warn: silent, info: silent, debug: silent, verbose: silent };
    diag.setLogger({ ...levels, ...logger });
    const thrown = (message: string) => (): never => {
      throw new Error(message);
    };
    const fails = () => Promise.reject(reset());
    await clock.runUntil(hedge({ delayMs: thrown('delay'), clock }).execute(() => clock.sleep(5)));
    await hedge({ isHedgeable: thrown('predicate'), clock }).tryExecute(fails);
    await fallback({ handler: () => 1, onFallback: thrown('listener') }).execute(fails);
    await chaos({ enabled: thrown('switch') }).execute(() => 1);
    await chaos({ enabled: (async () => true) as never }).execute(() => 1);
    expect(reported.map((error) => (error as Error).message)).toEqual([
      'delay',
      'predicate',
      'listener',
      'switch',
      'A predicate must answer at once; this one returned a promise.',
    ]);
  });
});

describe('the definitions', () => {
  it('hold every metric and span that the tests above have seen, once', () => {
    const names = RECOVERY_METRICS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(RECOVERY_SPANS.map(({ name }) => name)).size).toBe(RECOVERY_SPANS.length);
    for (const { name, unit, instrument } of RECOVERY_METRICS) {
      expect(name).toMatch(/^temper\.[a-z_.]+$/);
      expect(unit).toMatch(instrument === 'histogram' ? /^s$/ : /^(s|1|\{[a-z]+\})$/);
    }
  });

  it('are of counters that know what was counted before the SDK came', async () => {
    await telemetry.close();
    const name = unique();
    await timeout({ name }).execute(() => 1);
    telemetry = new InMemoryTelemetry();
    expect(await count('temper.timeout.calls', name, { 'temper.outcome': 'success' })).toBe(1);
  });
});
