import type { CallOptions } from '@temper/core';
import { checkCallOptions, checkType } from '@temper/core/policy';
import { checkReserved } from '../reserved-options.ts';

/** Options of the call of one request. Its signal is the request's. */
export interface HttpCallOptions extends Omit<CallOptions, 'signal'> {
  /**
   * `false`: the request is sent once, and not hedged. `true`: it may be done twice, whatever its method.
   *
   * @defaultValue by the method and `Idempotency-Key`; see {@link HttpResilienceOptions.retry}
   */
  readonly retry?: boolean | undefined;
}

/** Checks the options of a call. They are read by name, so that accessors of a class count too. */
export function resolveCallOptions(
  owner: string,
  call: HttpCallOptions | undefined,
  { signal, method }: { readonly signal: AbortSignal | undefined; readonly method: string },
): CallOptions & Pick<HttpCallOptions, 'retry'> {
  if (call === undefined) return { operation: method, signal };
  const { retry, ...rest } = (call ?? {}) as HttpCallOptions;
  checkCallOptions(owner, retry === undefined ? call : rest);
  if (retry !== undefined) checkType(owner, 'call.retry', retry, 'boolean');
  checkReserved(owner, 'call', call, { signal: 'set signal of the request' });
  const { operation = method, timeoutMs, attributes, cost, priority, key, parent } = call;
  return { retry, operation, signal, timeoutMs, attributes, cost, priority, key, parent };
}
