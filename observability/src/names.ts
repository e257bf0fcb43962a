import type { AttributeDefinition, MetricDefinition } from '@temper/core/policy';
import { METRICS } from './catalog.ts';
import { type NameStyle, prometheusLabel, prometheusName } from './prometheus-names.ts';

/**
 * Builds selectors for queries and checks them against the packages' constants: a metric, attribute or
 * value that no package emits is an error, so that a renamed metric breaks the build, not a dashboard.
 */
export class Names {
  readonly style: NameStyle;
  /** Matchers that are added to every selector, such as the dashboard's variables. */
  readonly #common: readonly string[];

  constructor(style: NameStyle, common: readonly string[] = []) {
    this.style = style;
    this.#common = common;
  }

  /**
   * A selector for a metric.
   *
   * @param where - required value of each attribute; an array matches any of its values
   * @throws {Error} for a metric, attribute or value that is not in the packages' constants
   */
  of(metric: string, where: Readonly<Record<string, string | readonly string[]>> = {}): string {
    return this.#selector(metric, '', where);
  }

  /** A selector for the buckets of a histogram. */
  buckets(
    metric: string,
    where: Readonly<Record<string, string | readonly string[]>> = {},
  ): string {
    return this.#selector(metric, '_bucket', where);
  }

  /** A selector for the count of a histogram. */
  count(metric: string, where: Readonly<Record<string, string | readonly string[]>> = {}): string {
    return this.#selector(metric, '_count', where);
  }

  /** The label of an attribute of a metric. */
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
      throw new Error(
        `${metric} is a ${found.instrument} and has no series with the suffix '${suffix}'.`,
      );
    }
    const matchers = Object.entries(where).map(([attribute, value]) => {
      const { values } = attributeOf(found, attribute);
      const wanted = typeof value === 'string' ? [value] : value;
      for (const one of wanted) {
        if (values !== undefined && !values.includes(one)) {
          throw new Error(
            `The attribute ${attribute} of ${metric} is never '${one}'. Known values: ${values.join(', ')}.`,
          );
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
  if (found === undefined) throw new Error(`No package emits the metric '${metric}'.`);
  return found;
}

function attributeOf(metric: MetricDefinition, attribute: string): AttributeDefinition {
  const found = metric.attributes.find(({ name }) => name === attribute);
  if (found === undefined)
    throw new Error(`The metric ${metric.name} has no attribute '${attribute}'.`);
  return found;
}
