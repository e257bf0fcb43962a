import { causesOf } from '@temper/core/policy';

/** The reasons of requests that were aborted. */
const reasons = new WeakSet<object>();

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
  for (const each of causesOf(error)) if (reasons.has(each as object)) return true;
  return false;
}
