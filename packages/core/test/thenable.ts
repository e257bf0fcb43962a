/** An object with this `then`, or a target that gets it. */
export function thenable<T>(
  then: (yes: (value: T) => void, no: (error?: unknown) => void) => unknown,
  target: object = {},
): PromiseLike<T> {
  return Object.defineProperty(target, 'then', { value: then, configurable: true }) as never;
}
