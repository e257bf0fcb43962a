import type { MixinConfig, PolicyThresholds } from '../mixin/config.ts';
import { Names, type Where } from '../names.ts';
import { labelTemplate, prometheusLabel, quotedLabel } from '../prometheus-names.ts';

/** The recorded number of instances that report metrics of Temper. */
export const INSTANCES = 'temper:instances:count';

const POLICY = 'temper.policy.name';
const REGEXP_CHARACTERS = /[.*+?^${}()|[\]\\]/g;

/** Two counters whose quotient is a share: those that count as bad, and all. */
interface Share {
  readonly metric: string;
  readonly bad: Where;
  readonly all: Where;
  /** The threshold, which can differ by policy. */
  readonly above: Exclude<keyof PolicyThresholds, 'latencySeconds' | 'objective'>;
}

/** The parts that rules have in common, in the names of a configuration. */
export class Queries {
  readonly config: MixinConfig;
  readonly names: Names;
  /** The labels of a service: cluster, namespace and job. */
  readonly #service: readonly string[];

  constructor(config: MixinConfig) {
    this.config = config;
    this.names = new Names(config.nameStyle, config.selector === '' ? [] : [config.selector]);
    const { cluster, namespace, job } = config.labels;
    this.#service = [cluster, namespace, job].flatMap((one) =>
      one === null ? [] : [quotedLabel(one)],
    );
  }

  /** The labels of a service and these attributes, for `by (…)`. */
  service(...attributes: readonly string[]): string {
    return [...this.#service, ...attributes.map((one) => this.#label(one))].join(', ');
  }

  /** The labels of an instance and these attributes. */
  instance(...attributes: readonly string[]): string {
    return `${this.service(...attributes)}, ${quotedLabel(this.config.labels.instance)}`;
  }

  /** Replaces `{job}`, `{instance}` and attributes by the templates of their labels. */
  text(text: string): string {
    const { job, instance } = this.config.labels;
    return text.replace(/(?<!\{)\{([a-z_.]+)\}(?!\})/g, (_, name: string) =>
      name === 'job' || name === 'instance'
        ? labelTemplate(name === 'job' ? job : instance)
        : labelTemplate(prometheusLabel(name, this.config.nameStyle)),
    );
  }

  /**
   * An expression for each value that a threshold has, joined by `or`: that of all policies, and those of
   * single ones.
   *
   * @param expr - from the threshold and the matchers of the policies that it is for
   */
  perPolicy<K extends keyof PolicyThresholds>(
    threshold: K,
    all: number,
    expr: (value: number, matchers: readonly string[]) => string,
  ): string {
    const label = this.#label(POLICY);
    const single = Object.entries(this.config.policies).flatMap(([policy, thresholds]) =>
      thresholds[threshold] === undefined ? [] : [[policy, thresholds[threshold]] as const],
    );
    const others = single.map(([policy]) => policy.replace(REGEXP_CHARACTERS, '\\$&')).join('|');
    return [
      expr(all, single.length === 0 ? [] : [`${label}!~${JSON.stringify(others)}`]),
      ...single.map(([policy, value]) => expr(value, [`${label}=${JSON.stringify(policy)}`])),
    ].join('\nor\n');
  }

  /**
   * True for a policy whose share of bad calls over five minutes is above its threshold, in the whole
   * service, or above a higher one in a single instance. Each with the minimum of traffic.
   */
  share({ metric, bad, all, above }: Share): string {
    const { thresholds, minimum } = this.config;
    return this.perPolicy(above, thresholds[above], (threshold, matchers) => {
      const selector = (where: Where): string => `${this.names.of(metric, where, matchers)}[5m]`;
      const high = (by: string, limit: number): string =>
        `(sum by (${by}) (rate(${selector(bad)})) / (sum by (${by}) (rate(${selector(all)})) > 0)) > ${limit}` +
        ` and sum by (${by}) (increase(${selector(all)})) >= ${minimum.calls}` +
        ` and sum by (${by}) (increase(${selector(bad)})) >= ${minimum.failures}`;
      const { instanceRatio } = thresholds;
      return (
        `${high(this.service(POLICY), threshold)}\nor\n` +
        `max by (${this.service(POLICY)}) (${high(this.instance(POLICY), Math.max(threshold, instanceRatio))})`
      );
    });
  }

  /**
   * What a counter has counted in a window. What a new series shows at its first scrape counts too:
   * `increase` does not see it. New is a series that was not there in the hour before the window, while
   * other instances of the service were: a service that Prometheus did not know may have counted long ago.
   */
  events(selector: string, window: string, by: string): string {
    const before = (series: string): string => `last_over_time(${series}[1h] offset ${window})`;
    const service = this.service();
    return (
      `sum by (${by}) ((increase(${selector}[${window}]) > 0) or ` +
      `(${selector} unless ${before(selector)} and on (${service}) ${before(INSTANCES)}))`
    );
  }

  #label(attribute: string): string {
    return quotedLabel(prometheusLabel(attribute, this.config.nameStyle));
  }
}
