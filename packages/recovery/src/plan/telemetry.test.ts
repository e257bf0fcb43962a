import { SpanStatusCode, trace } from '@opentelemetry/api';
import { ManualClock } from '@temper/testkit/clock';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recoveries } from './recoveries.ts';
import { recover } from './recovery.ts';

let telemetry: InMemoryTelemetry;
let clock: ManualClock;
beforeEach(() => {
  telemetry = new InMemoryTelemetry();
  clock = new ManualClock();
});
afterEach(() => telemetry.close());

let made = 0;
/** A name that no other test uses. */
const unique = (): string => `policy ${++made}`;
const count = (metric: string, name: string, more: Record<string, unknown> = {}) =>
  telemetry.value(metric, { 'temper.policy.name': name, ...more });
const reset = (): Error => Object.assign(new Error('reset'), { code: 'ECONNRESET' });

function span(name: string) {
  const found = telemetry.spans.filter((one) => one.name === name);
  expect(found).toHaveLength(1);
  return found[0] as NonNullable<(typeof found)[0]>;
}

/** Names of the spans around this one, the nearest first. */
function ancestors(from: (typeof telemetry.spans)[number]): string[] {
  const parent = telemetry.spans.find(
    (one) => one.spanContext().spanId === from.parentSpanContext?.spanId,
  );
  return parent === undefined ? [] : [parent.name, ...ancestors(parent)];
}

describe('a recovery', () => {
  it('counts and times its executions, by strategy and outcome', async () => {
    const operation = unique();
    const strategy = ['retry', 'fallback'] as const;
    const plan = recover({ operation, strategy, fallback: () => 2 }, { clock });
    await plan.execute(() => 1);
    await clock.runUntil(plan.execute(() => Promise.reject(reset())));
    const where = { 'temper.recovery.strategy': 'retry+fallback' };
    const by = (outcome: string) =>
      count('temper.recovery.executions', operation, { ...where, 'temper.outcome': outcome });
    expect([await by('success'), await by('recovered'), await by('failure')]).toEqual([1, 1, 0]);
    const took = await count('temper.recovery.execution.duration', operation, {
      'temper.outcome': 'recovered',
    });
    expect(took).toMatchObject({ count: 1 });
    expect((took as { sum: number }).sum).toBeGreaterThan(0.5);
  });

  it('has a span around all its calls: unset when it was recovered, ERROR when it failed', async () => {
    const saved = unique();
    const plan = recover(
      { operation: saved, spans: 'all', strategy: 'fallback', fallback: () => 2 },
      { clock },
    );
    await plan.execute(() => Promise.reject(reset()), { attributes: { tenant: 'a' } });
    expect(span(`recovery ${saved}`)).toMatchObject({
      attributes: {
        tenant: 'a',
        'temper.policy.name': saved,
        'temper.operation': saved,
        'temper.recovery.strategy': 'fallback',
        'temper.outcome': 'recovered',
        'temper.recovery.recovered_by': 'fallback',
      },
      status: { code: SpanStatusCode.UNSET },
    });
    const lost = unique();
    const retrying = recover({ operation: lost, spans: 'all' }, { clock });
    await clock.runUntil(retrying.execute(() => Promise.reject(reset())));
    const whole = span(`recovery ${lost}`);
    expect(whole).toMatchObject({
      attributes: { 'temper.outcome': 'failure', 'error.type': 'ECONNRESET' },
      status: { code: SpanStatusCode.ERROR },
    });
    expect(ancestors(span(`retry ${lost}`))).toContain(whole.name);
  });

  it('has spans only for failures by default, dated back, and none in mode none', async () => {
    const operation = unique();
    const plan = recover({ operation, strategy: 'circuit_break' }, { clock });
    await plan.execute(() => 1);
    expect(telemetry.spans.filter((one) => one.name.startsWith('recovery'))).toEqual([]);
    await clock.runUntil(
      plan.execute(async () => {
        await clock.sleep(250);
        throw reset();
      }),
    );
    expect(span(`recovery ${operation}`).duration).toEqual([0, 250_000_000]);
    const none = recover(
      { operation: unique(), spans: 'none', strategy: 'circuit_break' },
      { clock },
    );
    telemetry.reset();
    await none.execute(() => Promise.reject(reset()));
    expect(telemetry.spans.filter((one) => one.name.startsWith('recovery'))).toEqual([]);
  });

  it('removes its gauges when it is disposed of', async () => {
    const operation = unique();
    const plan = recover({ operation }, { clock });
    expect(await count('temper.timeout.limit', operation)).toBe(5);
    plan[Symbol.dispose]();
    expect(await count('temper.timeout.limit', operation)).toBe(0);
    expect(await count('temper.timeout.limit', `${operation} handler`)).toBe(0);
  });

  it('counts operations without a plan under one name', async () => {
    const manager = recoveries({ clock });
    const where = { 'temper.recovery.strategy': 'none', 'temper.outcome': 'success' };
    const before = (await count('temper.recovery.executions', 'unplanned', where)) as number;
    await manager.run(unique(), () => 1);
    await manager.run(unique(), () => 1);
    expect(await count('temper.recovery.executions', 'unplanned', where)).toBe(before + 2);
  });

  it('has a span dated back for a recovered execution, with the handler’s work below it', async () => {
    const operation = unique();
    const plan = recover(
      {
        operation,
        strategy: 'fallback',
        fallback: () => trace.getTracer('test').startSpan('handler').end(),
      },
      { clock },
    );
    await plan.execute(() => Promise.reject(reset()));
    const whole = span(`recovery ${operation}`);
    expect(whole).toMatchObject({
      attributes: { 'temper.outcome': 'recovered', 'temper.recovery.recovered_by': 'fallback' },
      status: { code: SpanStatusCode.UNSET },
    });
    expect(span('handler').parentSpanContext?.spanId).toBe(whole.spanContext().spanId);
  });

  it('counts in the integers that stats() reads', async () => {
    const operation = unique();
    const plan = recover({ operation, strategy: 'circuit_break' }, { clock });
    await plan.execute(() => 1);
    await plan.execute(() => Promise.reject(reset()));
    await plan.execute(() => 1, { timeoutMs: -1 });
    const { executions } = plan.stats();
    expect(executions).toMatchObject({ success: 1, failure: 2 });
    for (const [outcome, value] of Object.entries(executions)) {
      const where = { 'temper.recovery.strategy': 'circuit_break', 'temper.outcome': outcome };
      expect(await count('temper.recovery.executions', operation, where)).toBe(value);
    }
  });

  it('has a span for an execution whose options were refused', async () => {
    const operation = unique();
    await recover({ operation }, { clock }).execute(() => 1, { cost: 'high' as never });
    expect(span(`recovery ${operation}`)).toMatchObject({
      attributes: { 'temper.outcome': 'failure', 'error.type': 'TypeError' },
      status: { code: SpanStatusCode.ERROR },
    });
  });

  it('has neither passwords nor control characters in a span’s status', async () => {
    const operation = unique();
    const plan = recover({ operation, strategy: 'circuit_break' }, { clock });
    await plan.execute(() => Promise.reject(new Error('GET https://me:secret@host/\u001b[31m')));
    expect(span(`recovery ${operation}`).status.message).toBe('GET https://***@host/');
    expect(plan.history()[0]?.error?.message).toBe('GET https://***@host/');
  });
});
