import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FEATURES } from '../dashboards/panel.ts';
import { ALERT_NAMES } from '../rules/alerts/index.ts';
import { DEFAULT_CONFIG } from './config.ts';
import { readConfig } from './read-config.ts';

const read = (given: unknown) => readConfig(given, ALERT_NAMES);

describe('readConfig', () => {
  it('returns the defaults for an empty configuration, and for the defaults themselves', () => {
    expect(read({})).toEqual(DEFAULT_CONFIG);
    expect(read(JSON.parse(JSON.stringify(DEFAULT_CONFIG)))).toEqual(DEFAULT_CONFIG);
  });

  it('keeps the defaults of what is not given, at every depth', () => {
    const config = read({
      labels: { job: 'service', cluster: null },
      slo: { fast: { factor: 10 } },
    });
    expect(config.labels).toEqual({ ...DEFAULT_CONFIG.labels, job: 'service', cluster: null });
    expect(config.slo).toEqual({
      ...DEFAULT_CONFIG.slo,
      fast: { ...DEFAULT_CONFIG.slo.fast, factor: 10 },
    });
  });

  it.each(['1ms', '15s', '4m59s', '4m59s999ms'])('accepts the interval %s', (interval) => {
    expect(read({ interval }).interval).toBe(interval);
  });

  it.each<[unknown, string]>([
    [[], 'The configuration must be an object, not [].'],
    [{ lable: {} }, 'There is no setting lable. Known: nameStyle, '],
    [{ labels: { pod: 'x' } }, 'There is no setting labels.pod. Known: job, '],
    [{ labels: { job: null } }, 'labels.job must be the name of a label, not null.'],
    [{ nameStyle: 'dots' }, 'nameStyle must be one of scrape, otlp, utf8, not "dots".'],
    [{ slo: { objective: 1 } }, 'slo.objective must be a share from 0 to below 1, not 1.'],
    [{ slo: { fast: { long: '1 hour' } } }, 'slo.fast.long must be a Prometheus duration'],
    [{ interval: '5 minutes' }, 'interval must be a Prometheus duration'],
    [{ interval: '5m' }, 'interval must be above 0 and shorter than 5m, not "5m".'],
    [{ interval: '4m60s' }, 'interval must be above 0 and shorter than 5m, not "4m60s".'],
    [{ interval: '1h' }, 'interval must be above 0 and shorter than 5m, not "1h".'],
    [{ interval: '0s' }, 'interval must be above 0 and shorter than 5m, not "0s".'],
    [{ minimum: { calls: 0 } }, 'minimum.calls must be a whole number from 1, not 0.'],
    [{ thresholds: { memory: 80 } }, 'thresholds.memory must be a share from 0 to 1, not 80.'],
    [
      { policies: { a: { latencySeconds: 0 } } },
      'policies.a.latencySeconds must be a number above 0',
    ],
    [{ policies: { a: { latency: 1 } } }, 'There is no setting policies.a.latency. Known: '],
    [{ alerts: { TemperCircuitOpn: false } }, "alerts: there is no 'TemperCircuitOpn'. Known: "],
    [{ alerts: { TemperCpuHigh: { severity: 'info' } } }, 'must be one of page, ticket'],
    [{ alerts: { TemperCpuHigh: true } }, 'alerts.TemperCpuHigh must be an object, not true.'],
    [{ jobs: 'shop' }, 'jobs must be a list, not "shop".'],
    [{ uses: ['hedges'] }, 'uses[0] must be one of retry-budget, failure-rate, '],
    [{ uses: 'hedge' }, 'uses must be a list, not "hedge".'],
    [{ scaling: {} }, 'scaling.deployment must be given, not null.'],
    [{ scaling: { deployment: 'Shop' } }, 'scaling.deployment must be a name of Kubernetes'],
    [{ scaling: { deployment: 'shop', scope: 'all' } }, 'scaling.scope must be one of instance, '],
    [{ scaling: { deployment: 'shop', replicas: 3 } }, 'There is no setting scaling.replicas.'],
    [
      { scaling: { deployment: 'shop', minReplicas: 9, maxReplicas: 8 } },
      'scaling.maxReplicas must be at least 1 and minReplicas, not 8.',
    ],
    [{ constructor: 1 }, 'There is no setting constructor.'],
  ])('throws for %j', (given, message) => {
    expect(() => read(given)).toThrow(message);
  });
});

describe('the README', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const settingsOfAll = readme.slice(0, readme.indexOf('## Dashboards of what'));
  const rows = new Map(
    [...settingsOfAll.matchAll(/^\| `([\w.]+)`(?:, `([\w.]+)`)? +\| (.*?) +\|/gm)].flatMap(
      ([, first = '', second, value = '']) =>
        [first, second].flatMap((key) => (key === undefined ? [] : [[key, value] as const])),
    ),
  );
  /** Every setting with its default, by path; maps by name are one setting. */
  const settings = Object.entries(DEFAULT_CONFIG).flatMap(([key, value]) =>
    ['labels', 'slo', 'minimum', 'thresholds'].includes(key)
      ? Object.entries(value as object).map(([inner, one]) => [`${key}.${inner}`, one] as const)
      : [[key, value] as const],
  );

  it('has a row for every setting, and no other', () => {
    expect([...rows.keys()].sort()).toEqual(settings.map(([key]) => key).sort());
  });

  it('has the defaults', () => {
    const inWords = new Set(['runbooks', 'slo.fast', 'slo.slow']);
    for (const [key, value] of settings) {
      if (!inWords.has(key)) expect(rows.get(key), key).toBe(`\`${JSON.stringify(value)}\``);
    }
    const { fast, slow } = DEFAULT_CONFIG.slo;
    expect(rows.get('slo.fast')).toBe(
      `${fast.factor} times over \`${fast.long}\` and \`${fast.short}\`, ${slow.factor} times over \`${slow.long}\` and \`${slow.short}\``,
    );
  });

  it('has a row for each feature that a service may have', () => {
    const section = readme.slice(readme.indexOf('| name '), readme.indexOf('## Autoscaling'));
    const named = [...section.matchAll(/^\| `([\w-]+)` +\| (.*?) +\|$/gm)].map(([, ...row]) => row);
    expect(named).toEqual(Object.entries(FEATURES));
  });

  it('has a configuration that can be used', () => {
    const [, json = ''] = /```json\n([\s\S]*?)```/.exec(readme) ?? [];
    const config = read(JSON.parse(json));
    expect(config.policies.search).toEqual({ latencySeconds: 0.2, objective: 0.99 });
    expect(config.alerts.TemperCpuHigh).toBe(false);
  });
});
