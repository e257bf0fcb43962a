import type { AttributeDefinition, MetricDefinition } from '@temper/core/policy';
import { METRICS } from './catalog.ts';
import {
  type NameStyle,
  prometheusLabel,
  prometheusName,
  quotedLabel,
} from './prometheus-names.ts';

/** Required value of each attribute; an array matches any of its values. */
export type Where = Readonly<Record<string, string | readonly string[]>>;

/**
 * Builds selectors for queries and checks them against the packages' constants: a metric, attribute or
 * value that no package emits is an error, so that a renamed metric breaks the build, not a dashboard.
 */
export class Names {
  readonly style: NameStyle;
  /** Matchers that are added to every selector, such as the dashboard's variables. */
  readonly #common: readonly string[];
  /** As {@link #common}, for the metrics of policies. */
  readonly #ofPolicies: readonly string[];

  constructor(
    style: NameStyle,
    common: readonly string[] = [],
    ofPolicies: readonly string[] = [],
  ) {
    this.style = style;
    this.#common = common;
    this.#ofPolicies = ofPolicies;
  }

  /**
   * A selector for a metric.
   *
   * @param extra - more matchers, in PromQL
   * @throws {Error} for a metric, attribute or value that is not in the packages' constants
   */
  of(metric: string, where: Where = {}, extra: readonly string[] = []): string {
    return this.#selector(metric, '', where, extra);
  }

  /** A selector for the buckets of a histogram. */
  buckets(metric: string, where: Where = {}, extra: readonly string[] = []): string {
    return this.#selector(metric, '_bucket', where, extra);
  }

  /** A selector for the count of a histogram. */
  count(metric: string, where: Where = {}, extra: readonly string[] = []): string {
    return this.#selector(metric, '_count', where, extra);
  }

  /** The label of an attribute of a metric, in PromQL. */
  label(metric: string, attribute: string): string {
    attributeOf(definition(metric), attribute);
    return quotedLabel(prometheusLabel(attribute, this.style));
  }

  /** A selector for a series that Prometheus makes itself, such as `up`. */
  own(name: string): string {
    return selector(name, this.#common);
  }

  #selector(
    metric: string,
    suffix: '' | '_bucket' | '_count',
    where: Where,
    extra: readonly string[],
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
      const label = quotedLabel(prometheusLabel(attribute, this.style));
      return wanted.length === 1 ? `${label}="${wanted[0]}"` : `${label}=~"${wanted.join('|')}"`;
    });
    const ofPolicies = found.attributes.length > 0 ? this.#ofPolicies : [];
    const all = [...this.#common, ...ofPolicies, ...matchers, ...extra];
    return selector(`${prometheusName(found, this.style)}${suffix}`, all);
  }
}

/** A selector for a series by its name and these matchers. */
export function selector(name: string, matchers: readonly string[]): string {
  if (!/^[A-Za-z_:][A-Za-z0-9_:]*$/.test(name)) {
    return `{${[JSON.stringify(name), ...matchers].join(',')}}`;
  }
  return matchers.length === 0 ? name : `${name}{${matchers.join(',')}}`;
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
