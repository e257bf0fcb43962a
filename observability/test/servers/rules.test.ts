import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { METRICS } from '../../src/catalog.ts';
import { NAME_STYLES, type NameStyle, prometheusName } from '../../src/prometheus-names.ts';
import { ALERTS } from '../../src/rules/alerts.ts';
import {
  ALERTMANAGER,
  available,
  findProgram,
  PROMTOOL,
  root,
  temporaryFolder,
} from './programs.ts';

const run = available({ promtool: PROMTOOL, alertmanager: ALERTMANAGER });

/** An input series for promtool: metric, labels, and one value per minute. */
interface Series {
  readonly metric: string;
  readonly suffix?: '_bucket';
  readonly labels: string;
  readonly values: string;
}

/** Input series for which an alert fires and for which it does not, and when it is evaluated. */
interface Case {
  readonly firing: readonly Series[];
  readonly quiet: readonly Series[];
  /** Expected labels of the alert, except severity. */
  readonly labels: Readonly<Record<string, string>>;
  /** Evaluation time, in minutes after the start. */
  readonly at: number;
}

const ON = 'job="demo",temper_policy_name="registry_fetch"';
const POLICY = { job: 'demo', temper_policy_name: 'registry_fetch' };
const calls = (outcome: string, values: string): Series => ({
  metric: 'temper.breaker.calls',
  labels: `${ON},temper_outcome="${outcome}"`,
  values,
});
const duration = (policy: string, buckets: Readonly<Record<string, string>>): Series[] =>
  Object.entries(buckets).map(([le, values]) => ({
    metric: 'temper.breaker.call.duration',
    suffix: '_bucket',
    labels: `job="demo",temper_policy_name="${policy}",temper_outcome="success",le="${le}"`,
    values,
  }));
const level = (metric: string, labels: string, values: string): Series => ({
  metric,
  labels,
  values,
});

const CASES: Readonly<Record<string, Case>> = {
  TemperCircuitOpen: {
    firing: [level('temper.breaker.state', `${ON},temper_breaker_state="open"`, '0 1x9')],
    quiet: [level('temper.breaker.state', `${ON},temper_breaker_state="open"`, '0x9')],
    labels: POLICY,
    at: 3,
  },
  TemperCircuitFlapping: {
    firing: [
      level(
        'temper.breaker.transitions',
        `${ON},temper_breaker_from="closed",temper_breaker_to="open"`,
        '0+1x30',
      ),
    ],
    quiet: [
      level(
        'temper.breaker.transitions',
        `${ON},temper_breaker_from="closed",temper_breaker_to="open"`,
        '0 1x30',
      ),
    ],
    labels: POLICY,
    at: 20,
  },
  TemperErrorRateHigh: {
    firing: [calls('success', '0+97x30'), calls('failure', '0+3x30')],
    quiet: [calls('success', '0+997x30'), calls('failure', '0+3x30')],
    labels: POLICY,
    at: 15,
  },
  TemperErrorBudgetBurn: {
    firing: [calls('success', '0+80x90'), calls('rejected', '0+20x90')],
    quiet: [calls('success', '0+90x90'), calls('failure', '0+10x90')],
    labels: POLICY,
    at: 80,
  },
  TemperErrorBudgetBurnSlow: {
    firing: [calls('success', '0+90x400'), calls('failure', '0+10x400')],
    quiet: [calls('success', '0+96x400'), calls('failure', '0+4x400')],
    labels: POLICY,
    at: 390,
  },
  TemperRetriesExhausted: {
    firing: [
      level('temper.retry.operations', `${ON},temper_outcome="success"`, '0+90x30'),
      level('temper.retry.operations', `${ON},temper_outcome="exhausted"`, '0+10x30'),
    ],
    quiet: [
      level('temper.retry.operations', `${ON},temper_outcome="recovered"`, '0+90x30'),
      level('temper.retry.operations', `${ON},temper_outcome="exhausted"`, '0+1x30'),
    ],
    labels: POLICY,
    at: 15,
  },
  TemperLatencyHigh: {
    firing: duration('ast_codegen', { '0.01': '0+50x30', '0.025': '0+100x30', '+Inf': '0+100x30' }),
    quiet: duration('ast_codegen', { '0.01': '0+100x30', '0.025': '0+100x30', '+Inf': '0+100x30' }),
    labels: { job: 'demo', temper_policy_name: 'ast_codegen' },
    at: 15,
  },
  TemperRegistryLatencyHigh: {
    firing: duration('registry_fetch', { '5': '0+50x30', '10': '0+100x30', '+Inf': '0+100x30' }),
    quiet: duration('registry_fetch', { '5': '0+100x30', '10': '0+100x30', '+Inf': '0+100x30' }),
    labels: POLICY,
    at: 15,
  },
  TemperRateLimited: {
    firing: [
      level('temper.ratelimit.requests', `${ON},temper_outcome="acquired"`, '0+90x30'),
      level('temper.ratelimit.requests', `${ON},temper_outcome="rejected"`, '0+10x30'),
    ],
    quiet: [
      level('temper.ratelimit.requests', `${ON},temper_outcome="acquired"`, '0+99x30'),
      level('temper.ratelimit.requests', `${ON},temper_outcome="rejected"`, '0+1x30'),
    ],
    labels: POLICY,
    at: 15,
  },
  TemperMemoryHigh: {
    firing: [level('process.memory.utilization', 'job="demo",instance="a"', '0.85x30')],
    quiet: [level('process.memory.utilization', 'job="demo",instance="a"', '0.75x30')],
    labels: { job: 'demo', instance: 'a' },
    at: 15,
  },
  TemperCpuHigh: {
    firing: [level('process.cpu.utilization', 'job="demo",instance="a"', '0.9x30')],
    quiet: [level('process.cpu.utilization', 'job="demo",instance="a"', '0.9x3 0.2x27')],
    labels: { job: 'demo', instance: 'a' },
    at: 15,
  },
  TemperAuditLoss: {
    firing: [level('temper.audit.events', `${ON},temper_outcome="dropped"`, '0 0 3x10')],
    quiet: [level('temper.audit.events', `${ON},temper_outcome="stored"`, '0+9x10')],
    labels: POLICY,
    at: 4,
  },
  TemperAuditNotDurable: {
    firing: [level('temper.audit.events', `${ON},temper_outcome="degraded"`, '0 0 5+5x10')],
    quiet: [
      level('temper.audit.events', `${ON},temper_outcome="degraded"`, '7x12'),
      level('temper.audit.events', `${ON},temper_outcome="stored"`, '0+9x12'),
    ],
    labels: POLICY,
    at: 6,
  },
  TemperStoreUnreachable: {
    firing: [level('temper.ratelimit.store.errors', `${ON},error_type="ECONNREFUSED"`, '0 0+3x10')],
    quiet: [level('temper.ratelimit.store.errors', `${ON},error_type="ECONNREFUSED"`, '0x12')],
    labels: POLICY,
    at: 6,
  },
  TemperEventLoopBusy: {
    firing: [level('nodejs.eventloop.utilization', 'job="demo",instance="a"', '0.95x9')],
    quiet: [level('nodejs.eventloop.utilization', 'job="demo",instance="a"', '0.95x1 0.4x9')],
    labels: { job: 'demo', instance: 'a' },
    at: 5,
  },
  TemperShutdownIncomplete: {
    // The process ends with the sample that shows it.
    firing: [level('temper.shutdown.handlers', `${ON},temper_outcome="timed_out"`, '0 0 1 _x9')],
    quiet: [level('temper.shutdown.handlers', `${ON},temper_outcome="completed"`, '0 0 4 _x9')],
    labels: POLICY,
    at: 5,
  },
  TemperAuditBehind: {
    firing: [
      level('temper.audit.ship.lag', `${ON},temper_audit_target="t"`, '0 5x20'),
      level('temper.audit.ship.errors', `${ON},temper_audit_target="t"`, '0+1x20'),
    ],
    // A target that fails now and then and catches up, and one that is behind without failing.
    quiet: [
      level(
        'temper.audit.ship.lag',
        `${ON},temper_audit_target="t"`,
        '0 5 0 5 0 5 0 5 0 5 0 5 0 5 0 5',
      ),
      level('temper.audit.ship.errors', `${ON},temper_audit_target="t"`, '0+1x15'),
      level('temper.audit.ship.lag', `${ON},temper_audit_target="u"`, '0 5x20'),
    ],
    labels: { ...POLICY, temper_audit_target: 't' },
    at: 15,
  },
  TemperFailurePredicted: {
    firing: [level('temper.forecast.failure.warning', ON, '0 1x9')],
    quiet: [level('temper.forecast.failure.warning', ON, '0x9')],
    labels: POLICY,
    at: 5,
  },
  TemperUnhealthy: {
    firing: [
      level(
        'temper.health.status',
        'job="demo",temper_policy_name="p",temper_health_check_name="lsp",temper_health_status="unhealthy"',
        '0 1x9',
      ),
    ],
    quiet: [
      level(
        'temper.health.status',
        'job="demo",temper_policy_name="p",temper_health_check_name="lsp",temper_health_status="degraded"',
        '1x9',
      ),
    ],
    labels: { job: 'demo', temper_health_check_name: 'lsp' },
    at: 5,
  },
};

function inputSeries({ metric, suffix, labels, values }: Series, style: NameStyle): object {
  const definition = METRICS.get(metric);
  if (definition === undefined) throw new Error(metric);
  return { series: `${prometheusName(definition, style)}${suffix ?? ''}{${labels}}`, values };
}

/** The promtool test file for one alert in one name style. Ignores the annotation texts. */
function testFile(alert: string, style: NameStyle, fires: boolean): string {
  const found = CASES[alert];
  const rule = ALERTS.find((one) => one.alert === alert);
  if (found === undefined || rule === undefined) throw new Error(alert);
  return stringify({
    rule_files: [join(root, 'observability/prometheus/rules', `${style}.yaml`)],
    evaluation_interval: '15s',
    tests: [
      {
        interval: '1m',
        input_series: (fires ? found.firing : found.quiet).map((one) => inputSeries(one, style)),
        // The series ALERTS shows that the alert fires, independent of its annotations.
        promql_expr_test: [
          {
            expr: `count(ALERTS{alertname="${alert}",alertstate="firing",severity="${rule.severity}",${Object.entries(
              found.labels,
            )
              .map(([key, value]) => `${key}="${value}"`)
              .join(',')}}) or vector(0)`,
            eval_time: `${found.at}m`,
            exp_samples: [{ labels: '{}', value: fires ? 1 : 0 }],
          },
        ],
      },
    ],
  });
}

describe.runIf(run)('the Prometheus rules', () => {
  const promtool = (...args: readonly string[]): { status: number | null; text: string } => {
    const { status, stdout, stderr } = spawnSync(PROMTOOL as string, args, { encoding: 'utf8' });
    return { status, text: stdout + stderr };
  };

  it('have a test case for every alert', () => {
    expect(Object.keys(CASES).sort()).toEqual(ALERTS.map(({ alert }) => alert).sort());
  });

  it.each(NAME_STYLES)('pass promtool for the name style %s', (style) => {
    const { status, text } = promtool(
      'check',
      'rules',
      `${root}observability/prometheus/rules/${style}.yaml`,
    );
    expect(status, text).toBe(0);
  });

  it('are loaded by a configuration that promtool accepts', () => {
    const { status, text } = promtool(
      'check',
      'config',
      `${root}observability/prometheus/prometheus.yaml`,
    );
    expect(status, text).toBe(0);
  });

  it('are routed by an Alertmanager configuration that separates pages from tickets', () => {
    const amtool = findProgram('amtool');
    expect(amtool).toBeDefined();
    const config = `--config.file=${root}observability/alertmanager/alertmanager.yaml`;
    const ask = (...args: string[]): string => {
      const { status, stdout, stderr } = spawnSync(amtool as string, args, { encoding: 'utf8' });
      expect(status, stderr).toBe(0);
      return stdout.trim();
    };
    ask('check-config', `${root}observability/alertmanager/alertmanager.yaml`);
    expect(ask('config', 'routes', 'test', config, 'severity=page')).toBe('pages');
    expect(ask('config', 'routes', 'test', config, 'severity=ticket')).toBe('tickets');
  });

  for (const style of NAME_STYLES) {
    it.each(ALERTS.map(({ alert }) => alert))(
      `fire %s (${style} names) only for its firing series`,
      (alert) => {
        using folder = temporaryFolder();
        for (const fires of [true, false]) {
          const file = join(folder.path, `${fires}.yaml`);
          writeFileSync(file, testFile(alert, style, fires));
          const { status, text } = promtool('test', 'rules', file);
          expect(status, `${fires ? 'firing' : 'quiet'}:\n${text}`).toBe(0);
        }
      },
    );
  }
});
