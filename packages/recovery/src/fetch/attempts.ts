import { isRefusal } from '@temper/core';
import { causesOf, isError } from '@temper/core/policy';
import type { Route } from './route.ts';

/**
 * The errors that attempts failed with, and whether their origin has not got the request. undici may fail several
 * requests with one error: then it is true of all of them.
 */
const unsent = new WeakMap<object, boolean>();
/** What an attempt failed with after which the request cannot be sent again. */
const last = new WeakSet<object>();

/** What an attempt failed with because the caller's body could not be read. */
const callers = new WeakSet<object>();

/** Aggregates in aggregates whose errors are looked at. */
const MAX_NESTING = 4;

/** Notes that an attempt has failed, for the retry that judges it. */
export function noteFailed(failure: unknown, route: Route, repeatable: boolean): void {
  if (typeof failure !== 'object' || failure === null) return;
  if (!repeatable) last.add(failure);
  if (!isError(failure)) return;
  unsent.set(failure, neverSent(failure, route) && unsent.get(failure) !== false);
}

/** Notes that an attempt has failed because its body could not be read, which is not its origin's fault. */
export function noteUnreadable(failure: unknown): void {
  if (typeof failure === 'object' && failure !== null) callers.add(failure);
}

/** Whether an attempt failed because its body could not be read. */
export function isUnreadable(failure: unknown): boolean {
  return callers.has(failure as object);
}

/** Whether the attempt that failed with this was the last that the request allows. */
export function isLast(failure: unknown): boolean {
  return last.has(failure as object);
}

/** Whether an attempt failed before its origin could act on the request, so that any method may be repeated. */
export function isUnsent(failure: unknown): boolean {
  return unsent.get(failure as object) === true || isRefusal(failure);
}

function neverSent(error: unknown, route: Route): boolean {
  for (const each of causesOf(error)) if (isError(each) && refusedStream(each, route)) return true;
  return !route.sent && (route.announced || failedToConnect(error, MAX_NESTING));
}

/** RFC 9113, section 8.7: no application has seen the request. */
function refusedStream(error: Error & { readonly code?: unknown }, route: Route): boolean {
  const { code, message } = error;
  // undici 8 says this only of streams above the last one that the server has taken. undici 7 says it of any
  // stream, but with another code; so does undici 8 when the server gives a reason other than its own end.
  if (code === 'UND_ERR_INFO') {
    // It compares the numbers of all streams that wait, also of those whose session went away before.
    return message.startsWith('HTTP/2: "GOAWAY" frame received') && !route.isOutlived;
  }
  return code === 'ERR_HTTP2_STREAM_ERROR' && message.includes('NGHTTP2_REFUSED_STREAM');
}

/** Whether the error is of a connection that was never there. Of a broken one, `syscall` is another. */
function failedToConnect(error: unknown, nesting: number): boolean {
  for (const each of causesOf(error)) {
    if (!isError(each)) return false;
    const { code, syscall, errors } = each as Error & Readonly<Record<string, unknown>>;
    if (syscall === 'connect' || syscall === 'getaddrinfo') return true;
    if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'UND_ERR_BPL_MISSING_UPSTREAM') return true;
    if (Array.isArray(errors) && errors.length > 0) {
      return nesting > 0 && errors.every((one) => failedToConnect(one, nesting - 1));
    }
  }
  return false;
}
