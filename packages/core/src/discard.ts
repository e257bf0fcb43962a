import { isObject } from './is-object.ts';
import { processState } from './process-state.ts';

/** Values that several callers have, such as the answers that a cache keeps. */
const shared: () => WeakSet<object> = /* @__PURE__ */ processState('shared.1', () => new WeakSet());

/** Others have this value too, or will: whoever does not need it must leave it as it is. */
export function share(value: unknown): void {
  if (isObject(value)) shared().add(value);
}

/** Whether others have this value too; see {@link share}. */
export function isShared(value: unknown): boolean {
  return isObject(value) && shared().has(value);
}

/**
 * Lets go of a result that nobody gets: a body that has not been read is cancelled, so that its connection
 * is released. It is the web or Node stream that a client keeps as the `body` of the result, or of its
 * `response`, or else as its `data`, or the result itself where that is the message of `node:http`. Never throws.
 *
 * @param result - a value, or an error
 */
export function discardBody(result: unknown): void {
  try {
    if (!isObject(result) || isShared(result)) return;
    release(result);
    const { response } = result as { response?: unknown };
    if (isObject(response) && !isShared(response)) release(response);
  } catch {
    // A hostile getter, or a stream that refuses: there is nothing to release.
  }
}

function release(holder: object): void {
  const { statusCode, bodyUsed } = holder as Readonly<Record<string, unknown>>;
  if (typeof statusCode === 'number' && isUnread(holder)) destroy(holder);
  if (bodyUsed === true) return;
  const stream: unknown = 'body' in holder ? holder.body : (holder as { data?: unknown }).data;
  if (!isObject(stream)) return;
  const { cancel, locked } = stream as Partial<ReadableStream>;
  if (typeof cancel === 'function' && locked === false) {
    Promise.resolve(cancel.call(stream)).then(undefined, () => {});
  } else if (isUnread(stream)) {
    destroy(stream);
  }
}

/** What is needed of a Node stream. */
interface NodeReadable {
  readonly readableDidRead: boolean;
  readonly readableFlowing: boolean | null;
  readonly destroyed: boolean;
  on(event: 'error', listener: () => void): unknown;
  destroy(): unknown;
}

/** Whether this is a Node stream that nobody reads or has read. */
function isUnread(stream: object): stream is NodeReadable {
  const { readableDidRead, readableFlowing, destroyed, on, destroy } =
    stream as Partial<NodeReadable>;
  return (
    readableDidRead === false &&
    readableFlowing !== true &&
    destroyed === false &&
    typeof on === 'function' &&
    typeof destroy === 'function'
  );
}

function destroy(stream: NodeReadable): void {
  stream.on('error', () => {}); // undici's ends with one
  stream.destroy();
}
