import type { AttributeDefinition, MetricDefinition, SpanDefinition } from '@temper/core/policy';
import { attributes, CATALOG } from './catalog.ts';
import { prometheusName } from './prometheus-names.ts';

const HEAD = `# Telemetry reference

Generated from the packages' constants by \`pnpm --filter @temper/observability generate\`; do not edit.
OpenTelemetry has no semantic conventions for resilience yet. These names follow its naming rules, in the
namespace \`temper.\`. Existing OpenTelemetry names are used where they apply.

- Counters are cumulative since the start of the process, independent of when a provider was registered.
- The series of a policy end after it was disposed of and every reader has exported them once more; other
  policies of its name keep them. A policy made again under the name goes on from where they stood. Only after
  more than 1000 other policies have ended does it begin at 0, with a new start time. Prometheus sees a series
  that is stale and then goes on, or a counter reset. Through the instruments of the SDK, which forgets no
  series, they stay.
- Durations are histograms in seconds. They are recorded only while a meter provider is registered.
- Names in Prometheus: **scrape** names are served by the Prometheus exporter of OpenTelemetry for
  JavaScript; **OTLP** names are stored by the OTLP receiver of Prometheus and by the Collector.
  Histograms add \`_bucket\`, \`_sum\` and \`_count\`. Dots in attribute names become underscores.
- Limiter keys, URLs, users and package names are never attributes of a metric.
- By default a policy creates a span only when something goes wrong in a call (\`spans: 'failures'\`), dated back
  to the beginning of the call. The policies around it then create theirs first, so that the trace shows the
  call as it was nested: an inner span is the child of the attempt or call that it ran in, starts after it, and
  is never the root of another trace. A span that was started in between, such as that of an HTTP client, keeps
  the parent it began with.
- Policies with the option \`telemetry: telemetryScope(…)\` report to other providers, or with further metric
  attributes such as a tenant. Sets of these beyond 100 are replaced by \`otel.metric.overflow\`.
- A call that its caller has aborted has the outcome \`aborted\` in every policy, and is no failure.
- \`trace.disable()\` and \`metrics.disable()\` end what Temper sends, and registering another provider resumes it
  with all counts.
- Log records go to the logs API of \`@opentelemetry/api\`, or before version 1.10 to that of
  \`@opentelemetry/api-logs\`.
`;

/** The content of docs/telemetry.md. */
export function referenceMarkdown(): string {
  const packages = CATALOG.map(({ name, metrics, spans }) =>
    [
      `## @temper/${name}`,
      ...metrics.map(metricSection),
      ...(spans.length === 0 ? [] : ['### Spans', ...spans.map(spanSection)]),
    ].join('\n\n'),
  );
  return `${[HEAD.trimEnd(), ...packages, attributeSection()].join('\n\n')}\n`;
}

function metricSection(metric: MetricDefinition): string {
  const scrape = prometheusName(metric, 'scrape');
  const otlp = prometheusName(metric, 'otlp');
  const lines = [
    `### \`${metric.name}\``,
    metric.description,
    table(
      ['instrument', 'unit', 'attributes', 'in Prometheus'],
      [
        [
          metric.instrument,
          `\`${metric.unit}\``,
          metric.attributes.map(({ name }) => `\`${name}\``).join(', ') || '—',
          scrape === otlp ? `\`${scrape}\`` : `scrape \`${scrape}\`, OTLP \`${otlp}\``,
        ],
      ],
    ),
  ];
  const values = metric.attributes
    .filter((attribute) => attribute.values !== undefined)
    .map((attribute) => `\`${attribute.name}\`: ${valuesOf(attribute)}`);
  if (values.length > 0) lines.push(`${values.join('; ')}.`);
  if (metric.alert !== undefined) lines.push(`Alert on: ${metric.alert}`);
  return lines.join('\n\n');
}

function spanSection(span: SpanDefinition): string {
  return [
    `#### \`${span.name}\``,
    `${span.description} Kind ${span.kind}. ${span.status}`,
    table(
      ['attribute', 'description', 'values'],
      span.attributes.map((one) => [`\`${one.name}\``, one.description, valuesOf(one)]),
    ),
  ].join('\n\n');
}

function attributeSection(): string {
  const rows = [...attributes()].map(([name, definitions]) => [
    `\`${name}\``,
    [...new Set(definitions.map((one) => one.description))].join(' / '),
    [...new Set(definitions.flatMap((one) => one.values ?? []))]
      .map((v) => `\`${v}\``)
      .join(', ') || valuesOf(definitions[0] as AttributeDefinition),
  ]);
  return ['## Attributes', table(['attribute', 'description', 'values'], rows)].join('\n\n');
}

function valuesOf({ values, example }: AttributeDefinition): string {
  if (values !== undefined) return values.map((value) => `\`${value}\``).join(', ');
  return example === undefined ? '' : `such as \`${example}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
