import type { AttributeDefinition, MetricDefinition } from '@temper/core';
import { METRICS } from './catalog.ts';
import { type NameStyle, prometheusLabel, prometheusName } from './prometheus-names.ts';

/**
 * Names for queries, held to the packages' constants: asking for a metric, an attribute or a value
 * that no package writes is an error, so that a renamed metric breaks the build and not a dashboard.
 */
export class Names {
  readonly style: NameStyle;
  /** Matchers that every selector gets, such as the dashboard's variables. */
  readonly #common: readonly string[];

  constructor(style: NameStyle, common: readonly string[] = []) {
    this.style = style;
    this.#common = common;
  }

  /**
   * A selector for a metric.
   *
   * @param where - attributes and the value each must have; an array is any of them
   * @throws {Error} for a metric, attribute or value that is not in the packages' constants
   */
  of(metric: string, where: Readonly<Record<string, string | readonly string[]>> = {}): string {
    return this.#selector(metric, '', where);
  }

  /** A histogram's buckets. */
  buckets(
    metric: string,
    where: Readonly<Record<string, string | readonly string[]>> = {},
  ): string {
    return this.#selector(metric, '_bucket', where);
  }

  /** How many observations a histogram has. */
  count(metric: string, where: Readonly<Record<string, string | readonly string[]>> = {}): string {
    return this.#selector(metric, '_count', where);
  }

  /** An attribute of a metric as a label. */
  label(metric: string, attribute: string): string {
    attributeOf(definition(metric), attribute);
    return prometheusLabel(attribute);
  }

  #selector(
    metric: string,
    suffix: '' | '_bucket' | '_count',
    where: Readonly<Record<string, string | readonly string[]>>,
  ): string {
    const found = definition(metric);
    if ((suffix !== '') !== (found.instrument === 'histogram')) {
      throw new Error(`${metric} is a ${found.instrument}, so it has no series '${suffix}'.`);
    }
    const matchers = Object.entries(where).map(([attribute, value]) => {
      const { values } = attributeOf(found, attribute);
      const wanted = typeof value === 'string' ? [value] : value;
      for (const one of wanted) {
        if (values !== undefined && !values.includes(one)) {
          throw new Error(`${attribute} of ${metric} is never '${one}': ${values.join(', ')}.`);
        }
      }
      const label = prometheusLabel(attribute);
      return wanted.length === 1 ? `${label}="${wanted[0]}"` : `${label}=~"${wanted.join('|')}"`;
    });
    const common = this.#common.filter(
      (matcher) => found.attributes.length > 0 || !matcher.startsWith('temper_'),
    );
    const all = [...common, ...matchers].join(',');
    return `${prometheusName(found, this.style)}${suffix}${all === '' ? '' : `{${all}}`}`;
  }
}

function definition(metric: string): MetricDefinition {
  const found = METRICS.get(metric);
  if (found === undefined) throw new Error(`No package writes a metric '${metric}'.`);
  return found;
}

function attributeOf(metric: MetricDefinition, attribute: string): AttributeDefinition {
  const found = metric.attributes.find(({ name }) => name === attribute);
  if (found === undefined) throw new Error(`${metric.name} has no attribute '${attribute}'.`);
  return found;
}
