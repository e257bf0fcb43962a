import type { IScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject';
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import { stringify } from 'yaml';
import type { MixinConfig, ScalingTarget } from '../mixin/config.ts';
import { quotedLabel } from '../prometheus-names.ts';
import { Queries } from '../rules/queries.ts';

const POLICY = 'temper.policy.name';
/**
 * How old a value may be. Prometheus repeats the last value of a process that pushed for five minutes
 * after its end; a share that is counted for so long would keep replicas that nobody needs.
 */
const FRESH = '1m';
/** How often KEDA asks, in seconds. */
const POLLING_S = 15;
/** How long the sum of shares must have been lower before replicas are removed, in seconds. */
const STABILIZATION_S = 300;

/**
 * The replicas that a service needs, as one number. Shares of instances are added up, numbers of the whole
 * service are not; of several signals of a service the one that needs most decides.
 */
export function scalingQuery(config: MixinConfig, target: ScalingTarget): string {
  const { scope = 'instance', bound = 'desired', policy } = target;
  const { names } = new Queries(config);
  const metric = `temper.forecast.replicas.${bound}`;
  const series = names.of(metric, policy === undefined ? {} : { [POLICY]: policy }, [
    ofJob(config, target),
  ]);
  // A process that is scraped ends at once when it is gone.
  const fresh = config.nameStyle === 'scrape' ? series : `last_over_time(${series}[${FRESH}])`;
  const all = scope === 'instance' ? 'sum' : 'max';
  return `max(${all} by (${names.label(metric, POLICY)}) (${fresh}))`;
}

/** A `ScaledObject` of KEDA with a Prometheus trigger. */
function scaledObject(config: MixinConfig, target: ScalingTarget): IScaledObject {
  const { deployment, minReplicas = 1, maxReplicas = 100 } = target;
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: metadata(target),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: deployment },
      pollingInterval: POLLING_S,
      minReplicaCount: minReplicas,
      maxReplicaCount: maxReplicas,
      advanced: { horizontalPodAutoscalerConfig: { behavior: behavior(target) } },
      triggers: [
        {
          type: 'prometheus',
          // The value is the number of replicas: divided by 1 per replica it stays what it is.
          metricType: 'AverageValue',
          metadata: {
            serverAddress: target.prometheus ?? 'http://prometheus:9090',
            query: scalingQuery(config, target),
            threshold: '1',
            // No value is an error, and the number of replicas stays; it is not 0.
            ignoreNullValues: 'false',
          },
        },
      ],
    },
  };
}

/** A `HorizontalPodAutoscaler` by the metric of {@link adapterRules}. */
function horizontalPodAutoscaler(target: ScalingTarget): IHorizontalPodAutoscaler {
  const { deployment, minReplicas = 1, maxReplicas = 100 } = target;
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: metadata(target),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: deployment },
      // Kubernetes refuses 0 unless a feature gate is on.
      minReplicas: Math.max(1, minReplicas),
      maxReplicas,
      metrics: [
        {
          type: 'External',
          external: {
            metric: { name: metricName(target) },
            target: { type: 'AverageValue', averageValue: '1' },
          },
        },
      ],
      behavior: behavior(target),
    },
  };
}

/** The part of the configuration of prometheus-adapter that answers for the metric. */
function adapterRules(config: MixinConfig, target: ScalingTarget): object {
  const { names } = new Queries(config);
  const { bound = 'desired' } = target;
  return {
    externalRules: [
      {
        seriesQuery: names.of(`temper.forecast.replicas.${bound}`, {}, [ofJob(config, target)]),
        resources: { namespaced: false },
        name: { as: metricName(target) },
        metricsQuery: scalingQuery(config, target),
      },
    ],
  };
}

/** The files of the mixin for autoscalers: none unless it is configured. */
export function scalingFiles(config: MixinConfig): readonly (readonly [string, string])[] {
  const { scaling } = config;
  if (scaling === null) return [];
  const yaml = (content: object): string => stringify(content, { lineWidth: 0 });
  return [
    ['scaling/keda.yaml', yaml(scaledObject(config, scaling))],
    ['scaling/hpa.yaml', yaml(horizontalPodAutoscaler(scaling))],
    ['scaling/prometheus-adapter.yaml', yaml(adapterRules(config, scaling))],
  ];
}

/** Up at once. Down after a window: that of the autoscaler for shares, that of the signal for a whole. */
function behavior({ scope = 'instance' }: ScalingTarget) {
  return {
    scaleUp: { stabilizationWindowSeconds: 0 },
    scaleDown: { stabilizationWindowSeconds: scope === 'instance' ? STABILIZATION_S : 0 },
  };
}

function metadata({ deployment, namespace }: ScalingTarget): { name: string; namespace?: string } {
  return { name: deployment, ...(namespace === undefined ? {} : { namespace }) };
}

function metricName({ deployment }: ScalingTarget): string {
  return `${deployment.replaceAll(/[^a-z0-9]/g, '_')}_desired_replicas`;
}

function ofJob({ labels }: MixinConfig, { job, deployment }: ScalingTarget): string {
  return `${quotedLabel(labels.job)}=${JSON.stringify(job ?? deployment)}`;
}
