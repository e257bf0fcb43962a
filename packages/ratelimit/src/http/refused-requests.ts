import { processState } from '@temper/core/policy';

/** Requests that a middleware of this package has answered in place of the handler, as the frameworks pass them on. */
const refused: () => WeakSet<object> = /* @__PURE__ */ processState(
  'ratelimit.refused-requests.1',
  () => new WeakSet(),
);

/**
 * A limit has refused this request: to the limits of a middleware around, that tells nothing about the load of
 * the service.
 *
 * @param raw - the framework's own request
 */
export function markRefused(raw: unknown): void {
  if (typeof raw === 'object' && raw !== null) refused().add(raw);
}

/** Whether a limit has refused this request. */
export function isRefused(raw: unknown): boolean {
  return typeof raw === 'object' && raw !== null && refused().has(raw);
}
