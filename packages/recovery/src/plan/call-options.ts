import type { CallOptions } from '@temper/core';
import { checkCallOptions, isCall, show } from '@temper/core/policy';
import type { RecoverOptions } from './contract.ts';

/** {@link RecoverOptions}, taken apart. */
interface ExecutionOptions {
  readonly args: readonly unknown[];
  readonly call: CallOptions;
}

const KNOWN: readonly string[] = [
  'args',
  'signal',
  'timeoutMs',
  'attributes',
  'cost',
  'priority',
  'key',
  'parent',
];

/**
 * Takes the options of an execution apart. Their types and ranges are checked by core, as for any
 * call.
 *
 * @param owner - who refuses, in messages
 * @throws {TypeError} on anything but an object, on unknown keys and wrong types
 * @throws {RangeError} on numbers out of range
 */
export function executionOptions(
  owner: string,
  operation: string,
  options: RecoverOptions | undefined,
): ExecutionOptions {
  if (typeof operation !== 'string' || operation === '') {
    throw new TypeError(`${owner}: operation must be a non-empty string, got ${show(operation)}.`);
  }
  if (options === undefined) return { args: [], call: { operation } };
  const isRecord = Object.prototype.toString.call(options) === '[object Object]';
  // Core refuses anything but a record, and says how a context is passed.
  const isContext: boolean = isCall(options);
  if (!isRecord || isContext) checkCallOptions(owner, options);
  for (const option in options) {
    if (KNOWN.includes(option) || (!Object.hasOwn(options, option) && option in Object.prototype)) {
      continue;
    }
    throw new TypeError(`${owner}: unknown option ${show(option)}; known are ${KNOWN.join(', ')}.`);
  }
  // Read by name, so that accessors of a class count too.
  const { args = [], signal, timeoutMs, attributes, cost, priority, key, parent } = options;
  if (!Array.isArray(args)) {
    throw new TypeError(`${owner}: args must be an array, got ${show(args)}.`);
  }
  const call = { operation, signal, timeoutMs, attributes, cost, priority, key, parent };
  checkCallOptions(owner, call);
  return { args, call };
}
