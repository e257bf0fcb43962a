import { discardBody, isShared } from '@temper/core/policy';

/** What a value may offer to release what it holds. */
interface Releasable {
  readonly [Symbol.asyncDispose]?: () => PromiseLike<unknown>;
  readonly [Symbol.dispose]?: () => void;
}

/** Releases a value that nobody gets, so that its connection, lease or reader does not leak. */
export function discard(value: unknown): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) {
    return undefined;
  }
  if (isShared(value)) return undefined; // a cache has it
  const releasable = value as Releasable;
  const dispose = releasable[Symbol.asyncDispose] ?? releasable[Symbol.dispose];
  if (typeof dispose === 'function') return dispose.call(value);
  discardBody(value);
  return undefined;
}
