import { describe, expect, it } from 'vitest';
import type { ScenarioResult } from '../../src/scenarios/scenario.ts';
import { freePort, runDemo, until } from './demo-process.ts';
import { sumOf } from './metrics-text.ts';
import { otlpReceiver, type ReceivedSpan } from './otlp-receiver.ts';

const ARGS = ['--scenario', 'registry-outage', '--once', '--json'];
const POLICY = 'temper_policy_name="registry_fetch"';

const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1) as string;

describe('the scenario registry-outage', () => {
  it('exits with 0 and its measurements, changes the metrics, and exports one trace of both processes', async () => {
    const receiver = await otlpReceiver();
    const port = await freePort();
    const startedAt = performance.now();
    const demo = await runDemo(ARGS, {
      ...receiver.env,
      OTEL_EXPORTER_PROMETHEUS_PORT: String(port),
    });
    const scrape = async (): Promise<string> => {
      const response = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined);
      return (await response?.text()) ?? '';
    };
    const stateIs = async (state: string): Promise<boolean> =>
      sumOf(await scrape(), 'temper_breaker_state', POLICY, `temper_breaker_state="${state}"`) ===
      1;
    const attempts = async (outcome: string): Promise<number> =>
      sumOf(await scrape(), 'temper_retry_attempts_total', `temper_outcome="${outcome}"`);

    await until(async () => (await attempts('success')) > 5, 20_000, 'successful attempts');
    expect(await stateIs('closed')).toBe(true);
    await until(() => stateIs('open'), 20_000, 'an open circuit on /metrics');
    expect(await attempts('failure')).toBeGreaterThanOrEqual(5);
    const before = await attempts('success');
    await until(() => stateIs('closed'), 20_000, 'a closed circuit on /metrics');
    await until(
      async () => (await attempts('success')) > before,
      10_000,
      'new successful attempts',
    );

    expect(await demo.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(40_000);
    const result = JSON.parse(lastLine(demo.stdout())) as ScenarioResult;
    expect(result.ok).toBe(true);
    expect(result.seconds).toBeLessThan(40);
    expect(result.promises.every(({ held }) => held)).toBe(true);
    expect(result.phases.map(({ name }) => name)).toEqual([
      'healthy',
      'outage',
      'refused',
      'recovering',
      'recovered',
    ]);
    for (const phase of result.phases) {
      expect(phase.calls).toBeGreaterThan(0);
      expect(phase.p99Ms).toBeGreaterThanOrEqual(phase.p50Ms as number);
      const { calls, successes, degraded, failures } = phase;
      expect(successes + degraded + failures).toBe(calls);
    }
    const states = result.transitions.map(({ to }) => to);
    expect(states[0]).toBe('open');
    expect(states.at(-1)).toBe('closed');
    expect(result.transitions.map(({ atMs }) => atMs)).toEqual(
      result.transitions.map(({ atMs }) => atMs).toSorted((a, b) => a - b),
    );
    // The result discloses the settings that were shortened for the demo.
    expect(result.settings).toContainEqual({
      setting: 'breakers.registry_fetch.openDurationMs',
      value: 3_000,
      defaultValue: 120_000,
    });

    expectOneTraceThroughBoth(receiver.spans);
    expect(demo.stderr()).not.toMatch(/telemetry:/);
  });
});

function expectOneTraceThroughBoth(spans: readonly ReceivedSpan[]): void {
  const services = (traceId: string): ReadonlySet<string> =>
    new Set(spans.filter((span) => span.traceId === traceId).map(({ service }) => service));
  const retry = spans.find(
    ({ name, traceId }) => name === 'retry fetch_package' && services(traceId).size === 2,
  );
  expect(retry).toBeDefined();
  const trace = spans.filter(({ traceId }) => traceId === retry?.traceId);
  const named = (name: string, service: string): ReceivedSpan[] =>
    trace.filter((span) => span.name === name && span.service === service);
  const parentOf = (span: ReceivedSpan | undefined): ReceivedSpan | undefined =>
    trace.find(({ spanId }) => spanId === span?.parentSpanId);
  // The ancestors of the registry's server span: client request, breaker, attempt, retry.
  const server = named('GET /packages/:name/versions', 'parsercraft-registry')[0];
  const way: string[] = [];
  for (let span = parentOf(server); span !== undefined; span = parentOf(span)) way.push(span.name);
  expect(way).toEqual(['GET', 'breaker registry_fetch', 'attempt', 'retry fetch_package']);
}
