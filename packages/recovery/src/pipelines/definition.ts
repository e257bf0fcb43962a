import type { Clock, Executor, TelemetryScope } from '@temper/core';
import { show } from '@temper/core/policy';

/**
 * A pipeline as data: its policies, outermost first, each by its kind and options.
 *
 * ```json
 * [{ "timeout": { "timeoutMs": 3000 } }, { "hedge": {} }]
 * ```
 */
export type PipelineDefinition = readonly Readonly<Record<string, object>>[];

/** The kinds that a definition may name, each with the function that creates such a policy. */
export type PolicyKinds = Readonly<Record<string, (options: never) => Executor>>;

/** One layer of a definition that was checked. */
export interface CheckedLayer {
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * Checks the form of a definition. The options of each layer are checked by its policy.
 *
 * @throws {TypeError} naming the pipeline, the layer's index and what is wrong
 */
export function checkDefinition(
  name: string,
  definition: PipelineDefinition,
  kinds: PolicyKinds,
): CheckedLayer[] {
  if (!Array.isArray(definition)) {
    throw new TypeError(
      `pipeline '${name}': a definition must be an array of layers, got ${show(definition)}.`,
    );
  }
  return (definition as readonly unknown[]).map((layer, index) => {
    const entries = typeof layer === 'object' && layer !== null ? Object.entries(layer) : [];
    const [entry] = entries;
    if (entry === undefined || entries.length !== 1) {
      throw new TypeError(
        `pipeline '${name}': layer ${index} must be { kind: options } with one kind, got ${show(layer)}.`,
      );
    }
    const [kind, options] = entry as [string, unknown];
    if (!Object.hasOwn(kinds, kind)) {
      const known = Object.keys(kinds).join(', ');
      throw new TypeError(
        `pipeline '${name}': layer ${index} has the unknown kind ${show(kind)}; known are ${known}. Pass others as the option kinds.`,
      );
    }
    if (typeof options !== 'object' || options === null || Array.isArray(options)) {
      throw new TypeError(
        `pipeline '${name}': layer ${index}, ${show(kind)}: options must be an object, got ${show(options)}.`,
      );
    }
    return { kind, options: copyOf(options as Readonly<Record<string, unknown>>) };
  });
}

/** Options that all policies of a pipeline have unless they have others. */
export interface SharedOptions {
  readonly clock?: Clock;
  readonly telemetry?: TelemetryScope;
}

/** Creates the policy of a layer. Its name and the shared options are the pipeline's unless it has others. */
export function build(
  pipeline: string,
  layer: CheckedLayer,
  kinds: PolicyKinds,
  shared: SharedOptions,
): Executor {
  const make = kinds[layer.kind] as (options: object) => Executor;
  return make({ name: pipeline, ...shared, ...layer.options });
}

/** Copies plain data, so that later changes by the caller have no effect. */
function copyOf<T extends object>(value: T): T {
  const copied = Object.entries(value).map(([key, part]: [string, unknown]) => [
    key,
    typeof part === 'object' && part !== null && isData(part) ? copyOf(part) : part,
  ]);
  return (Array.isArray(value) ? copied.map(([, part]) => part) : Object.fromEntries(copied)) as T;
}

/** Whether two layers are equal, so that the policy of one can serve as the other. */
export function sameLayer(a: CheckedLayer, b: CheckedLayer): boolean {
  return a.kind === b.kind && same(a.options, b.options);
}

function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b) || !isData(a)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every(
      (key) =>
        Object.hasOwn(b, key) &&
        same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
    )
  );
}

/** Whether a value consists of nothing but its own enumerable properties. */
function isData(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Array.isArray(value);
}
