import { checkName, checkType } from '@temper/core/policy';
import type { TuningSetting } from './setting-names.ts';
import type { TuningSettings } from './settings.ts';

/** A pipeline as data, as `pipelines()` of `@temper/recovery` takes it. */
type Definition = readonly Readonly<Record<string, object>>[];

/** The registry of pipelines whose settings are changed; that of `@temper/recovery` fits. */
export interface ReloadablePipelines {
  list(): readonly { readonly name: string; readonly definition: Definition }[];
  reload(name: string, definition: Definition): unknown;
}

/** Which option of which kind of layer a setting is. */
const OPTIONS: Readonly<Record<TuningSetting, readonly [kind: string, option: string]>> = {
  maxAttempts: ['retry', 'maxAttempts'],
  initialDelayMs: ['retry', 'initialDelayMs'],
  attemptTimeoutMs: ['retry', 'attemptTimeoutMs'],
  hedgeDelayMs: ['hedge', 'delayMs'],
  failureRateThreshold: ['breaker', 'failureRateThreshold'],
  minimumThroughput: ['breaker', 'minimumThroughput'],
  openDurationMs: ['breaker', 'openDurationMs'],
};

/**
 * Puts settings into force by reloading a named pipeline with them: `apply` of an autotuner. Its layers
 * must be named `retry`, `hedge` and `breaker`. Calls in flight end with the settings that they began with,
 * and policies whose options do not change keep their state. A breaker whose options change begins closed
 * and empty, which is why nothing is changed while a circuit is open.
 *
 * @returns throws a `TypeError` where a setting has no layer, and what `reload` throws
 * @throws {TypeError} when the registry or the name is of the wrong type
 */
export function reloadPipeline(
  pipelines: ReloadablePipelines,
  name: string,
): (settings: TuningSettings) => void {
  const owner = 'reloadPipeline';
  checkType(owner, 'pipelines', pipelines, 'object');
  checkType(owner, 'pipelines.reload', pipelines.reload, 'function');
  checkType(owner, 'pipelines.list', pipelines.list, 'function');
  checkName(owner, name);
  return (settings) => {
    const listed = pipelines.list().find((one) => one.name === name);
    if (listed === undefined) throw new TypeError(`${owner}: no pipeline is named '${name}'.`);
    const definition = listed.definition.map((layer) => ({ ...layer }));
    for (const [setting, value] of Object.entries(settings)) {
      const [kind, option] = OPTIONS[setting as TuningSetting];
      const layer = definition.find((one) => kind in one);
      if (layer === undefined) {
        throw new TypeError(`${owner}: pipeline '${name}' has no layer '${kind}' for ${setting}.`);
      }
      layer[kind] = { ...layer[kind], [option]: value };
    }
    pipelines.reload(name, definition);
  };
}
