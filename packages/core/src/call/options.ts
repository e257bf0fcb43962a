import type { CallOptions, Priority } from '../contract.ts';
import { numberRule, type OptionRule, oneOfRule, show } from '../options.ts';
import type { Attributes } from '../telemetry/definitions.ts';
import { safeText } from '../text.ts';
import { type CallLabels, isCall } from './context.ts';

/** Every {@link Priority}, from what is shed first to what is shed last. */
export const PRIORITIES: readonly Priority[] = [
  'sheddable',
  'sheddable-plus',
  'critical',
  'critical-plus',
];

/**
 * Holds the options of a call to {@link CallOptions}.
 *
 * @param owner - who refuses, in messages
 * @throws {TypeError} on anything but an object, on unknown keys, `null` and wrong types
 * @throws {RangeError} on numbers out of range
 */
export function checkCallOptions(owner: string, options: unknown): asserts options is CallOptions {
  if (!isRecord(options)) {
    const got = typeof options === 'object' ? tagOf(options) : show(options);
    throw new TypeError(`${owner}: call options must be an object like { signal }, got ${got}.`);
  }
  // No literal is a context, and this is on the path of every call.
  if (Object.getPrototypeOf(options) !== Object.prototype && isCall(options)) {
    throw new TypeError(`${owner}: a call context is passed as { parent: context }.`);
  }
  // Read by name and not by iteration, so that accessors of a class are checked too.
  const given: { readonly [K in keyof CallOptions]: unknown } = options;
  const { signal, timeoutMs, operation, attributes, cost, priority, key, parent } = given;
  if (signal !== undefined) checkSignal(owner, signal);
  if (timeoutMs !== undefined) checkTimeout(owner, 'timeoutMs', timeoutMs);
  if (operation !== undefined) checkText(owner, 'operation', operation);
  if (attributes !== undefined) checkAttributes(owner, attributes);
  if (cost !== undefined) checkCost(owner, 'cost', cost);
  if (priority !== undefined) checkPriority(owner, 'priority', priority);
  if (key !== undefined) checkText(owner, 'key', key);
  if (parent !== undefined) checkParent(owner, parent);
  for (const name in options) {
    // What somebody has added to Object.prototype is not meant for us.
    if (KNOWN.has(name) || (!Object.hasOwn(options, name) && name in Object.prototype)) continue;
    const known = [...KNOWN].join(', ');
    throw new TypeError(`${owner}: unknown call option ${show(name)}; known are ${known}.`);
  }
}

/**
 * The signal of options that are a literal `{ signal }`, the most frequent ones, which need no further
 * check. `undefined` of any others, valid or not.
 */
export function onlySignal(options: unknown): AbortSignal | undefined {
  if (typeof options !== 'object' || options === null) return undefined;
  if (Object.getPrototypeOf(options) !== Object.prototype) return undefined;
  for (const name in options) if (name !== 'signal') return undefined;
  const { signal } = options as CallOptions;
  return signal instanceof AbortSignal ? signal : undefined;
}

/** Whether `value` is an object of named values: not an array, map, promise, signal or the like. */
function isRecord(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || tagOf(value) === '[object Object]';
}

function tagOf(value: unknown): string {
  return value === null ? 'null' : safeText(Object.prototype.toString.call(value), 60);
}

const KNOWN: ReadonlySet<string> = new Set([
  'signal',
  'timeoutMs',
  'operation',
  'attributes',
  'cost',
  'priority',
  'key',
  'parent',
] satisfies (keyof CallOptions)[]);

const checkTimeout: OptionRule = numberRule({ min: 0 });
const checkCost: OptionRule = numberRule({ min: 0, aboveMin: true, infinite: false });
const checkPriority: OptionRule = oneOfRule(PRIORITIES);

/** @throws {TypeError} unless `value` has the shape of an AbortSignal, of whatever realm */
function checkSignal(owner: string, value: unknown): void {
  const { aborted, addEventListener, removeEventListener } = (value ?? {}) as Partial<AbortSignal>;
  if (
    typeof aborted !== 'boolean' ||
    typeof addEventListener !== 'function' ||
    typeof removeEventListener !== 'function'
  ) {
    throw new TypeError(`${owner}: signal must be an AbortSignal, got ${show(value)}.`);
  }
}

function checkText(owner: string, key: string, value: unknown): void {
  if (typeof value !== 'string' || value.length === 0) {
    throw new TypeError(`${owner}: ${key} must be a non-empty string, got ${show(value)}.`);
  }
}

function checkParent(owner: string, value: unknown): void {
  if (isCall(value)) return;
  throw new TypeError(
    `${owner}: parent must be the context that an operation received, got ${show(value)}.`,
  );
}

function checkAttributes(owner: string, value: unknown): void {
  if (!isRecord(value)) {
    throw new TypeError(`${owner}: attributes must be an object, got ${show(value)}.`);
  }
  for (const [name, each] of Object.entries(value)) {
    if (typeof each !== 'string' && typeof each !== 'number' && typeof each !== 'boolean') {
      throw new TypeError(
        `${owner}: attributes[${show(name)}] must be a string, number or boolean, got ${show(each)}.`,
      );
    }
  }
}

/** The labels in checked options, over those of the parent call; `undefined` when there are none. */
export function labelsOf(options: CallOptions): CallLabels | undefined {
  const { operation, attributes, cost, priority, key, parent } = options;
  const inherited = parent === undefined ? undefined : (parent as { labels?: CallLabels }).labels;
  if (
    operation === undefined &&
    attributes === undefined &&
    cost === undefined &&
    priority === undefined &&
    key === undefined
  ) {
    return inherited;
  }
  return {
    operation: operation ?? inherited?.operation,
    // Copied, so that a getter or a later change cannot reach the spans.
    attributes: attributes === undefined ? inherited?.attributes : merge(inherited, attributes),
    cost: cost ?? inherited?.cost,
    priority: priority ?? inherited?.priority,
    key: key ?? inherited?.key,
  };
}

function merge(inherited: CallLabels | undefined, attributes: Attributes): Attributes {
  return { ...inherited?.attributes, ...attributes };
}
