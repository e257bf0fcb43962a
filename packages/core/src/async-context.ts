type AsyncHooks = typeof import('node:async_hooks');

/**
 * A module of Node, asked for at run time, so that nothing is imported where there is no such module. Node,
 * Bun and Deno have them, and workerd with `nodejs_compat`.
 */
export function builtinModule<M extends object>(id: string): M | undefined {
  const { process } = globalThis as {
    process?: { getBuiltinModule?(id: string): object | undefined };
  };
  try {
    return process?.getBuiltinModule?.(id) as M | undefined;
  } catch {
    return undefined; // something else that is called `process`
  }
}

const asyncHooks: AsyncHooks | undefined = builtinModule<AsyncHooks>('node:async_hooks');

/**
 * Captures the asynchronous context of the caller, and returns a function that runs work in it: what a
 * shared timer or queue needs before it runs something on behalf of one call. On a platform without
 * asynchronous contexts it just runs the work.
 */
export function inCurrentContext(): (work: () => void) => void {
  if (asyncHooks === undefined) return (work) => work();
  // AsyncLocalStorage.snapshot does the same, but takes 20 times as long.
  const resource = new asyncHooks.AsyncResource('temper.call');
  return (work) => resource.runInAsyncScope(work);
}

/** A value for the code of one call, at any depth. */
export interface AsyncScope<T> {
  run<R>(value: T, work: () => R): R;
  /** The value of the innermost `run` that the present code belongs to. */
  get(): T | undefined;
}

/**
 * Creates a scope that follows the asynchronous context. On a platform without asynchronous contexts it
 * covers the synchronous part of `work` only.
 */
export function asyncScope<T>(): AsyncScope<T> {
  if (asyncHooks !== undefined) {
    const storage = new asyncHooks.AsyncLocalStorage<T>();
    return { run: (value, work) => storage.run(value, work), get: () => storage.getStore() };
  }
  let current: T | undefined;
  return {
    run(value, work) {
      const outer = current;
      current = value;
      try {
        return work();
      } finally {
        current = outer;
      }
    },
    get: () => current,
  };
}
