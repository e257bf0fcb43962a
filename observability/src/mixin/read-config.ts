import { FEATURES } from '../dashboards/panel.ts';
import { NAME_STYLES } from '../prometheus-names.ts';
import {
  DEFAULT_CONFIG,
  type MixinConfig,
  type PolicyThresholds,
  type ScalingTarget,
} from './config.ts';

/** A configuration that cannot be used. The message names the setting and what it may be. */
class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

type Json = unknown;
type Settings = Readonly<Record<string, Json>>;

/** Checks one value. @throws {ConfigError} */
type Check = (path: string, value: Json) => void;

const DURATION = /^(?:\d+(?:ms|[smhdwy]))+$/;
/** Names that Kubernetes and its labels accept. */
const RESOURCE = /^[a-z0-9](?:[-a-z0-9.]{0,61}[a-z0-9])?$/;
const LABEL = /^[^\0"\\\n]+$/;

const expect = (path: string, ok: boolean, wanted: string, value: Json): void => {
  if (!ok) throw new ConfigError(`${path} must be ${wanted}, not ${JSON.stringify(value)}.`);
};
const number =
  (min: number, max: number, wanted: string, integer = false): Check =>
  (path, value) =>
    expect(
      path,
      typeof value === 'number' &&
        value >= min &&
        value <= max &&
        (!integer || Number.isInteger(value)),
      wanted,
      value,
    );
const share: Check = number(0, 1, 'a share from 0 to 1');
const positive: Check = number(Number.MIN_VALUE, Number.MAX_VALUE, 'a number above 0');
const count: Check = number(1, Number.MAX_SAFE_INTEGER, 'a whole number from 1', true);
const objective: Check = number(0, 1 - Number.EPSILON, 'a share from 0 to below 1');
const matching =
  (pattern: RegExp, wanted: string): Check =>
  (path, value) =>
    expect(path, typeof value === 'string' && pattern.test(value), wanted, value);
const duration: Check = matching(DURATION, "a Prometheus duration such as '5m'");
const UNIT_SECONDS: Readonly<Record<string, number>> = {
  ms: 0.001,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  y: 31_536_000,
};
/** How far back Prometheus looks for a sample, by default. Prometheus 3 does not take one that is as old. */
const LOOKBACK_SECONDS = 300;
/** The alerts read what the recording rules have recorded one interval before. */
const interval: Check = (path, value) => {
  duration(path, value);
  let seconds = 0;
  for (const [, count, unit = ''] of (value as string).matchAll(/(\d+)(ms|[smhdwy])/gy)) {
    seconds += Number(count) * (UNIT_SECONDS[unit] ?? 0);
  }
  expect(path, seconds > 0 && seconds < LOOKBACK_SECONDS, 'above 0 and shorter than 5m', value);
};
const label: Check = matching(LABEL, 'the name of a label');
const optionalLabel: Check = (path, value) => {
  if (value !== null) label(path, value);
};
const text: Check = (path, value) => expect(path, typeof value === 'string', 'a string', value);
const oneOf =
  (values: readonly string[]): Check =>
  (path, value) =>
    expect(path, values.includes(value as string), `one of ${values.join(', ')}`, value);
const listOf =
  (check: Check): Check =>
  (path, value) => {
    expect(path, Array.isArray(value), 'a list', value);
    for (const [index, one] of (value as Json[]).entries()) check(`${path}[${index}]`, one);
  };
/** An object with some of these settings. */
const settings =
  (checks: Readonly<Record<string, Check>>): Check =>
  (path, value) => {
    expect(path, isSettings(value), 'an object', value);
    for (const [key, one] of Object.entries(value as Settings)) {
      const inner = path === '' ? key : `${path}.${key}`;
      const check = Object.hasOwn(checks, key) ? checks[key] : undefined;
      if (check === undefined) {
        throw new ConfigError(
          `There is no setting ${inner}. Known: ${Object.keys(checks).join(', ')}.`,
        );
      }
      check(inner, one);
    }
  };
/** An object with a value for each of some names. */
const byName =
  (check: Check, known?: ReadonlySet<string>): Check =>
  (path, value) => {
    expect(path, isSettings(value), 'an object', value);
    for (const [name, one] of Object.entries(value as Settings)) {
      if (known?.has(name) === false) {
        throw new ConfigError(`${path}: there is no '${name}'. Known: ${[...known].join(', ')}.`);
      }
      check(`${path}.${name}`, one);
    }
  };

const burn: Check = settings({
  factor: number(1, Number.MAX_VALUE, 'a number from 1'),
  long: duration,
  short: duration,
});
const perPolicy: Readonly<Record<Exclude<keyof PolicyThresholds, 'objective'>, Check>> = {
  errorRatio: share,
  exhaustedRatio: share,
  rejectedRatio: share,
  latencySeconds: positive,
};
const override: Check = (path, value) => {
  if (value === false) return;
  settings({ severity: oneOf(['page', 'ticket']), for: duration })(path, value);
};

const resourceName: Check = matching(RESOURCE, 'a name of Kubernetes');
const replicas: Check = number(0, 10_000, 'a whole number from 0 to 10000', true);
const scalingTarget: Check = (path, value) => {
  if (value === null) return;
  settings({
    deployment: resourceName,
    job: text,
    namespace: resourceName,
    policy: text,
    scope: oneOf(['instance', 'service']),
    bound: oneOf(['lower', 'desired', 'upper']),
    minReplicas: replicas,
    maxReplicas: replicas,
    prometheus: matching(/^https?:\/\/\S+$/, 'an http address'),
  })(path, value);
  const { deployment, minReplicas = 1, maxReplicas = 100 } = value as Partial<ScalingTarget>;
  expect(`${path}.deployment`, deployment !== undefined, 'given', deployment ?? null);
  const ordered = maxReplicas >= Math.max(1, minReplicas);
  expect(`${path}.maxReplicas`, ordered, 'at least 1 and minReplicas', maxReplicas);
};

/** Checks of every setting. */
function checks(alerts: ReadonlySet<string>): Readonly<Record<keyof MixinConfig, Check>> {
  return {
    nameStyle: oneOf(NAME_STYLES),
    selector: text,
    labels: settings({
      job: label,
      instance: label,
      cluster: optionalLabel,
      namespace: optionalLabel,
    }),
    interval,
    jobs: listOf(text),
    absentWindow: duration,
    slo: settings({ objective, fast: burn, slow: burn }),
    minimum: settings({ calls: count, failures: count }),
    thresholds: settings({
      ...perPolicy,
      instanceRatio: share,
      instanceShare: share,
      openings: count,
      memory: share,
      cpu: share,
      eventLoop: share,
      auditLag: count,
    }),
    policies: byName(settings({ ...perPolicy, objective })),
    shutdown: duration,
    alerts: byName(override, alerts),
    uses: (path, value) => {
      if (value !== null) listOf(oneOf(Object.keys(FEATURES)))(path, value);
    },
    runbooks: text,
    scaling: scalingTarget,
  };
}

/**
 * A complete configuration from some settings.
 *
 * @param alerts - names of all alerts, for the setting `alerts`
 * @throws {ConfigError} for an unknown setting, alert or name style, and for a value out of range
 */
export function readConfig(given: Json, alerts: ReadonlySet<string>): MixinConfig {
  expect('The configuration', isSettings(given), 'an object', given);
  settings(checks(alerts))('', given);
  return merged(DEFAULT_CONFIG as unknown as Settings, given as Settings) as unknown as MixinConfig;
}

function merged(defaults: Settings, given: Settings): Settings {
  const all: Record<string, Json> = { ...defaults };
  for (const [key, value] of Object.entries(given)) {
    const before = Object.hasOwn(defaults, key) ? defaults[key] : undefined;
    all[key] = isSettings(before) && isSettings(value) ? merged(before, value) : value;
  }
  return all;
}

function isSettings(value: Json): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
