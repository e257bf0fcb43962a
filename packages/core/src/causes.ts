/** Most errors that are looked at in a chain of causes, which may be endless. */
const MAX_ERRORS = 8;

/**
 * A failure and its causes, the outermost first. The chain ends with what is no error: a response, or another value
 * that was thrown. Throws what a hostile getter throws.
 */
export function* causesOf(failure: unknown): Generator<unknown, void> {
  let each = failure;
  for (let errors = 0; errors < MAX_ERRORS; errors++) {
    yield each;
    if (!isError(each)) return;
    each = each.cause;
  }
}

/** Whether `value` is an `Error` or a `DOMException`, of whatever realm. No parsed JSON is one. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || /^\[object (?:Error|DOMException)\]$/.test(tagOf(value));
}

/** What an object says that it is, as `[object Headers]`; empty for what is no object. */
export function tagOf(value: unknown): string {
  return typeof value === 'object' && value !== null ? Object.prototype.toString.call(value) : '';
}
