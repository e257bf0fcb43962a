import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { metrics } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import {
  AggregationTemporality,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { circuitBreaker } from '@temper/breaker';
import { temperMetricProducer } from '@temper/core';
import { tokenBucket } from '@temper/ratelimit';
import { fallback, timeout } from '@temper/recovery';
import { retry } from '@temper/retry';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { panelQueries } from '../../src/dashboards/grafana.ts';
import { DASHBOARDS } from '../../src/dashboards/index.ts';
import { DEFAULT_CONFIG, type MixinConfig } from '../../src/mixin/config.ts';
import { Names, type Where } from '../../src/names.ts';
import type { NameStyle } from '../../src/prometheus-names.ts';
import { rulesYaml } from '../../src/rules/files.ts';
import {
  eventually,
  freePort,
  optional,
  PROMETHEUS_3,
  type Program,
  start,
  temporaryFolder,
} from './programs.ts';

/** How metrics take their way into a Prometheus 3. */
interface Way {
  readonly style: NameStyle;
  readonly translation: string;
  readonly temporality: 'cumulative' | 'delta';
}

const WAYS: readonly Way[] = [
  { style: 'utf8', translation: 'NoUTF8EscapingWithSuffixes', temporality: 'cumulative' },
  { style: 'otlp', translation: 'UnderscoreEscapingWithSuffixes', temporality: 'delta' },
];

let tries = 0;

/** What a call does: it succeeds, fails once, or fails for good. */
const call = fc.constantFrom('well', 'once', 'ill');

/** Counts of the test itself, by metric and values of attributes. */
class Tally {
  readonly counts = new Map<string, number>();
  add(metric: string, where: Where, n = 1): void {
    const key = JSON.stringify([metric, where]);
    this.counts.set(key, (this.counts.get(key) ?? 0) + n);
  }
  *[Symbol.iterator](): Generator<readonly [metric: string, where: Where, n: number]> {
    for (const [key, n] of this.counts) {
      const [metric, where] = JSON.parse(key) as [string, Where];
      yield [metric, where, n];
    }
  }
}

describe.runIf(optional('prometheus3', PROMETHEUS_3)).each(WAYS)(
  'a Prometheus 3 that receives OTLP ($temporality) with names of the style $style',
  ({ style, translation, temporality }) => {
    const folder = temporaryFolder();
    const config: MixinConfig = { ...DEFAULT_CONFIG, nameStyle: style, interval: '1s' };
    const names = new Names(style);
    let url: string;
    let program: Program;
    let provider: MeterProvider;

    const ask = async <T>(path: string): Promise<T> => {
      const response = await fetch(`${url}/api/v1/${path}`);
      const { status, error, data } = (await response.json()) as {
        status: string;
        error?: string;
        data: T;
      };
      if (status !== 'success') throw new Error(`${path}: ${error}`);
      return data;
    };
    const query = async (expr: string): Promise<readonly number[]> => {
      const { result } = await ask<{ result: { value: [number, string] }[] }>(
        `query?query=${encodeURIComponent(expr)}`,
      );
      return result.map(({ value }) => Number(value[1]));
    };

    beforeAll(async () => {
      const port = await freePort();
      url = `http://127.0.0.1:${port}`;
      writeFileSync(join(folder.path, 'rules.yaml'), rulesYaml(config));
      writeFileSync(
        join(folder.path, 'prometheus.yaml'),
        `global: { evaluation_interval: 1s }
rule_files: [rules.yaml]
otlp: { translation_strategy: ${translation} }
`,
      );
      program = start(PROMETHEUS_3 as string, [
        `--config.file=${join(folder.path, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(folder.path, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--web.enable-otlp-receiver',
        '--enable-feature=otlp-deltatocumulative',
      ]);
      await eventually(
        async () => ((await fetch(`${url}/-/ready`)).ok ? true : undefined),
        'Prometheus 3 to be ready',
      ).catch((error) => {
        throw new Error(`${error.message}\n${program.output()}`);
      });
      const exporter = new OTLPMetricExporter({
        url: `${url}/api/v1/otlp/v1/metrics`,
        temporalityPreference:
          AggregationTemporality[temporality === 'delta' ? 'DELTA' : 'CUMULATIVE'],
      });
      provider = new MeterProvider({
        readers: [
          new PeriodicExportingMetricReader({
            exporter,
            exportIntervalMillis: 3_600_000, // by the test only
            metricProducers: [temperMetricProducer({ temporality })],
          }),
        ],
      });
      metrics.setGlobalMeterProvider(provider);
    }, 240_000);

    afterAll(async () => {
      metrics.disable();
      await provider?.shutdown().catch(() => undefined);
      await program?.stop();
      folder[Symbol.dispose]();
    });

    it('stores exactly what was counted, in the names of the dashboards', async () => {
      // A retry of this test begins with policies that have counted nothing.
      const id = `${style}${++tries}`;
      const policies = {
        retry: retry({
          name: `r_${id}`,
          maxAttempts: 2,
          initialDelayMs: 0,
          jitter: 'none',
          // The workload counts on each retry.
          maxExtraLoad: Number.POSITIVE_INFINITY,
        }),
        breaker: circuitBreaker({ name: `b_${id}`, failureThreshold: 1_000_000 }),
        timeout: timeout({ name: `t_${id}`, timeoutMs: 60_000 }),
        fallback: fallback({ name: `f_${id}`, handler: () => 'second best' }),
      };
      const limiter = tokenBucket({ name: `l_${id}`, limit: 60, windowMs: 1e12, burst: 60 });
      const tally = new Tally();
      const zero: readonly [string, Where][] = [
        ['temper.breaker.calls', { 'temper.policy.name': `b_${id}`, 'temper.outcome': 'rejected' }],
        ['temper.timeout.calls', { 'temper.policy.name': `t_${id}`, 'temper.outcome': 'timeout' }],
      ];
      await fc.assert(
        fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 30 }), async (calls) => {
          for (const kind of calls) await tried(kind, policies, limiter, tally, id);
          await provider.forceFlush();
          for (const [metric, where, n] of tally) {
            const stored =
              metric === 'temper.breaker.call.duration'
                ? names.count(metric, where)
                : names.of(metric, where);
            expect([metric, where, await query(`sum(${stored})`)]).toEqual([metric, where, [n]]);
          }
          for (const [metric, where] of zero) {
            expect(await query(`sum(${names.of(metric, where)})`)).toEqual([0]);
          }
          const allowed = { 'temper.policy.name': `l_${id}`, 'temper.outcome': 'allowed' };
          const taken =
            tally.counts.get(JSON.stringify(['temper.ratelimit.requests', allowed])) ?? 0;
          const left = names.of('temper.ratelimit.available', { 'temper.policy.name': `l_${id}` });
          expect((await query(left)).map(Math.round)).toEqual([60 - taken]);
          const closed = { 'temper.policy.name': `b_${id}`, 'temper.breaker.state': 'closed' };
          expect(await query(names.of('temper.breaker.state', closed))).toEqual([1]);
        }),
        { numRuns: 6 },
      );
      expect(tally.counts.size).toBeGreaterThan(8);
    });

    it('evaluates every rule', async () => {
      interface Groups {
        readonly groups: readonly {
          readonly rules: readonly { readonly name: string; readonly health: string }[];
        }[];
      }
      const rules = await eventually(async () => {
        const found = (await ask<Groups>('rules')).groups.flatMap((group) => group.rules);
        return found.every(({ health }) => health !== 'unknown') ? found : undefined;
      }, 'every rule to be evaluated');
      expect(rules.length).toBeGreaterThan(20);
      expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
      // The number of instances is recorded from what was pushed.
      await eventually(
        async () => ((await query('temper:instances:count')).length === 1 ? true : undefined),
        'the recorded number of instances',
      );
    });

    it('understands every query of the dashboards', async () => {
      for (const { rows } of DASHBOARDS) {
        for (const panel of rows.flatMap(({ panels }) => panels)) {
          for (const expr of panelQueries(panel, config)) {
            const filled = expr
              .replace(/\$(?:cluster|namespace|service|instance|policy)\b/g, '.*')
              .replaceAll('$__rate_interval', '1m')
              .replaceAll('$__range', '5m');
            await query(filled); // throws for one that is invalid
          }
        }
      }
    });
  },
);

type Policies = Readonly<
  Record<'retry' | 'breaker' | 'timeout' | 'fallback', Pick<ReturnType<typeof retry>, 'tryExecute'>>
>;

/** Makes one call through each policy by itself, and counts what each must have counted. */
async function tried(
  kind: 'well' | 'once' | 'ill',
  policies: Policies,
  limiter: ReturnType<typeof tokenBucket>,
  tally: Tally,
  id: string,
): Promise<void> {
  const attempts = new Map<string, number>();
  /** Whether the n-th attempt of a policy fails. */
  const operation = (policy: string) => () => {
    const attempt = (attempts.get(policy) ?? 0) + 1;
    attempts.set(policy, attempt);
    if (kind === 'ill' || (kind === 'once' && attempt === 1)) {
      throw Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED' });
    }
  };
  for (const [name, policy] of Object.entries(policies)) await policy.tryExecute(operation(name));
  const well = kind === 'well';
  const count = (metric: string, policy: string, outcome: string): void =>
    tally.add(metric, { 'temper.policy.name': `${policy}_${id}`, 'temper.outcome': outcome });
  count('temper.breaker.calls', 'b', well ? 'success' : 'failure');
  count('temper.breaker.call.duration', 'b', well ? 'success' : 'failure');
  count('temper.timeout.calls', 't', well ? 'success' : 'failure');
  count('temper.fallback.calls', 'f', well ? 'success' : 'fallback');
  const operations = { well: 'success', once: 'recovered', ill: 'exhausted' } as const;
  count('temper.retry.operations', 'r', operations[kind]);
  for (let attempt = 1; attempt <= (attempts.get('retry') ?? 0); attempt++) {
    const fails = kind === 'ill' || (kind === 'once' && attempt === 1);
    count('temper.retry.attempts', 'r', fails ? 'failure' : 'success');
  }
  const lease = limiter.tryAcquire();
  count('temper.ratelimit.requests', 'l', lease === undefined ? 'rejected' : 'allowed');
}
