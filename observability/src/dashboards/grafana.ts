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
import { Names } from '../names.ts';
import type { NameStyle } from '../prometheus-names.ts';
import { DASHBOARDS } from './index.ts';
import type { DashboardDefinition, Panel } from './panel.ts';

/** Matchers that are added to every selector of a dashboard. */
const MATCHERS = ['job=~"$service"', 'temper_policy_name=~"$policy"'];
// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own variable
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const RUNBOOKS = 'https://github.com/temper-js/temper/blob/main/docs/runbooks';
const PANEL_HEIGHT = 8;
const STAT_HEIGHT = 4;

/** The uid of a dashboard in the given name style. */
function dashboardUid({ uid }: DashboardDefinition, style: NameStyle): string {
  return style === 'scrape' ? uid : `${uid}-otlp`;
}

/** The queries of a panel, with Grafana's variables unresolved. */
export function panelQueries(panel: Panel, style: NameStyle): readonly string[] {
  const names = new Names(style, MATCHERS);
  return panel.queries.map(({ expr }) => expr(names));
}

/** A dashboard in Grafana's JSON model. */
export function grafanaDashboard(definition: DashboardDefinition, style: NameStyle): Dashboard {
  const builder = new DashboardBuilder(
    style === 'scrape' ? definition.title : `${definition.title} (OTLP names)`,
  )
    .uid(dashboardUid(definition, style))
    .description(definition.description)
    .tags(['temper', style])
    .refresh('10s')
    .time({ from: 'now-30m', to: 'now' })
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(
      new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'),
    )
    .withVariable(variable('service', 'Service', serviceValues(style)))
    .withVariable(variable('policy', 'Policy', policyValues(style)))
    .link(
      new DashboardLinkBuilder('Temper')
        .type(DashboardLinkType.Dashboards)
        .tags(['temper', style])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
    )
    .annotation(transitions(style));
  for (const row of definition.rows) {
    builder.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(grafanaPanel(panel, style));
  }
  return builder.build();
}

function variable(name: string, label: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*');
}

function serviceValues(style: NameStyle): string {
  return `label_values(${new Names(style).of('process.memory.usage')}, job)`;
}

function policyValues(style: NameStyle): string {
  const names = new Names(style);
  return `label_values({__name__=~"temper_.+",job=~"$service"}, ${names.label('temper.errors', 'temper.policy.name')})`;
}

/** Annotates each state change of a circuit on every panel. */
function transitions(style: NameStyle): AnnotationQueryBuilder {
  const names = new Names(style, MATCHERS);
  const metric = 'temper.breaker.transitions';
  return new AnnotationQueryBuilder()
    .name('Circuit transitions')
    .datasource(DATASOURCE)
    .enable(true)
    .iconColor('orange')
    .expr(`changes(${names.of(metric)}[$__interval]) > 0`)
    .titleFormat(`Circuit {{${names.label(metric, 'temper.policy.name')}}}`)
    .textFormat(
      `{{${names.label(metric, 'temper.breaker.from')}}} → {{${names.label(metric, 'temper.breaker.to')}}}`,
    );
}

function grafanaPanel(
  panel: Panel,
  style: NameStyle,
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
  if (panel.emptyWhen !== undefined) builder.noValue(`No data: ${panel.emptyWhen}`);
  panelQueries(panel, style).forEach((expr, index) => {
    const query = new DataqueryBuilder()
      .expr(expr)
      .legendFormat(panel.queries[index]?.legend ?? '')
      .refId(String.fromCharCode(65 + index));
    builder.withTarget(stats ? query.instant() : query.range());
  });
  if (panel.runbook !== undefined) {
    builder.links([
      new DashboardLinkBuilder(`Runbook: ${panel.runbook}`)
        .type(DashboardLinkType.Link)
        .url(`${RUNBOOKS}/${panel.runbook}.md`)
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

/** The path of a dashboard file, relative to the root of the repository. */
function dashboardPath(definition: DashboardDefinition, style: NameStyle): string {
  return `observability/dashboards/${style}/${definition.uid}.json`;
}

/** Path and JSON of every dashboard in each style. */
export function dashboardFiles(
  styles: readonly NameStyle[],
): readonly (readonly [string, string])[] {
  return styles.flatMap((style) =>
    DASHBOARDS.map(
      (definition) =>
        [
          dashboardPath(definition, style),
          `${JSON.stringify(grafanaDashboard(definition, style), null, 2)}\n`,
        ] as const,
    ),
  );
}
