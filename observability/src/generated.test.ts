import { readdirSync, readFileSync } from 'node:fs';
import { getRunbook, listRunbooks, type Reference, type Runbook } from '@temper/runbooks';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { attributes, CATALOG, METRICS } from './catalog.ts';
import { grafanaDashboard, panelQueries } from './dashboards/grafana.ts';
import { DASHBOARDS as OF_PACKAGES } from './dashboards/index.ts';
import { PARSERCRAFT } from './dashboards/parsercraft.ts';
import { generatedFiles } from './generated-files.ts';
import { DEFAULT_CONFIG } from './mixin/config.ts';
import { Names } from './names.ts';
import { NAME_STYLES, prometheusName } from './prometheus-names.ts';
import { ALERTS } from './rules/alerts/index.ts';
import { rulesYaml } from './rules/files.ts';

const root = new URL('../../', import.meta.url);
const DASHBOARDS = [...OF_PACKAGES, PARSERCRAFT];
const runbooks = listRunbooks().map((id) => getRunbook(id) as Runbook);
const references = runbooks.flatMap(({ id, steps }) =>
  steps.flatMap((step) => (step.references ?? []).map((reference) => ({ id, reference }))),
);
const ofKind = <K extends Reference['kind']>(kind: K) =>
  references.flatMap(({ id, reference }) =>
    reference.kind === kind
      ? [{ id, reference: reference as Extract<Reference, { kind: K }> }]
      : [],
  );

/** The part of a rule that is read here. */
interface RuleYaml {
  readonly annotations?: { readonly runbook_url: string };
}

/** Labels of all metrics. */
const LABELS: ReadonlySet<string> = new Set(
  [...attributes().keys()].map((name) => name.replaceAll('.', '_')),
);

describe('generated files', () => {
  it.each([...generatedFiles().keys()])('%s is up to date with the constants', (path) => {
    expect(readFileSync(new URL(path, root), 'utf8')).toBe(generatedFiles().get(path));
  });
});

describe('the metric catalog', () => {
  it('has unique metric names that follow the naming rules', () => {
    const all = CATALOG.flatMap(({ metrics }) => metrics.map(({ name }) => name));
    expect(new Set(all).size).toBe(all.length);
    for (const name of all) expect(name).toMatch(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/);
  });

  it('has an annotation in braces as the unit of counters and seconds as the unit of durations', () => {
    for (const metric of METRICS.values()) {
      if (metric.instrument === 'counter') expect(metric.unit, metric.name).toMatch(/^\{\w+\}$/);
      if (metric.name.endsWith('.duration')) expect(metric.unit, metric.name).toBe('s');
      expect(metric.description.length, metric.name).toBeGreaterThan(10);
    }
  });

  it('has at most 12 values per attribute with listed values', () => {
    for (const [name, definitions] of attributes()) {
      for (const { values = [] } of definitions)
        expect(values.length, name).toBeLessThanOrEqual(12);
    }
  });

  it('has the attribute temper.policy.name on every metric of the namespace temper', () => {
    for (const metric of METRICS.values()) {
      if (!metric.name.startsWith('temper.')) continue;
      expect(
        metric.attributes.map(({ name }) => name),
        metric.name,
      ).toContain('temper.policy.name');
    }
  });
});

describe('Names', () => {
  const names = new Names('scrape');

  it('throws for metrics, attributes and values that no package emits', () => {
    expect(() => names.of('temper.retry.tries')).toThrow(/No package emits/);
    expect(() => names.of('temper.retry.attempts', { 'temper.key': 'a' })).toThrow(/no attribute/);
    expect(() => names.of('temper.breaker.state', { 'temper.breaker.state': 'ajar' })).toThrow(
      /never 'ajar'/,
    );
    expect(() => names.of('temper.retry.delay')).toThrow(/histogram/);
  });

  it.each([
    [
      'temper.retry.attempts',
      'temper_retry_attempts_total',
      'temper_retry_attempts_total',
      'temper.retry.attempts_total',
    ],
    [
      'temper.retry.delay',
      'temper_retry_delay',
      'temper_retry_delay_seconds',
      'temper.retry.delay_seconds',
    ],
    [
      'temper.breaker.failure.ratio',
      'temper_breaker_failure_ratio',
      'temper_breaker_failure_ratio',
      'temper.breaker.failure.ratio',
    ],
    [
      'temper.breaker.state',
      'temper_breaker_state',
      'temper_breaker_state',
      'temper.breaker.state',
    ],
    [
      'process.memory.usage',
      'process_memory_usage',
      'process_memory_usage_bytes',
      'process.memory.usage_bytes',
    ],
  ])(
    'the metric %s is named %s when scraped, %s over OTLP and %s in UTF-8',
    (metric, scrape, otlp, utf8) => {
      const definition = METRICS.get(metric);
      if (definition === undefined) throw new Error(metric);
      expect(prometheusName(definition, 'scrape')).toBe(scrape);
      expect(prometheusName(definition, 'otlp')).toBe(otlp);
      expect(prometheusName(definition, 'utf8')).toBe(utf8);
    },
  );

  it('end in _ratio over OTLP only where they are shares', () => {
    const ratios = [...METRICS.values()].filter(
      (metric) =>
        metric.instrument === 'gauge' && prometheusName(metric, 'otlp').endsWith('_ratio'),
    );
    expect(ratios.map(({ name }) => name).sort()).toEqual([
      'nodejs.eventloop.utilization',
      'process.cpu.utilization',
      'process.memory.utilization',
      'temper.breaker.failure.ratio',
      'temper.breaker.slow_call.ratio',
      'temper.forecast.failure.probability',
      'temper.forecast.limit.error',
      'temper.hedge.cut_off',
      'temper.ratelimit.rejection.ratio',
      'temper.timeout.cut_off',
    ]);
  });
});

describe('dashboards', () => {
  it.each(DASHBOARDS.map((one) => [one.uid, one] as const))(
    'the dashboard %s has unique panel titles, descriptions, and panels that do not overlap',
    (_, definition) => {
      const titles = definition.rows.flatMap(({ panels }) => panels.map(({ title }) => title));
      expect(new Set(titles).size).toBe(titles.length);
      for (const style of NAME_STYLES) {
        const dashboard = JSON.parse(
          JSON.stringify(grafanaDashboard(definition, { ...DEFAULT_CONFIG, nameStyle: style })),
        );
        const cells = new Set<string>();
        for (const { gridPos, title } of dashboard.panels) {
          for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
            for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
              expect(cells.has(`${x},${y}`), `${title} at ${x},${y}`).toBe(false);
              cells.add(`${x},${y}`);
            }
          }
          expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
        }
        const variables = dashboard.templating.list.map(({ name }: { name: string }) => name);
        expect(variables).toEqual([
          'datasource',
          'cluster',
          'namespace',
          'service',
          'instance',
          'policy',
        ]);
        expect(dashboard.annotations.list).toHaveLength(1);
      }
      for (const { panels } of definition.rows) {
        for (const panel of panels) {
          expect(panel.description.length, panel.title).toBeGreaterThan(15);
          for (const expr of panelQueries(panel, DEFAULT_CONFIG))
            expect(expr).toContain(
              'cluster=~"$cluster",namespace=~"$namespace",job=~"$service",instance=~"$instance"',
            );
        }
      }
    },
  );

  it('show every metric on at least one panel', () => {
    const shown = DASHBOARDS.flatMap(({ rows }) =>
      rows.flatMap(({ panels }) => panels.flatMap((panel) => panelQueries(panel, DEFAULT_CONFIG))),
    ).join('\n');
    const unseen = [...METRICS.values()]
      .filter(
        (metric) =>
          !new RegExp(`${prometheusName(metric, 'scrape')}(_bucket|_count)?\\{`).test(shown),
      )
      .map(({ name }) => name);
    expect(unseen).toEqual([]);
  });
});

describe('alerts and runbooks', () => {
  it('reference each other, with no alert or runbook left over', () => {
    for (const { alert, runbook } of ALERTS)
      expect(getRunbook(runbook)?.alerts, alert).toContain(alert);
    const known = new Set(ALERTS.map(({ alert }) => alert));
    for (const { alerts, id } of runbooks) {
      for (const alert of alerts) expect(known.has(alert), `${alert} of ${id}`).toBe(true);
    }
  });

  it('hold for at least a minute', () => {
    for (const style of NAME_STYLES) {
      const { groups } = parse(rulesYaml({ ...DEFAULT_CONFIG, nameStyle: style })) as {
        groups: { rules: { alert?: string; for?: string }[] }[];
      };
      for (const { alert, for: minimum } of groups.flatMap(({ rules }) => rules)) {
        if (alert !== undefined) expect(minimum, alert).toMatch(/^[1-9]\d*m$/);
      }
    }
  });

  it('name no policy, job or check of a service', () => {
    const rules = rulesYaml(DEFAULT_CONFIG);
    for (const name of ['ast_codegen', 'protocol_check', 'registry_fetch', 'fetch_package']) {
      expect(rules).not.toContain(name);
    }
  });

  it('have a page for the URL of every alert, and an alert for every page', () => {
    const pages = readdirSync(new URL('docs/runbooks', root)).filter(
      (name) => name !== 'README.md',
    );
    for (const style of NAME_STYLES) {
      const { groups } = parse(rulesYaml({ ...DEFAULT_CONFIG, nameStyle: style })) as {
        groups: { rules: RuleYaml[] }[];
      };
      const linked = groups
        .flatMap(({ rules }) => rules)
        .flatMap(({ annotations }) => (annotations === undefined ? [] : [annotations.runbook_url]))
        .map((url) => url.slice(url.lastIndexOf('/') + 1));
      expect(linked).toHaveLength(ALERTS.length);
      expect([...new Set(linked)].sort()).toEqual(pages.sort());
    }
  });

  it.each(ofKind('metric'))(
    'the runbook $id queries $reference.name by its scraped name',
    ({ id, reference }) => {
      const metric = METRICS.get(reference.name);
      expect(metric, reference.name).toBeDefined();
      if (metric === undefined) return;
      const commands = getRunbook(id)
        ?.steps.map(({ run = '' }) => run)
        .join('\n');
      expect(commands).toContain(prometheusName(metric, 'scrape'));
    },
  );

  it('query only metrics, labels and label values that a package emits', () => {
    const metrics = new Map(
      [...METRICS.values()].map((metric) => [prometheusName(metric, 'scrape'), metric] as const),
    );
    for (const { id, steps } of runbooks) {
      for (const { run = '' } of steps) {
        for (const [, name = '', matchers = ''] of run.matchAll(
          /\b((?:temper|process|nodejs)_[a-z_]+)(?:\{([^}]*)\})?/g,
        )) {
          const metric = metrics.get(name.replace(/_bucket$/, ''));
          if (metric === undefined) {
            // Between metrics there are labels only.
            expect(LABELS.has(name), `${name} of ${id}`).toBe(true);
            continue;
          }
          for (const [, label, value = ''] of matchers.matchAll(/(\w+)(?:=|!=|=~)"([^"]*)"/g)) {
            const found = metric.attributes.find((one) => one.name.replaceAll('.', '_') === label);
            expect(found, `${label} of ${name} in ${id}`).toBeDefined();
            for (const one of value.split('|')) {
              if (found?.values !== undefined) expect(found.values, label).toContain(one);
            }
          }
        }
      }
    }
  });

  it.each(ofKind('panel'))(
    'the runbook $id references the existing panel $reference.panel',
    ({ reference }) => {
      const dashboard = DASHBOARDS.find(({ uid }) => uid === reference.dashboard);
      const titles = dashboard?.rows.flatMap(({ panels }) => panels.map(({ title }) => title));
      expect(titles, reference.dashboard).toContain(reference.panel);
    },
  );
});
