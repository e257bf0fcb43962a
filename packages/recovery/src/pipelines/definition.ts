import { type Clock, type Executor, show } from '@temper/core';

/**
 * One policy as data: its kind, and the kind's options.
 *
 * ```json
 * { "retry": { "maxAttempts": 4 } }
 * ```
 */
export type LayerDefinition = Readonly<Record<string, object>>;

/** A pipeline as data: its policies, outermost first. */
export type PipelineDefinition = readonly LayerDefinition[];

/** Makes a policy of one kind from its options. */
export type PolicyFactory = (options: never) => Executor;

/** The kinds that a definition may name. */
export type PolicyKinds = Readonly<Record<string, PolicyFactory>>;

/** One layer of a definition, checked. */
export interface CheckedLayer {
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * Holds a definition to its form; what the options say is for the policies to judge.
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
        `pipeline '${name}': layer ${index} names the unknown kind '${kind}'; known are ${known}.`,
      );
    }
    if (typeof options !== 'object' || options === null || Array.isArray(options)) {
      throw new TypeError(
        `pipeline '${name}': layer ${index}, ${kind}: options must be an object, got ${show(options)}.`,
      );
    }
    return { kind, options: copyOf(options as Readonly<Record<string, unknown>>) };
  });
}

/** Makes the policy of a layer. It bears the pipeline's name and runs on its clock unless it says otherwise. */
export function build(
  pipeline: string,
  layer: CheckedLayer,
  kinds: PolicyKinds,
  clock: Clock | undefined,
): Executor {
  const make = kinds[layer.kind] as (options: object) => Executor;
  return make({ name: pipeline, ...(clock === undefined ? {} : { clock }), ...layer.options });
}

/** A copy of what is data; what the caller does to its own later changes nothing. */
function copyOf<T extends object>(value: T): T {
  const copied = Object.entries(value).map(([key, part]: [string, unknown]) => [
    key,
    typeof part === 'object' && part !== null && isData(part) ? copyOf(part) : part,
  ]);
  return (Array.isArray(value) ? copied.map(([, part]) => part) : Object.fromEntries(copied)) as T;
}

/** Whether two layers say the same, so that the policy of one can serve for the other. */
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

/** Whether a value is all in its own enumerable properties. */
function isData(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Array.isArray(value);
}
