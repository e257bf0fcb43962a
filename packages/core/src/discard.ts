/**
 * Lets go of a value that nobody will read: the unread body of a `Response`, or of anything with a web
 * stream as its `body`, is cancelled, so that its connection is released. Never throws.
 */
export function discardBody(value: unknown): void {
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
