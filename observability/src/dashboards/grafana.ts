import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  MappingType,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimelineBuilder } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { attributes } from '../catalog.ts';
import type { MixinConfig } from '../mixin/config.ts';
import { Names } from '../names.ts';
import { prometheusLabel, quotedLabel } from '../prometheus-names.ts';
import { type DashboardDefinition, emptyReason, type Panel } from './panel.ts';

// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own variable
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const POLICY = 'temper.policy.name';
const PANEL_HEIGHT = 8;
const STAT_HEIGHT = 4;

/** A variable of a dashboard: its name, title, label and the query for its values. */
interface Variable {
  readonly name: string;
  readonly title: string;
  readonly label: string;
}

/** The variables that select where a series comes from, from the widest to the narrowest. */
function scopeVariables({ labels }: MixinConfig): readonly Variable[] {
  return [
    { name: 'cluster', title: 'Cluster', label: labels.cluster },
    { name: 'namespace', title: 'Namespace', label: labels.namespace },
    { name: 'service', title: 'Service', label: labels.job },
    { name: 'instance', title: 'Instance', label: labels.instance },
  ].flatMap(({ label, ...rest }) => (label === null ? [] : [{ ...rest, label }]));
}

const matcher = ({ name, label }: Variable): string => `${quotedLabel(label)}=~"$${name}"`;

/** Builds selectors with the variables of a dashboard. */
function dashboardNames(config: MixinConfig): Names {
  const policy = quotedLabel(prometheusLabel(POLICY, config.nameStyle));
  return new Names(
    config.nameStyle,
    [...(config.selector === '' ? [] : [config.selector]), ...scopeVariables(config).map(matcher)],
    [`${policy}=~"$policy"`],
  );
}

/** The queries of a panel, with Grafana's variables unresolved. */
export function panelQueries(panel: Panel, config: MixinConfig): readonly string[] {
  const names = dashboardNames(config);
  return panel.queries.map(({ expr }) => expr(names));
}

/** A legend in the labels of the configuration. The definitions use those of the style `scrape`. */
function legend(text: string, { nameStyle, labels }: MixinConfig): string {
  const known = new Map(
    [...attributes().keys()].map((one) => [prometheusLabel(one, 'scrape'), one]),
  );
  return text.replace(/\{\{(\w+)\}\}/g, (_, label: string) => {
    const attribute = known.get(label);
    if (attribute !== undefined) return `{{${prometheusLabel(attribute, nameStyle)}}}`;
    return `{{${label === 'instance' ? labels.instance : label}}}`;
  });
}

/** What is added to the titles of dashboards whose names are not those of the exporter. */
const SUFFIXES: Readonly<Record<MixinConfig['nameStyle'], string>> = {
  scrape: '',
  otlp: ' (OTLP names)',
  utf8: ' (UTF-8 names)',
};

/** A dashboard in Grafana's JSON model. */
export function grafanaDashboard(definition: DashboardDefinition, config: MixinConfig): Dashboard {
  const style = config.nameStyle;
  const builder = new DashboardBuilder(`${definition.title}${SUFFIXES[style]}`)
    .uid(style === 'scrape' ? definition.uid : `${definition.uid}-${style}`)
    .description(definition.description)
    .tags(['temper', style])
    .refresh('10s')
    .time({ from: 'now-30m', to: 'now' })
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(
      new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'),
    )
    .link(
      new DashboardLinkBuilder('Temper')
        .type(DashboardLinkType.Dashboards)
        .tags(['temper', style])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
    )
    .annotation(transitions(config));
  const wider: Variable[] = [];
  const policy = {
    name: 'policy',
    title: 'Policy',
    label: prometheusLabel(POLICY, style),
  };
  for (const one of [...scopeVariables(config), policy]) {
    builder.withVariable(variable(one, wider, config));
    wider.push(one);
  }
  for (const row of definition.rows) {
    builder.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(grafanaPanel(panel, config));
  }
  return builder.build();
}

/** @param wider - the variables before it, which narrow its values */
function variable(
  one: Variable,
  wider: readonly Variable[],
  { nameStyle, selector }: MixinConfig,
): QueryVariableBuilder {
  const ours = `__name__=~"${nameStyle === 'utf8' ? 'temper[.]' : 'temper_'}.+"`;
  const matchers = [ours, ...(selector === '' ? [] : [selector]), ...wider.map(matcher)];
  return new QueryVariableBuilder(one.name)
    .label(one.title)
    .datasource(DATASOURCE)
    .query(`label_values({${matchers.join(',')}}, ${one.label})`)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*');
}

/** Annotates each state change of a circuit on every panel. */
function transitions(config: MixinConfig): AnnotationQueryBuilder {
  const metric = 'temper.breaker.transitions';
  return new AnnotationQueryBuilder()
    .name('Circuit transitions')
    .datasource(DATASOURCE)
    .enable(true)
    .iconColor('orange')
    .expr(`changes(${dashboardNames(config).of(metric)}[$__interval]) > 0`)
    .titleFormat(legend('Circuit {{temper_policy_name}}', config))
    .textFormat(legend('{{temper_breaker_from}} → {{temper_breaker_to}}', config));
}

function grafanaPanel(
  panel: Panel,
  config: MixinConfig,
): StatBuilder | TimeseriesBuilder | StateTimelineBuilder {
  const builder =
    panel.kind === 'stat'
      ? stat(panel)
      : panel.kind === 'states'
        ? states(panel)
        : new TimeseriesBuilder().fillOpacity(8).lineWidth(1);
  const stats = panel.kind === 'stat';
  builder
    .title(panel.title)
    .description(panel.description)
    .datasource(DATASOURCE)
    .unit(panel.unit)
    .min(0)
    .height(stats ? STAT_HEIGHT : PANEL_HEIGHT)
    .span(panel.span ?? (stats ? 6 : 12));
  const empty = emptyReason(panel, config.uses);
  if (empty !== undefined) builder.noValue(`No data: ${empty}`);
  panelQueries(panel, config).forEach((expr, index) => {
    const query = new DataqueryBuilder()
      .expr(expr)
      .legendFormat(legend(panel.queries[index]?.legend ?? '', config))
      .refId(String.fromCharCode(65 + index));
    builder.withTarget(stats ? query.instant() : query.range());
  });
  if (panel.runbook !== undefined) {
    builder.links([
      new DashboardLinkBuilder(`Runbook: ${panel.runbook}`)
        .type(DashboardLinkType.Link)
        .url(`${config.runbooks.replace(/\/$/, '')}/${panel.runbook}.md`)
        .targetBlank(true),
      new DashboardLinkBuilder('Traces of the service')
        .type(DashboardLinkType.Link)
        .url(
          // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own variable
          '/explore?left={"datasource":"jaeger","queries":[{"queryType":"search","service":"${service}"}]}',
        )
        .targetBlank(true),
    ]);
  }
  return builder;
}

function stat(panel: Panel): StatBuilder {
  const worry = panel.unit === 'percentunit' ? 0.01 : 1;
  return new StatBuilder().thresholds(
    new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([
      { value: null, color: 'green' },
      { value: worry, color: 'red' },
    ]),
  );
}

/** Maps numbers to state names; higher numbers are worse. */
function states(panel: Panel): StateTimelineBuilder {
  const words = panel.title.startsWith('Health')
    ? ['healthy', 'degraded', 'unhealthy']
    : panel.title === 'Circuits'
      ? ['not open', 'open']
      : ['closed', 'half-open', 'open', 'isolated'];
  const colors = words.length === 2 ? ['green', 'red'] : ['green', 'yellow', 'red', 'purple'];
  return new StateTimelineBuilder().mappings([
    {
      type: MappingType.ValueToText,
      options: Object.fromEntries(
        words.map((text, index) => [String(index), { text, color: colors[index], index }]),
      ),
    },
  ] as Parameters<StateTimelineBuilder['mappings']>[0]);
}
