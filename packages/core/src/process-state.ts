/**
 * What a process must have once, whichever installed copy of a package asks: on the global object, made
 * when it is first asked for.
 *
 * @param name - `<what>.<number>`; the number changes with the shape of the state
 * @returns reads the state
 */
export function processState<T extends object>(name: string, create: () => T): () => T {
  const key = Symbol.for(`temper.${name}`);
  let found: T | undefined;
  return () => {
    if (found === undefined) {
      const globals = globalThis as unknown as Record<symbol, T | undefined>;
      globals[key] ??= create();
      found = globals[key];
    }
    return found;
  };
}
