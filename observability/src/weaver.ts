import type { AttributeDefinition, MetricDefinition, SpanDefinition } from '@temper/core/policy';
import { stringify } from 'yaml';
import { attributes, CATALOG } from './catalog.ts';

/** Namespaces of OpenTelemetry's own attributes, which are referenced but not defined here. */
const FOREIGN = /^(error|http|server|service|network|url)\./;

/** The manifest of the registry for OpenTelemetry Weaver. */
export function weaverManifest(): string {
  return document({
    name: 'temper',
    description: 'Metrics and spans of Temper, resilience for Node services.',
    semconv_version: '0.1.0',
    schema_base_url: 'https://temper-js.dev/schemas/',
    dependencies: [
      {
        name: 'otel',
        registry_path:
          'https://github.com/open-telemetry/semantic-conventions/archive/refs/tags/v1.44.0.zip[model]',
      },
    ],
  });
}

/** The registry: attributes, metrics and spans as semantic-convention groups. */
export function weaverRegistry(): string {
  const own = [...attributes()].filter(([name]) => !FOREIGN.test(name));
  return document({
    groups: [
      {
        id: 'registry.temper',
        type: 'attribute_group',
        display_name: 'Temper attributes',
        brief: 'Attributes of the spans and metrics of Temper.',
        attributes: own.map(([name, definitions]) => attribute(name, definitions)),
      },
      ...CATALOG.flatMap(({ metrics }) => metrics.map(metricGroup)),
      ...CATALOG.flatMap(({ spans }) => spans.map(spanGroup)),
    ],
  });
}

function attribute(name: string, definitions: readonly AttributeDefinition[]): object {
  const values = [...new Set(definitions.flatMap((one) => one.values ?? []))];
  const brief = [...new Set(definitions.map((one) => one.description))].join(' ');
  const examples = definitions.flatMap((one) => (one.example === undefined ? [] : [one.example]));
  const words = values.filter((value) => typeof value === 'string');
  return {
    id: name,
    stability: 'development',
    brief,
    ...(words.length > 0
      ? {
          type: {
            members: words.map((value) => ({
              id: value.replaceAll(/[^a-z0-9]+/g, '_'),
              value,
              brief: value,
              stability: 'development',
            })),
          },
        }
      : values.length > 0
        ? { type: typeof values[0] === 'boolean' ? 'boolean' : 'int' }
        : typed(examples)),
  };
}

function typed(examples: readonly string[]): object {
  const numeric = examples.length > 0 && examples.every((one) => !Number.isNaN(Number(one)));
  if (!numeric) return { type: 'string', examples: examples.length > 0 ? examples : ['registry'] };
  const whole = examples.every((one) => Number.isInteger(Number(one)));
  return { type: whole ? 'int' : 'double', examples: examples.map(Number) };
}

const references = (list: readonly AttributeDefinition[]): object[] =>
  [...new Set(list.map(({ name }) => name))].map((name) => ({
    ref: name,
    requirement_level: name === 'temper.policy.name' ? 'required' : 'recommended',
  }));

function metricGroup(metric: MetricDefinition): object {
  return {
    id: `metric.${metric.name}`,
    type: 'metric',
    metric_name: metric.name,
    instrument: metric.instrument,
    unit: metric.unit,
    brief: metric.description,
    stability: 'development',
    ...(metric.alert === undefined ? {} : { note: `Alert on: ${metric.alert}` }),
    attributes: references(metric.attributes),
  };
}

function spanGroup(span: SpanDefinition): object {
  const id = span.name
    .replaceAll(/<[^<>]*>/g, '')
    .trim()
    .replaceAll(/[^a-z0-9]+/gi, '_');
  return {
    id: `span.temper.${id}`,
    type: 'span',
    span_kind: span.kind,
    brief: span.description,
    note: `Name: \`${span.name}\`. ${span.status}`,
    stability: 'development',
    attributes: references(span.attributes),
  };
}

function document(value: object): string {
  return `# Generated from the packages' constants; do not edit.\n${stringify(value, { lineWidth: 100 })}`;
}
