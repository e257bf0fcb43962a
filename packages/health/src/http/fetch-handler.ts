import type { HealthMonitor } from '../monitor.ts';
import { checkMonitor, type HealthHandlerOptions, resolveHandlerOptions } from './options.ts';
import { detailsFor, respond, routeOf } from './response.ts';

/** A handler with the signature of `fetch`. Resolves to undefined for a request that is not a probe. */
export type FetchHealthHandler = (request: Request) => Promise<Response | undefined>;

/**
 * Creates a handler of `/livez`, `/readyz` and `/startupz` for servers that use `Request` and
 * `Response`.
 *
 * ```ts
 * const probes = healthFetch(monitor);
 * app.use(async (c, next) => (await probes(c.req.raw)) ?? next()); // Hono
 * ```
 *
 * @throws {TypeError} when `monitor` is no health monitor, or an option is unknown or invalid
 */
export function healthFetch(
  monitor: HealthMonitor,
  options: HealthHandlerOptions<Request> = {},
): FetchHealthHandler {
  checkMonitor('healthFetch', monitor);
  const resolved = resolveHandlerOptions('healthFetch', options);
  return async (request) => {
    const route = routeOf(resolved, request.url);
    if (route === undefined) return undefined;
    const { status, headers, body } = await respond(monitor, {
      ...route,
      method: request.method,
      accept: request.headers.get('accept'),
      details: detailsFor(resolved, request),
      degradedStatus: resolved.degradedStatus,
    });
    return new Response(request.method === 'HEAD' ? null : body, { status, headers });
  };
}
