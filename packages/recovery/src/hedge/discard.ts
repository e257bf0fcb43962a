/** What a value may offer to let go of what it holds. */
interface Letting {
  readonly [Symbol.asyncDispose]?: () => PromiseLike<unknown>;
  readonly [Symbol.dispose]?: () => void;
  readonly body?: { readonly cancel?: () => Promise<void>; readonly locked?: boolean } | null;
}

/** Lets go of a value that nobody will see: connections, leases and readers must not leak with it. */
export function discard(value: unknown): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null)
    return undefined;
  const letting = value as Letting;
  const dispose = letting[Symbol.asyncDispose] ?? letting[Symbol.dispose];
  if (typeof dispose === 'function') return dispose.call(value);
  const { body } = letting;
  if (typeof body?.cancel === 'function' && body.locked === false) return body.cancel();
  return undefined;
}
