import { isRefusal } from '@temper/core';
import { isError } from '@temper/core/policy';
import type { Route } from './route.ts';

/** What an attempt failed with (an error or a response), where the origin has not got the request. */
const unsent = new WeakSet<object>();
/** What an attempt failed with after which the request cannot be sent again. */
const last = new WeakSet<object>();

/** What an attempt failed with because the caller's body could not be read. */
const callers = new WeakSet<object>();

/** Most errors that are looked at in a chain of causes. */
const MAX_DEPTH = 8;

/** Notes that an attempt has failed, for the retry that judges it. */
export function noteFailed(failure: unknown, route: Route, repeatable: boolean): void {
  if (typeof failure !== 'object' || failure === null) return;
  if (!repeatable) last.add(failure);
  if (isError(failure) && neverSent(failure, route)) unsent.add(failure);
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
  return unsent.has(failure as object) || isRefusal(failure);
}

function neverSent(error: unknown, { sent, announced }: Route): boolean {
  for (let each: unknown = error, depth = 0; isError(each) && depth < MAX_DEPTH; depth++) {
    const { code, message, cause } = each as Error & { readonly code?: unknown };
    if (refusedStream(code, message)) return true;
    each = cause;
  }
  return !sent && (announced || failedToConnect(error, 0));
}

/** RFC 9113, section 8.7: no application has seen the request. */
function refusedStream(code: unknown, message: string): boolean {
  // undici 8 says this only of streams above the last one that the server has taken. undici 7 says it of any
  // stream, but with another code; so does undici 8 when the server gives a reason other than its own end.
  if (code === 'UND_ERR_INFO') return message.startsWith('HTTP/2: "GOAWAY" frame received');
  return code === 'ERR_HTTP2_STREAM_ERROR' && message.includes('NGHTTP2_REFUSED_STREAM');
}

/** Whether the error is of a connection that was never there. Of a broken one, `syscall` is another. */
function failedToConnect(error: unknown, depth: number): boolean {
  if (!isError(error) || depth >= MAX_DEPTH) return false;
  const { code, syscall, errors, cause } = error as Error & Readonly<Record<string, unknown>>;
  if (syscall === 'connect' || syscall === 'getaddrinfo') return true;
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'UND_ERR_BPL_MISSING_UPSTREAM') return true;
  if (Array.isArray(errors) && errors.length > 0) {
    return errors.every((one) => failedToConnect(one, depth + 1));
  }
  return failedToConnect(cause, depth + 1);
}
