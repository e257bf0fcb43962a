/** Whether `value` has properties of its own, apart from functions. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
