import { readFileSync } from 'node:fs';
import {
  type IScaledObject,
  ScaledObject,
} from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject';
import {
  HorizontalPodAutoscaler,
  type IHorizontalPodAutoscaler,
} from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DEFAULT_CONFIG, type MixinConfig, type ScalingTarget } from '../mixin/config.ts';
import { mixinFiles } from '../mixin/mixin.ts';
import { readConfig } from '../mixin/read-config.ts';
import { ALERT_NAMES } from '../rules/alerts/index.ts';
import { scalingQuery } from './manifests.ts';

const read = (given: unknown): MixinConfig => readConfig(given, ALERT_NAMES);
const file = (config: MixinConfig, path: string): never =>
  parse(mixinFiles(config).get(`scaling/${path}`) as string) as never;

/** Settings of every kind. */
const TARGETS: readonly ScalingTarget[] = [
  { deployment: 'shop' },
  {
    deployment: 'shop-eu.web',
    job: 'shop "eu"',
    namespace: 'prod',
    policy: 'calls',
    scope: 'service',
    bound: 'upper',
    minReplicas: 0,
    maxReplicas: 7,
    prometheus: 'https://prometheus.example:9090/base',
  },
];

describe.each(TARGETS)('the manifests of %o', (scaling) => {
  const config = read({ scaling, nameStyle: 'otlp' });

  it('hold to the schema of KEDA', () => {
    const manifest = file(config, 'keda.yaml') as IScaledObject;
    expect(() => new ScaledObject(manifest).validate()).not.toThrow();
    expect(manifest.spec.triggers[0]?.metadata?.['query']).toBe(scalingQuery(config, scaling));
    const wrong = { ...manifest, spec: { ...manifest.spec, maxReplicaCount: '7' } };
    expect(() => new ScaledObject(wrong as never).validate()).toThrow(/maxReplicaCount/);
    // @ts-expect-error A field that the schema does not have is one that the types do not have.
    const unknown: IScaledObject = { ...manifest, spec: { ...manifest.spec, maxReplicas: 7 } };
    expect(unknown).toBeDefined();
  });

  it('hold to the schema of Kubernetes', () => {
    const manifest = file(config, 'hpa.yaml') as IHorizontalPodAutoscaler;
    expect(() => new HorizontalPodAutoscaler(manifest).validate()).not.toThrow();
    const { spec } = manifest;
    const wrong = { ...manifest, spec: { ...spec, metrics: [{ external: {} }] } };
    expect(() => new HorizontalPodAutoscaler(wrong as never).validate()).toThrow(/type/);
    expect(spec?.minReplicas).toBeGreaterThanOrEqual(1);
    const { externalRules } = file(config, 'prometheus-adapter.yaml') as {
      externalRules: { name: { as: string }; metricsQuery: string }[];
    };
    expect(spec?.metrics?.[0]?.external?.metric.name).toBe(externalRules[0]?.name.as);
    expect(externalRules[0]?.metricsQuery).toBe(scalingQuery(config, scaling));
  });
});

it('there are no manifests unless they are configured', () => {
  expect([...mixinFiles(DEFAULT_CONFIG).keys()].join()).not.toContain('scaling');
});

it('the README has a configuration that can be used, its query, and every setting', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const section = readme.slice(readme.indexOf('## Autoscaling'), readme.indexOf('## Name styles'));
  const [, json = ''] = /```json\n([\s\S]*?)```/.exec(section) ?? [];
  const [, promql = ''] = /```promql\n(.*)\n```/.exec(section) ?? [];
  const config = read(JSON.parse(json));
  expect(scalingQuery(config, config.scaling as ScalingTarget)).toBe(promql);
  const settings = [...section.matchAll(/\| `scaling\.(\w+)` /g)].map(([, name]) => name);
  expect(settings.sort()).toEqual(Object.keys(TARGETS[1] as object).sort());
});
