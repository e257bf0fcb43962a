import { isError } from '@temper/core/policy';

/** The reasons of requests that were aborted. */
const reasons = new WeakSet<object>();

/** Most errors that are looked at in a chain of causes. */
const MAX_DEPTH = 8;

/** Notes what a request was aborted with. */
export function noteAbort(reason: unknown): void {
  if (typeof reason === 'object' && reason !== null) reasons.add(reason);
}

/**
 * Whether an error, or one of its causes, is what a request was aborted with. The request that fails with it may
 * be another one: when a stream of HTTP/2 is aborted whose session has died, undici 8 fails all requests
 * that wait for the session with the reason of that stream.
 */
export function isAbortReason(error: unknown): boolean {
  for (let each = error, depth = 0; depth < MAX_DEPTH; depth++) {
    if (typeof each !== 'object' || each === null) return false;
    if (reasons.has(each)) return true;
    each = isError(each) ? each.cause : undefined;
  }
  return false;
}
