import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { ScalingTarget } from '../../src/mixin/config.ts';
import { readConfig } from '../../src/mixin/read-config.ts';
import type { NameStyle } from '../../src/prometheus-names.ts';
import { ALERT_NAMES } from '../../src/rules/alerts/index.ts';
import { scalingQuery } from '../../src/scaling/manifests.ts';
import { available, PROMTOOL, temporaryFolder } from './programs.ts';

const run = available({ promtool: PROMTOOL });

/** Values of the gauge by instance, one a quarter of a minute, and by signal. */
type Instances = Readonly<Record<string, string>>;

const series = (signal: string, instances: Instances, job = 'shop') =>
  Object.entries(instances).map(([instance, values]) => ({
    series: `temper_forecast_replicas_desired{job="${job}",instance="${instance}",temper_policy_name="${signal}"}`,
    values,
  }));

/** What the query of a target comes to after ten minutes, by promtool. */
function ask(
  input: readonly object[],
  expected: number | undefined,
  target: Partial<ScalingTarget> = {},
  nameStyle: NameStyle = 'scrape',
): string {
  const scaling = { deployment: 'shop', ...target };
  const config = readConfig({ nameStyle, scaling }, ALERT_NAMES);
  const test = {
    interval: '15s',
    input_series: input,
    promql_expr_test: [
      {
        expr: scalingQuery(config, scaling),
        eval_time: '10m',
        exp_samples: expected === undefined ? [] : [{ labels: '{}', value: expected }],
      },
    ],
  };
  using folder = temporaryFolder();
  const file = join(folder.path, 'tests.yaml');
  writeFileSync(file, stringify({ rule_files: [], tests: [test] }));
  const { status, stdout, stderr } = spawnSync(PROMTOOL as string, ['test', 'rules', file], {
    encoding: 'utf8',
  });
  return status === 0 ? '' : stdout + stderr;
}

describe.runIf(run).each(['scrape', 'otlp'] as const)('the query of replicas, %s', (style) => {
  const query = (input: readonly object[], expected: number | undefined, target = {}): string =>
    ask(input, expected, target, style);

  it('is the share of one instance, and the sum of three', () => {
    expect(query(series('calls', { a: '2.5x60' }), 2.5)).toBe('');
    const three = series('calls', { a: '1.25x60', b: '1.5x60', c: '0.25x60' });
    expect(query(three, 3)).toBe('');
    expect(query(three, 4)).not.toBe('');
  });

  it('is the highest of numbers that are of the whole service', () => {
    const three = series('queue', { a: '3x60', b: '4x60', c: '4x60' });
    expect(query(three, 4, { scope: 'service' })).toBe('');
  });

  it('follows the signal that needs most, or the one that is named, and no other service', () => {
    const all = [
      ...series('calls', { a: '1x60', b: '1x60' }),
      ...series('database', { a: '2.5x60', b: '2.5x60' }),
      ...series('calls', { x: '50x60' }, 'other'),
    ];
    expect(query(all, 5)).toBe('');
    expect(query(all, 2, { policy: 'calls' })).toBe('');
    expect(query(all, 50, { job: 'other' })).toBe('');
  });

  it('counts an instance no more that has ended, and has no value when there is none', () => {
    const end = style === 'scrape' ? '1x30 stale _x30' : '1x30 _x30';
    expect(query(series('calls', { a: '1x60', b: end }), 1)).toBe('');
    expect(query(series('calls', { a: end }), undefined)).toBe('');
    expect(query([], undefined)).toBe('');
  });
});
