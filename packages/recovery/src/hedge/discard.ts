/** What a value may offer to release what it holds. */
interface Releasable {
  readonly [Symbol.asyncDispose]?: () => PromiseLike<unknown>;
  readonly [Symbol.dispose]?: () => void;
  readonly body?: { readonly cancel?: () => Promise<void>; readonly locked?: boolean } | null;
}

/** Releases a value that nobody gets, so that its connection, lease or reader does not leak. */
export function discard(value: unknown): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) {
    return undefined;
  }
  const releasable = value as Releasable;
  const dispose = releasable[Symbol.asyncDispose] ?? releasable[Symbol.dispose];
  if (typeof dispose === 'function') return dispose.call(value);
  const { body } = releasable;
  if (typeof body?.cancel === 'function' && body.locked === false) return body.cancel();
  return undefined;
}
