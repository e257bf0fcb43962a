/**
 * Reads the `stats()` of a policy.
 *
 * @throws {TypeError} unless it returns an object that is not a promise; also what `stats()` throws
 */
export function snapshotOf<S extends object>(
  owner: string,
  watched: { readonly name: string; stats(): S },
): S {
  const stats: unknown = watched.stats();
  const then = (stats as { then?: unknown } | null | undefined)?.then;
  if (typeof then === 'function') {
    // Without a handler the rejection of the unused promise would end the process.
    new Promise((resolve) => resolve(stats)).catch(() => {});
  } else if (typeof stats === 'object' && stats !== null) {
    return stats as S;
  }
  throw new TypeError(`${owner}: '${watched.name}' must return an object from stats().`);
}
