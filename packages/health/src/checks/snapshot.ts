import { isThenable } from '@temper/core';

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
  if (isThenable(stats)) {
    // Without a handler the rejection of the unused promise would end the process.
    Promise.resolve(stats).catch(() => {});
  } else if (typeof stats === 'object' && stats !== null) {
    return stats as S;
  }
  throw new TypeError(`${owner}: '${watched.name}' must return an object from stats().`);
}
