import type { CallOptions, Priority } from '../contract.ts';
import { numberRule, type OptionRule, oneOfRule, show } from '../options.ts';
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
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${owner}: call options must be an object, got ${show(options)}.`);
  }
  if (isCall(options)) {
    throw new TypeError(`${owner}: a call context is passed as { parent: context }.`);
  }
  for (const key in options) {
    const rule = RULES.get(key);
    if (rule === undefined) {
      const known = [...RULES.keys()].join(', ');
      throw new TypeError(`${owner}: unknown call option ${show(key)}; known are ${known}.`);
    }
    const value = (options as Record<string, unknown>)[key];
    if (value !== undefined) rule(owner, key, value);
  }
}

const RULES_BY_OPTION: { readonly [K in keyof Required<CallOptions>]: OptionRule } = {
  signal: (owner, _option, value) => checkSignal(owner, value),
  timeoutMs: numberRule({ min: 0 }),
  operation: checkText,
  attributes: checkAttributes,
  cost: numberRule({ min: 0, aboveMin: true, infinite: false }),
  priority: oneOfRule(PRIORITIES),
  key: checkText,
  parent: (owner, option, value) => {
    if (isCall(value)) return;
    throw new TypeError(
      `${owner}: ${option} must be the context that an operation received, got ${show(value)}.`,
    );
  },
};
const RULES: ReadonlyMap<string, OptionRule> = new Map(Object.entries(RULES_BY_OPTION));

/** @throws {TypeError} unless `value` has the shape of an AbortSignal, of whatever realm */
export function checkSignal(owner: string, value: unknown): void {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>;
  if (typeof aborted !== 'boolean' || typeof addEventListener !== 'function') {
    throw new TypeError(`${owner}: signal must be an AbortSignal, got ${show(value)}.`);
  }
}

function checkText(owner: string, key: string, value: unknown): void {
  if (typeof value !== 'string' || value.length === 0) {
    throw new TypeError(`${owner}: ${key} must be a non-empty string, got ${show(value)}.`);
  }
}

function checkAttributes(owner: string, _option: string, value: unknown): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`${owner}: attributes must be an object, got ${show(value)}.`);
  }
  for (const [name, each] of Object.entries(value)) {
    if (typeof each !== 'string' && typeof each !== 'number' && typeof each !== 'boolean') {
      throw new TypeError(
        `${owner}: attributes['${name}'] must be a string, number or boolean, got ${show(each)}.`,
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
    attributes:
      inherited?.attributes === undefined ? attributes : { ...inherited.attributes, ...attributes },
    cost: cost ?? inherited?.cost,
    priority: priority ?? inherited?.priority,
    key: key ?? inherited?.key,
  };
}
