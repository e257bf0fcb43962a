import { context, diag, SpanStatusCode, trace } from '@opentelemetry/api';
import type { CallContext } from '@temper/core';
import { retry } from '@temper/retry';
import { ManualClock } from '@temper/testkit/clock';
import { InMemoryTelemetry } from '@temper/testkit/repository';
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
/** A policy name that no other test uses. */
const unique = (): string => `policy ${++made}`;
const count = (metric: string, name: string, more: Record<string, unknown> = {}) =>
  telemetry.value(metric, { 'temper.policy.name': name, ...more });
const reset = (): Error => Object.assign(new Error('reset'), { code: 'ECONNRESET' });

function span(name: string) {
  const found = telemetry.spans.filter((one) => one.name === name);
  expect(found).toHaveLength(1);
  return found[0] as NonNullable<(typeof found)[0]>;
}

describe('timeout', () => {
  it('counts its calls, and reports its limit', async () => {
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

  it('has a span for a call that timed out, of its duration, below the caller’s span', async () => {
    const name = unique();
    const policy = pipeline(
      { clock },
      retry({ name, clock, maxAttempts: 1, spans: 'all' }),
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

  it('has no span for a call in time, or with spans: none', async () => {
    const quiet = timeout({ name: unique(), timeoutMs: 10, spans: 'none', clock });
    await clock.runUntil(quiet.tryExecute(() => clock.sleep(100)));
    const policy = timeout({ name: unique(), clock });
    await policy.execute(() => 1);
    await policy.tryExecute(() => Promise.reject(reset()));
    expect(telemetry.spans).toEqual([]);
  });

  it('has a span around every operation with spans: all', async () => {
    const name = unique();
    const policy = pipeline(
      { clock },
      timeout({ name, clock, spans: 'all' }),
      retry({ name, clock, spans: 'all' }),
    );
    await policy.execute(() => 1);
    const outer = span(`timeout ${name}`);
    expect(outer.attributes).toMatchObject({ 'temper.outcome': 'success' });
    expect(outer.status.code).toBe(SpanStatusCode.UNSET);
    expect(span(`retry ${name}`).parentSpanContext?.spanId).toBe(outer.spanContext().spanId);
  });
});

describe('hedge', () => {
  it('counts its calls and attempts, and reports its delay', async () => {
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

  it('counts attempts that the budget refuses, and reports no computed delay', async () => {
    const name = unique();
    const budget = { deposit: () => {}, withdraw: () => false };
    const policy = hedge({ name, delayMs: () => 10, budget, clock });
    await clock.runUntil(policy.execute(() => clock.sleep(50)));
    const refused = await count('temper.hedge.attempts', name, { 'temper.outcome': 'refused' });
    expect(refused).toBe(1);
    expect(await count('temper.hedge.delay', name)).toBeUndefined();
  });

  it('reports the share of calls that it, or a timeout, has cut off, where they follow the latencies', async () => {
    const name = unique();
    const own = { clock: new ManualClock(), name };
    const observed = { quantile: 0.9, initialMs: 100, maxMs: 1000 };
    const policies = [
      hedge({ ...own, delayMs: observed }),
      timeout({ ...own, timeoutMs: observed }),
    ];
    for (const policy of policies) {
      for (const ms of [50, 50, 50, 500]) {
        let calls = 0;
        const operation = ({ signal }: CallContext): Promise<void> =>
          own.clock.sleep(++calls === 1 ? ms : 1, signal);
        await own.clock.runUntil(policy.tryExecute(operation));
      }
      expect(policy.stats()).toMatchObject({ cutOffShare: 0.25 });
    }
    expect(await count('temper.hedge.cut_off', name)).toBe(0.25);
    expect(await count('temper.timeout.cut_off', name)).toBe(0.25);
    const fixed = unique();
    expect(timeout({ name: fixed }).stats().cutOffShare).toBeUndefined();
    expect(hedge({ name: fixed, delayMs: 1 }).stats().cutOffShare).toBeUndefined();
    expect(await count('temper.hedge.cut_off', fixed)).toBeUndefined();
    expect(await count('temper.timeout.cut_off', fixed)).toBeUndefined();
  });

  it('has a span for each attempt beyond the first, as the parent of its work', async () => {
    const name = unique();
    const policy = pipeline(
      { clock },
      hedge({ name, delayMs: 10, clock }),
      retry({ name, clock, spans: 'all' }),
    );
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

  it('has a span for the first attempt too with spans: all', async () => {
    const name = unique();
    await hedge({ name, clock, spans: 'all' }).execute(() => 1);
    expect(span(`hedge ${name}`).attributes).toMatchObject({ 'temper.hedge.attempt': 1 });
  });

  it('does not mark a losing attempt, whatever error it hides the abort in', async () => {
    const name = unique();
    const policy = hedge({ name, delayMs: 10, clock });
    let calls = 0;
    await clock.runUntil(
      policy.execute(async ({ signal }) => {
        if (++calls === 1) return clock.sleep(100);
        return clock.sleep(500, signal).catch(() => Promise.reject(reset()));
      }),
    );
    expect(span(`hedge ${name}`).status.code).toBe(SpanStatusCode.UNSET);
  });

  it('marks the span of an attempt that failed, and not of one that lost', async () => {
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

describe('fallback', () => {
  it('counts its calls, and has a span for calls of the handler', async () => {
    const name = unique();
    const policy = fallback({
      name,
      handler: () => retry({ name, spans: 'all' }).execute(() => 2),
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

  it('marks its span when the handler fails too', async () => {
    const name = unique();
    const policy = fallback({ name, handler: () => Promise.reject(new TypeError('too')) });
    await policy.tryExecute(() => Promise.reject(reset()));
    expect(span(`fallback ${name}`)).toMatchObject({
      attributes: { 'error.type': 'TypeError' },
      status: { code: SpanStatusCode.ERROR },
    });
  });
});

describe('cached', () => {
  it('counts the origins of answers, and reports how many it holds', async () => {
    const name = unique();
    const policy = cached({ name, maxKeys: 1, clock });
    await policy.execute(() => 1, { key: 'a' });
    await policy.execute(() => 1, { key: 'b' });
    await clock.advance(2500);
    await policy.execute(() => Promise.reject(reset()), { key: 'b', operation: 'find' });
    const by = (outcome: string) =>
      count('temper.cache.calls', name, { 'temper.outcome': outcome });
    expect([await by('success'), await by('stale'), await by('hit')]).toEqual([2, 1, 0]);
    expect(await count('temper.cache.evictions', name)).toBe(1);
    expect(await count('temper.cache.keys', name)).toBe(1);
    expect(span(`cache ${name}`)).toMatchObject({
      attributes: {
        'temper.cache.age': 2.5,
        'error.type': 'ECONNRESET',
        'temper.operation': 'find',
      },
      status: { code: SpanStatusCode.UNSET },
    });
    policy[Symbol.dispose]();
    expect(await count('temper.cache.keys', name)).toBe(0);
  });
});

describe('chaos', () => {
  it('reports each injection as a span and in metrics', async () => {
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

  it('reports nothing while it is not enabled', async () => {
    const name = unique();
    await chaos({ name, fault: { rate: 1 } }).execute(() => 1);
    expect(await count('temper.chaos.injections', name, { 'temper.chaos.kind': 'fault' })).toBe(0);
    expect(telemetry.spans).toEqual([]);
  });
});

describe('pipelines', () => {
  it('counts reloads, and reports calls in flight, replaced revisions included', async () => {
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

describe('a call that shares the run of another', () => {
  it.each(['all', 'failures'] as const)(
    "has a span that links to the span of the work, where it has one, with spans: '%s'",
    async (spans) => {
      const policy = cached({ name: unique(), clock, spans, singleFlight: true, key: () => 'k' });
      const tracer = trace.getTracer('test');
      const callers = ['first', 'second'].map((name) => tracer.startSpan(name));
      const calls = callers.map((caller) =>
        context.with(trace.setSpan(context.active(), caller), () =>
          policy.execute(async () => {
            const work = tracer.startSpan('work');
            await clock.sleep(10);
            work.end();
            return 1;
          }),
        ),
      );
      await clock.advance(10);
      await Promise.all(calls);
      const found = telemetry.spans.filter(({ name }) => name === `cache ${policy.name}`);
      const work = telemetry.spans.filter(({ name }) => name === 'work').at(-1);
      const links = found.map((span) => span.links.map(({ context: to }) => to.spanId));
      expect(links.toSorted((a, b) => a.length - b.length)).toEqual(
        spans === 'all' ? [[], [work?.parentSpanContext?.spanId]] : [],
      );
    },
  );
});

describe('onTimeout', () => {
  it('is called below the span of its own caller', async () => {
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

describe('an error thrown by a user’s function', () => {
  it('is logged on diag with the policy and the option', async () => {
    const logged: string[] = [];
    const silent = (): void => {};
    const log = (...said: unknown[]): void => void logged.push(said.map(String).join(' '));
    diag.setLogger({ error: log, warn: log, info: silent, debug: silent, verbose: silent });
    const thrown = (): never => {
      throw new Error('thrown by the user');
    };
    const fails = () => Promise.reject(reset());
    const hedged = (options: object) => hedge({ name: 'h', delayMs: 1, clock, ...options });
    await clock.runUntil(hedged({ delayMs: thrown }).execute(() => clock.sleep(5)));
    await clock.runUntil(hedged({ onHedge: thrown }).execute(() => clock.sleep(5)));
    await hedged({ shouldHandle: thrown }).tryExecute(fails);
    await fallback({ name: 'f', handler: () => 1, onFallback: thrown }).execute(fails);
    await chaos({ name: 'c', enabled: thrown }).execute(() => 1);
    await chaos({ name: 'c', enabled: (async () => true) as never }).execute(() => 1);
    const cache = cached({ name: 'k', key: () => 'k', isCacheable: thrown });
    await cache.execute(() => 1);
    const timed = timeout({ name: 't', timeoutMs: 5, clock, onTimeout: thrown });
    await clock.runUntil(timed.tryExecute(() => clock.sleep(10)));
    const expected = [
      ['h', 'delayMs'],
      ['h', 'onHedge'],
      ['h', 'shouldHandle'],
      ['f', 'onFallback'],
      ['c', 'enabled'],
      ['c', 'enabled'],
      ['k', 'isCacheable'],
      ['t', 'onTimeout'],
    ];
    expect(logged).toHaveLength(expected.length);
    for (const [index, [policy, option]] of expected.entries()) {
      expect(logged[index]).toMatch(new RegExp(`^${policy}: ${option} threw an error`));
    }
  });
});

describe('the definitions', () => {
  it('have unique names and valid units', () => {
    const names = RECOVERY_METRICS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(RECOVERY_SPANS.map(({ name }) => name)).size).toBe(RECOVERY_SPANS.length);
    for (const { name, unit, instrument } of RECOVERY_METRICS) {
      expect(name).toMatch(/^temper\.[a-z_.]+$/);
      expect(unit).toMatch(instrument === 'histogram' ? /^s$/ : /^(s|1|\{[a-z]+\})$/);
    }
  });

  it('export what was counted before the SDK was registered', async () => {
    await telemetry.close();
    const name = unique();
    await timeout({ name }).execute(() => 1);
    telemetry = new InMemoryTelemetry();
    expect(await count('temper.timeout.calls', name, { 'temper.outcome': 'success' })).toBe(1);
  });
});
