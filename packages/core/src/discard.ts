/**
 * Lets go of a failure that is not returned: the unread body of a `Response`, of an error's `response`,
 * or of anything with a web stream as its `body`, is cancelled, so that its connection is released.
 * Never throws.
 *
 * @param failure - a value that counts as a failure, or an error
 */
export function discardBody(failure: unknown): void {
  cancelBody(failure);
  try {
    cancelBody((failure as { response?: unknown } | null | undefined)?.response);
  } catch {
    // A hostile getter.
  }
}

function cancelBody(value: unknown): void {
  try {
    if (typeof value !== 'object' || value === null) return;
    const { body, bodyUsed } = value as { body?: unknown; bodyUsed?: unknown };
    if (bodyUsed === true || typeof body !== 'object' || body === null) return;
    const { cancel, locked } = body as Partial<ReadableStream>;
    if (typeof cancel !== 'function' || locked !== false) return;
    Promise.resolve(cancel.call(body)).then(undefined, () => {});
  } catch {
    // A hostile getter, or a stream that refuses: there is nothing to release.
  }
}
