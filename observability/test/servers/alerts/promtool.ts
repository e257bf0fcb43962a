import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { MixinConfig } from '../../../src/mixin/config.ts';
import { quotedLabel } from '../../../src/prometheus-names.ts';
import { ALERT_NAMES, ALERTS } from '../../../src/rules/alerts/index.ts';
import { rulesYaml } from '../../../src/rules/files.ts';
import { temporaryFolder } from '../programs.ts';
import { duration, FAULT_AT, type InputSeries, inputSeries, labelsOf } from './situations.ts';
import { type Expected, type Situation, type Subject, USUAL } from './subjects.ts';

/**
 * Orders in which the groups of the rules are evaluated. Prometheus promises none, and promtool takes one by
 * chance unless a file names it. With the alerts first, they see what was recorded one evaluation before.
 */
const GROUP_ORDERS = {
  'recording first': ['temper-recording', 'temper-alerts'],
  'alerts first': ['temper-alerts', 'temper-recording'],
} as const;

/** A test of promtool: series, and what queries of the alert must come to. */
interface RuleTest {
  readonly name: string;
  readonly interval: string;
  readonly input_series: readonly InputSeries[];
  readonly promql_expr_test: readonly object[];
}

/** A query of the series ALERTS, which shows alerts independent of their texts. */
function count(selector: string, minute: number, value: number, over?: string): object {
  const series =
    over === undefined ? `ALERTS{${selector}}` : `max_over_time(ALERTS{${selector}}[${over}])`;
  return {
    expr: `count(${series}) or vector(0)`,
    eval_time: seconds(minute),
    exp_samples: [{ labels: '{}', value }],
  };
}

const seconds = (minutes: number): string => `${Math.round(minutes * 60)}s`;

/** Tests of one alert in every situation. */
export function situationTests(
  alert: string,
  subject: Subject,
  config: MixinConfig,
  policy: string,
): readonly RuleTest[] {
  const rule = ALERTS.find((one) => one.alert === alert);
  if (rule === undefined) throw new Error(alert);
  const firing = `alertname="${alert}",alertstate="firing"`;
  const expected: Expected = { ...USUAL, ...subject.expected };
  const situations: Readonly<Record<Situation, boolean>> = {
    ...expected,
    fault: true,
    recovery: true,
    twoClusters: true,
  };
  return Object.entries(situations).map(([key, fires]) => {
    const situation = key as Situation;
    const end = duration(subject, situation);
    const labels = [
      ['cluster', situation === 'twoClusters' ? 'b' : 'a'],
      ['namespace', 'shop'],
      ['job', 'demo'],
      ['severity', rule.severity],
      ...subject.labels.map((label) => labelsOf(label, config.nameStyle, policy, 'i0')),
    ].map(([label = '', value]) => `${quotedLabel(label)}="${value}"`);
    const whole = seconds(end);
    const checks = [
      // Never before the fault, and never for anything else.
      count(firing, FAULT_AT, 0, seconds(FAULT_AT)),
      count(firing, end, fires ? 1 : 0, whole),
      count([firing, ...labels].join(','), end, fires ? 1 : 0, whole),
    ];
    if (situation === 'fault' || situation === 'twoClusters') checks.push(count(firing, end, 1));
    if (situation === 'recovery') checks.push(count(firing, end, 0));
    return {
      name: `${alert} ${situation}`,
      interval: seconds(subject.step ?? 0.25),
      input_series: inputSeries(subject, situation, config.nameStyle, policy),
      promql_expr_test: checks,
    };
  });
}

/** A test with series of its own. */
export function ownTest(
  alert: string,
  series: Readonly<Record<string, string>>,
  minute: number,
  fires: boolean,
): RuleTest {
  return {
    name: alert,
    interval: '15s',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [
      count(`alertname="${alert}",alertstate="firing"`, minute, fires ? 1 : 0, seconds(minute)),
    ],
  };
}

/**
 * Runs tests of one alert against the rules of a configuration without the other alerts, in each of
 * {@link GROUP_ORDERS}.
 *
 * @returns what promtool said, empty if all passed
 */
export function promtool(
  program: string,
  whole: MixinConfig,
  alert: string,
  tests: readonly RuleTest[],
): string {
  const others = [...ALERT_NAMES].filter((name) => name !== alert);
  const config = {
    ...whole,
    alerts: {
      ...whole.alerts,
      ...Object.fromEntries(others.map((name) => [name, false as const])),
    },
  };
  using folder = temporaryFolder();
  const rules = join(folder.path, 'rules.yaml');
  writeFileSync(rules, rulesYaml(config));
  const files = Object.entries(GROUP_ORDERS).map(([name, group_eval_order]) => {
    const file = join(folder.path, `${name}.yaml`);
    const content = {
      rule_files: [rules],
      evaluation_interval: config.interval,
      group_eval_order,
      tests,
    };
    writeFileSync(file, stringify(content, { lineWidth: 0 }));
    return file;
  });
  const { status, stdout, stderr } = spawnSync(program, ['test', 'rules', ...files], {
    encoding: 'utf8',
  });
  return status === 0 ? '' : stdout + stderr || `exit code ${status}`;
}
